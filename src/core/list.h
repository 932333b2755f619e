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

/** Puts one that is in no list at the end. */
static inline void hf_list_append(struct hf_list *l, const struct hf_pool *conns, size_t which,
                                  struct hf_list_node *node, uint32_t index)
{
    node->next = HF_NIL;
    node->prev = l->tail;
    if (l->tail == HF_NIL)
        l->head = index;
    else
        hf_list_node_at(conns, l->tail, which)->next = index;
    l->tail = index;
}

/** Puts a connection at the end; one that is in the list stays where it is. */
static inline void hf_list_push_conn(struct hf_list *l, const struct hf_pool *conns, size_t which,
                                     struct hf_conn *c)
{
    struct hf_list_node *node = (struct hf_list_node *)((uint8_t *)c + which);
    if (hf_list_has(node, c->index))
        return;
    hf_list_append(l, conns, which, node, c->index);
    l->count++;
}
static inline void hf_list_push(struct hf_list *l, const struct hf_pool *conns, size_t which,
                                uint32_t index)
{
    uint8_t *conn = hf_pool_at_sized(conns, index, sizeof(struct hf_conn), HF_CONN_SHIFT);
    hf_list_push_conn(l, conns, which, (struct hf_conn *)conn);
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

/** Takes the first one off, `first`, whose node this is. */
static inline void hf_list_behead(struct hf_list *l, const struct hf_pool *conns, size_t which,
                                  struct hf_list_node *first)
{
    l->head = first->next;
    if (l->head == HF_NIL)
        l->tail = HF_NIL;
    else
        hf_list_node_at(conns, l->head, which)->prev = HF_NIL;
}
/** The first one leaves the list. */
static inline void hf_list_pop(struct hf_list *l, const struct hf_pool *conns, size_t which,
                               struct hf_conn *first)
{
    struct hf_list_node *node = (struct hf_list_node *)((uint8_t *)first + which);
    HF_DEBUG_ASSERT(l->head == first->index);
    hf_list_behead(l, conns, which, node);
    node->prev = first->index;
    node->next = HF_NIL;
    l->count--;
}
/** The first one becomes the last. */
static inline void hf_list_rotate(struct hf_list *l, const struct hf_pool *conns, size_t which,
                                  struct hf_conn *first)
{
    struct hf_list_node *node = (struct hf_list_node *)((uint8_t *)first + which);
    HF_DEBUG_ASSERT(l->head == first->index);
    if (node->next == HF_NIL) /* it is both */
        return;
    hf_list_behead(l, conns, which, node);
    hf_list_append(l, conns, which, node, first->index);
}

#endif
