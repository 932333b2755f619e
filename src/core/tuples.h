/**
 * The table of tuples: what has which local and remote endpoint. Whoever puts, replaces or removes
 * does so here, for the tuple found last is remembered. Private to src/core.
 */
#ifndef HF_CORE_TUPLES_H
#define HF_CORE_TUPLES_H

#include "stack.h"

uint32_t hf_tuple_hash(const struct hf_stack *s, const struct hf_endpoint *local,
                       const struct hf_endpoint *remote);
/** The reference of a tuple, HF_NIL if there is none. */
uint32_t hf_tuple_find(const struct hf_stack *s, uint32_t hash, const struct hf_endpoint *local,
                       const struct hf_endpoint *remote);
/** It is likely to be asked for next. */
static inline void hf_tuple_remember(struct hf_stack *s, uint32_t hash,
                                     const struct hf_endpoint *local,
                                     const struct hf_endpoint *remote, uint32_t ref)
{
    s->recent_tuple = (struct hf_recent_tuple){*local, *remote, hash, ref};
}
/** Puts a tuple that is not there yet into the table, or gives it to another reference than
 *  `replaces`, which has it now (HF_NIL: nobody). False without memory; never if it is there. */
HF_MUST_CHECK static inline bool hf_tuple_put(struct hf_stack *s, uint32_t hash,
                                              const struct hf_endpoint *local,
                                              const struct hf_endpoint *remote, uint32_t replaces,
                                              uint32_t ref)
{
    if (replaces != HF_NIL)
        hf_table_replace(&s->table, hash, replaces, ref);
    else if (!hf_table_insert(&s->table, hash, ref))
        return false;
    hf_tuple_remember(s, hash, local, remote, ref);
    return true;
}
/** Another reference has the tuple from now on. */
void hf_tuple_replace(struct hf_stack *s, uint32_t hash, uint32_t old_ref, uint32_t new_ref);
void hf_tuple_remove(struct hf_stack *s, uint32_t hash, uint32_t ref);

#endif
