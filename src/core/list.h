/**
 * Lists of connections, linked by index, so that a connection may leave from anywhere in O(1).
 */
#ifndef HF_CORE_LIST_H
#define HF_CORE_LIST_H

#include "conn.h"

struct hf_list {
    uint32_t head, tail;
    uint32_t count;
};

/** Which list: the offset of its node in a connection. */
#define HF_LIST_READY offsetof(struct hf_conn, ready)
#define HF_LIST_OUTPUT offsetof(struct hf_conn, output)
#define HF_LIST_WAITING offsetof(struct hf_conn, waiting)

static inline struct hf_list_node *hf_list_node_at(const struct hf_pool *conns, uint32_t index,
                                                   size_t which)
{
    uint8_t *conn = hf_pool_at_sized(conns, index, sizeof(struct hf_conn), HF_CONN_SHIFT);
    return (struct hf_list_node *)(conn + which);
}

static inline bool hf_list_has(const struct hf_list_node *node, uint32_t own_index)
{
    return node->prev != own_index;
}

/** Puts a connection at the end; one that is in the list stays where it is. */
static inline void hf_list_push(struct hf_list *l, const struct hf_pool *conns, size_t which,
                                uint32_t index)
{
    struct hf_list_node *node = hf_list_node_at(conns, index, which);
    if (hf_list_has(node, index))
        return;
    node->next = HF_NIL;
    node->prev = l->tail;
    if (l->tail == HF_NIL)
        l->head = index;
    else
        hf_list_node_at(conns, l->tail, which)->next = index;
    l->tail = index;
    l->count++;
}

/** Takes a connection out; one that is not in the list is left alone. */
static inline void hf_list_remove(struct hf_list *l, const struct hf_pool *conns, size_t which,
                                  uint32_t index)
{
    struct hf_list_node *node = hf_list_node_at(conns, index, which);
    if (!hf_list_has(node, index))
        return;
    if (node->prev == HF_NIL)
        l->head = node->next;
    else
        hf_list_node_at(conns, node->prev, which)->next = node->next;
    if (node->next == HF_NIL)
        l->tail = node->prev;
    else
        hf_list_node_at(conns, node->next, which)->prev = node->prev;
    node->prev = index;
    node->next = HF_NIL;
    l->count--;
}

#endif
