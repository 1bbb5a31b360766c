/*
 * The memory of KV caches, and sessions that share it. A page holds the keys and values of 256
 * positions (VB_ATTN_CHUNK) of every layer and KV head; a pool is a fixed number of pages in one
 * arena, which is mapped at once and becomes memory page by page as pages are first written.
 *
 * Pages have users: sessions, and whoever else keeps one (a cache of prefixes). A page that nobody
 * uses any more is free. A full page is never written again, so that any number of sessions whose
 * tokens agree up to its end may use it; a page that is not full is written by its only user (a
 * session copies it first when it is not).
 *
 * Which page a position lies in changes no bit of any result.
 *
 * Owner: open/close. Thread rule: a pool and all its sessions belong to one thread at a time.
 */
#ifndef VB_MODEL_KV_POOL_H
#define VB_MODEL_KV_POOL_H

#include "model/model.h"

typedef struct vb_kv_pool vb_kv_pool;

/* Bytes of one page; 0 on overflow. */
uint64_t vb_kv_page_bytes(const vb_model_config *c);

/* As many pages as budget_bytes hold: VB_EINVAL when that is not one, VB_ENOMEM when the system has
 * less. m is borrowed until close. */
VB_MUST_CHECK vb_err vb_kv_pool_open(const vb_model *m, uint64_t budget_bytes, vb_kv_pool **out,
                                     vb_error *e);
/* After all its sessions, and when no page is kept. */
void vb_kv_pool_close(vb_kv_pool *p);

size_t vb_kv_pool_pages(const vb_kv_pool *p);
size_t vb_kv_pool_free_pages(const vb_kv_pool *p);

/* One user more, or one less, of a page in use; pages are numbered from 0. */
void vb_kv_pool_keep(vb_kv_pool *p, uint32_t page);
void vb_kv_pool_drop(vb_kv_pool *p, uint32_t page);
size_t vb_kv_pool_users(const vb_kv_pool *p, uint32_t page);

/* An empty session of up to ctx_tokens whose pages come from p: vb_forward takes them as the
 * session grows (VB_ELIMIT when none is free), vb_session_truncate and vb_session_close give them
 * back. */
VB_MUST_CHECK vb_err vb_session_open_in(vb_kv_pool *p, size_t ctx_tokens, vb_session **out,
                                        vb_error *e);

/* A second session with the same tokens, of up to ctx_tokens >= those, in the same pool: full pages
 * are shared, the last one is copied when it is not full (VB_ELIMIT when none is free). */
VB_MUST_CHECK vb_err vb_session_fork(const vb_session *s, size_t ctx_tokens, vb_session **out,
                                     vb_error *e);

/* Pages that the session's tokens take, and the number of page i of them. */
size_t vb_session_pages(const vb_session *s);
uint32_t vb_session_page(const vb_session *s, size_t i);

/* A session of whole pages (also none) goes on with a full page of the pool, which gains a user, as
 * if it had computed the 256 tokens. They are the caller's word: it has compared them, and
 * all that precede them. */
void vb_session_adopt(vb_session *s, uint32_t page);

/* Uses `page` instead of its own full page i, which loses a user. Both hold the same tokens after
 * the same tokens, and so the same bits. */
void vb_session_exchange(vb_session *s, size_t i, uint32_t page);

#endif
