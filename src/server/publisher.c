#include "server/publisher.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/system.h"
#include "server/log.h"
#include "server/witness.h"
#include "tlog/entry.h"
#include "tlog/reader.h"
#include "tlog/writer.h"

enum {
    BATCH_MAX = 1 << 14, /* entries of one checkpoint */
    FIRST_PAUSE_S = 1,   /* after a failure */
    LONGEST_PAUSE_S = 60
};
#define NS_PER_S 1000000000u

/* What a witness has said, until the publisher's thread takes it. */
typedef struct letter {
    vb_buf line;
    uint64_t size;
} letter;

struct vb_publisher {
    vb_publisher_options o;
    vb_tlog_key key;
    vb_config_witness who[VB_SERVER_WITNESSES_MAX];
    pthread_t thread;
    bool started;
    vb_witness *witnesses[VB_SERVER_WITNESSES_MAX];
    size_t n_witnesses;

    /* The thread's own. */
    vb_tlog_writer *writer; /* NULL: it has to be opened again */
    uint64_t old_end;       /* entries below are of records that nothing was promised of */
    uint64_t issued_ms[BATCH_MAX];
    size_t n_issued; /* of the commitments that were taken and are not public */
    uint64_t checkpoint_ns, retry_ns;
    unsigned failed; /* in a row */
    bool said_late;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    bool grew, ending;
    vb_buf note;
    letter letters[VB_SERVER_WITNESSES_MAX];
    vb_publisher_stats stats;

    pthread_mutex_t reader_lock;
    vb_tlog_reader *reader; /* of proofs; NULL: not opened yet */
};

/* From other threads. */

static void on_growth(void *user) {
    vb_publisher *p = user;
    pthread_mutex_lock(&p->lock);
    p->grew = true;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

static void on_cosigned(void *user, size_t which, uint64_t size, const void *line, size_t n_bytes) {
    vb_publisher *p = user;
    letter *l = &p->letters[which];
    pthread_mutex_lock(&p->lock);
    l->line.len = 0;
    /* Without memory the checkpoint goes without this cosignature. */
    if (vb_buf_append(&l->line, line, n_bytes) == VB_OK) {
        l->size = size;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
}

/* Opening, and opening again. */

static vb_err open_writer(vb_publisher *p, vb_error *e) {
    const vb_tlog_writer_options options = {
        .origin = p->o.origin, .publish_within_s = p->o.within_s, .settle_within_s = p->o.settle_s};
    p->n_issued = 0;
    return vb_tlog_writer_open(p->o.folder, p->o.key, &options, &p->writer, e);
}

/* The log's last entry is the one that the store gave this number. */
static vb_err check_entry(vb_publisher *p, uint64_t number, const uint8_t *bytes, size_t n_bytes,
                          vb_error *e) {
    vb_tlog_entry its;
    vb_store_entry own = {.committed_entry = VB_STORE_NO_ENTRY, .settled_entry = VB_STORE_NO_ENTRY};
    bool absent = false;
    vb_err err = vb_tlog_entry_decode(bytes, n_bytes, &its, e);
    if (err) {
        return err;
    }
    err = vb_store_by_sequence(p->o.store, NULL, its.sequence, &own, NULL, &absent, e);
    if (err && !absent) {
        return err;
    }
    const uint64_t place = its.kind == VB_TLOG_COMMITMENT ? own.committed_entry : own.settled_entry;
    return !absent && place == number &&
                   memcmp(its.commitment, own.commitment, sizeof its.commitment) == 0
               ? VB_OK
               : vb_fail(e, VB_EMISMATCH,
                         "its last entry, of commitment %" PRIu64
                         ", is not the store's: expected the log and the store of one server",
                         its.sequence);
}

static vb_err check_last(vb_publisher *p, uint64_t size, vb_error *e) {
    const vb_buf *note = vb_tlog_writer_note(p->writer);
    const uint8_t *bytes;
    size_t n;
    vb_tlog_reader *r = NULL;
    vb_err err = vb_tlog_reader_open_folder(p->o.folder, &p->key, &r, e);
    if (!err && !(err = vb_tlog_reader_use(r, note->data, note->len, e)) &&
        !(err = vb_tlog_reader_entry(r, size - 1, &bytes, &n, e))) {
        err = check_entry(p, size - 1, bytes, n, e);
    }
    vb_tlog_reader_close(r);
    return err ? vb_fail_in(e, err, "%s", p->o.folder) : VB_OK;
}

/* The journal goes on where the log ends. */
static vb_err check_journal(vb_publisher *p, const vb_store_journal *j, vb_error *e) {
    const uint64_t size = vb_tlog_writer_size(p->writer);
    if (size < j->first) {
        return vb_fail(e, VB_EMISMATCH,
                       "%s has %" PRIu64 " entries, but %" PRIu64
                       " were public: an old copy of the log? Bring the newer one back, or use "
                       "another key",
                       p->o.folder, size, j->first);
    }
    if (size > j->end) {
        return vb_fail(e, VB_EMISMATCH,
                       "%s has %" PRIu64 " entries, but the store has made %" PRIu64
                       ": an old copy of the store? Bring the newer one back, or use another key",
                       p->o.folder, size, j->end);
    }
    return size ? check_last(p, size, e) : VB_OK;
}

/* Publishing, on the thread. */

static vb_err take_one(void *user, uint64_t number, const uint8_t *entry, size_t n_bytes,
                       vb_error *e) {
    vb_publisher *p = user;
    vb_tlog_entry decoded;
    vb_err err = vb_tlog_writer_append(p->writer, entry, n_bytes, e);
    if (!err && number >= p->old_end &&
        !(err = vb_tlog_entry_decode(entry, n_bytes, &decoded, e)) &&
        decoded.kind == VB_TLOG_COMMITMENT) {
        p->issued_ms[p->n_issued++] = decoded.issued_at_ms;
    }
    return err ? vb_fail_in(e, err, "entry %" PRIu64, number) : VB_OK;
}

/* What the journal has beyond the log, at most BATCH_MAX of it. */
static vb_err take(vb_publisher *p, vb_error *e) {
    const uint64_t size = vb_tlog_writer_size(p->writer);
    const uint64_t pending = vb_tlog_writer_pending(p->writer);
    vb_err err = vb_store_journal_read(p->o.store, size + pending, (size_t)(BATCH_MAX - pending),
                                       take_one, p, e);
    pthread_mutex_lock(&p->lock);
    if (!p->stats.unpublished_since_ms && p->n_issued) {
        p->stats.unpublished_since_ms = p->issued_ms[0];
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

/* The note up to its first signature, the log's. */
static size_t own_length(const vb_buf *note) {
    const char *text = (const char *)note->data;
    const char *blank = strstr(text, "\n\n"), *end = blank ? strchr(blank + 2, '\n') : NULL;
    VB_ASSERT(end);
    return (size_t)(end - text) + 1;
}

/* Copies the writer's note for those who ask. */
static vb_err show_note(vb_publisher *p, vb_error *e) {
    const vb_buf *note = vb_tlog_writer_note(p->writer);
    vb_buf copy = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_err err = vb_buf_append(&copy, note->data, note->len);
    if (err) {
        return vb_fail(e, err, "no memory for a checkpoint");
    }
    pthread_mutex_lock(&p->lock);
    vb_buf_free(&p->note);
    p->note = copy;
    p->stats.size = vb_tlog_writer_size(p->writer);
    pthread_mutex_unlock(&p->lock);
    return VB_OK;
}

static void offer(vb_publisher *p) {
    const vb_buf *note = vb_tlog_writer_note(p->writer);
    const vb_buf own = {.data = note->data, .len = own_length(note)};
    for (size_t i = 0; i < p->n_witnesses; i++) {
        vb_witness_offer(p->witnesses[i], &own, vb_tlog_writer_size(p->writer));
    }
}

static bool is_late(const vb_publisher *p, uint64_t issued_ms, uint64_t now_ms) {
    return now_ms > issued_ms && now_ms - issued_ms > (uint64_t)p->o.within_s * 1000;
}

/* What was taken is public. */
static void count_checkpoint(vb_publisher *p) {
    const uint64_t now_ms = vb_unix_ms();
    uint64_t late = 0;
    for (size_t i = 0; i < p->n_issued; i++) {
        late += is_late(p, p->issued_ms[i], now_ms);
    }
    p->n_issued = 0;
    p->said_late = false;
    pthread_mutex_lock(&p->lock);
    p->stats.checkpoints++;
    p->stats.late += late;
    p->stats.unpublished_since_ms = 0;
    pthread_mutex_unlock(&p->lock);
    if (late) {
        vb_log(VB_LOG_ERROR, "publish",
               "%" PRIu64 " commitments are public later than the promised %" PRIu32 " s", late,
               p->o.within_s);
    }
}

/* What is public leaves the journal, now or after the next checkpoint. */
static void drop_public(vb_publisher *p) {
    vb_error e;
    if (vb_store_journal_drop(p->o.store, vb_tlog_writer_size(p->writer), &e)) {
        vb_log(VB_LOG_WARNING, "publish", "entries stay in the journal for now: %s", e.msg);
        pthread_mutex_lock(&p->lock);
        p->stats.failures++;
        pthread_mutex_unlock(&p->lock);
    }
}

/* One checkpoint over what was taken. */
static vb_err publish(vb_publisher *p, vb_error *e) {
    vb_err err = vb_tlog_writer_publish(p->writer, e);
    if (err || (err = show_note(p, e))) {
        return err;
    }
    p->checkpoint_ns = vb_clock_ns();
    count_checkpoint(p);
    offer(p);
    drop_public(p);
    return VB_OK;
}

/* After a failure, of which the last checkpoint may have come to the disk all the same. */
static vb_err open_again(vb_publisher *p, vb_error *e) {
    vb_err err = open_writer(p, e);
    if (err || (err = show_note(p, e))) {
        return err;
    }
    pthread_mutex_lock(&p->lock);
    p->stats.unpublished_since_ms = 0;
    p->grew = true;
    pthread_mutex_unlock(&p->lock);
    offer(p);
    drop_public(p);
    return VB_OK;
}

/* Adds a witness's line to the checkpoint that it cosigns, unless that is not the newest any more
 * or has it from before a restart. */
static vb_err add_line(vb_publisher *p, const letter *l, const vb_tlog_key *who, vb_error *e) {
    const vb_buf *note = vb_tlog_writer_note(p->writer);
    vb_tlog_checkpoint c;
    vb_tlog_cosignature cosigned[1];
    size_t n = 0;
    vb_err err = vb_tlog_note_read(note->data, note->len, &p->key, who, 1, &c, cosigned, &n, e);
    if (err || n || c.size != l->size) {
        return err;
    }
    return vb_tlog_writer_add_cosignatures(p->writer, l->line.data, l->line.len, who, 1, e);
}

static vb_err take_letters(vb_publisher *p, vb_error *e) {
    vb_err err = VB_OK;
    bool added = false;
    for (size_t i = 0; !err && i < p->n_witnesses; i++) {
        letter l;
        pthread_mutex_lock(&p->lock);
        l = p->letters[i];
        p->letters[i].line = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
        pthread_mutex_unlock(&p->lock);
        if (l.line.len) {
            err = add_line(p, &l, &p->who[i].key, e);
            added = true;
        }
        vb_buf_free(&l.line);
    }
    return err || !added ? err : show_note(p, e);
}

/* The folder is read again before it is written again: what of it came to the disk is not known. */
static void note_failure(vb_publisher *p, const vb_error *e) {
    const uint64_t pause_s = (uint64_t)FIRST_PAUSE_S << (p->failed < 16 ? p->failed : 16);
    const uint64_t now_ms = vb_unix_ms();
    vb_tlog_writer_close(p->writer);
    p->writer = NULL;
    p->failed++;
    p->retry_ns = vb_clock_ns() +
                  NS_PER_S * (pause_s < LONGEST_PAUSE_S ? pause_s : (uint64_t)LONGEST_PAUSE_S);
    pthread_mutex_lock(&p->lock);
    p->stats.failures++;
    const uint64_t since_ms = p->stats.unpublished_since_ms;
    pthread_mutex_unlock(&p->lock);
    vb_log(VB_LOG_ERROR, "publish", "the log could not be written, and is tried again: %s", e->msg);
    if (since_ms && is_late(p, since_ms, now_ms) && !p->said_late) {
        p->said_late = true;
        vb_log(VB_LOG_ERROR, "publish",
               "commitments are not public after the promised %" PRIu32 " s", p->o.within_s);
    }
}

/* All that is due. */
static vb_err work(vb_publisher *p, bool ending, vb_error *e) {
    vb_err err = p->writer ? VB_OK : open_again(p, e);
    if (err || (err = take_letters(p, e))) {
        return err;
    }
    bool more = ending || vb_clock_ns() >= p->checkpoint_ns + NS_PER_S * p->o.publish_s;
    while (!err && more) {
        pthread_mutex_lock(&p->lock);
        p->grew = false;
        pthread_mutex_unlock(&p->lock);
        if ((err = take(p, e)) || !vb_tlog_writer_pending(p->writer)) {
            break;
        }
        more = vb_tlog_writer_pending(p->writer) == BATCH_MAX;
        err = publish(p, e);
    }
    return err;
}

/* With the lock. When there is something to do: at once, at a time, or when it is said. */
static uint64_t next_ns(const vb_publisher *p) {
    const uint64_t due_ns = p->checkpoint_ns + NS_PER_S * p->o.publish_s;
    if (p->failed) {
        return p->retry_ns;
    }
    for (size_t i = 0; i < p->n_witnesses; i++) {
        if (p->letters[i].line.len) {
            return 0;
        }
    }
    return p->grew ? due_ns : UINT64_MAX;
}

/* True: it is the end. */
static bool wait_for_work(vb_publisher *p) {
    uint64_t ns;
    pthread_mutex_lock(&p->lock);
    while (!p->ending && (ns = next_ns(p)) > vb_clock_ns()) {
        if (ns == UINT64_MAX) {
            pthread_cond_wait(&p->work, &p->lock);
        } else {
            const struct timespec until = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
            pthread_cond_timedwait(&p->work, &p->lock, &until);
        }
    }
    const bool ending = p->ending;
    pthread_mutex_unlock(&p->lock);
    return ending;
}

static void *run(void *user) {
    vb_publisher *p = user;
    bool ending;
    do {
        vb_error e = {VB_OK, ""};
        ending = wait_for_work(p);
        if (work(p, ending, &e)) {
            note_failure(p, &e);
        } else {
            if (p->failed) {
                vb_log(VB_LOG_INFO, "publish", "the log is written again");
            }
            p->failed = 0;
        }
    } while (!ending);
    return NULL;
}

static vb_err open_witnesses(vb_publisher *p, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < p->o.n_witnesses; i++) {
        const vb_witness_options options = {.who = p->who[i],
                                            .folder = p->o.folder,
                                            .log = &p->key,
                                            .cosigned = on_cosigned,
                                            .user = p,
                                            .which = i};
        p->letters[i].line = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
        err = vb_witness_open(&options, &p->witnesses[i], e);
        p->n_witnesses += !err;
    }
    return err;
}

static vb_err open_log(vb_publisher *p, vb_error *e) {
    vb_store_journal j;
    vb_err err;
    if ((err = open_writer(p, e)) || (err = vb_store_journal_get(p->o.store, &j, e))) {
        return err;
    }
    VB_ASSERT(j.on);
    p->key = *vb_tlog_writer_key(p->writer);
    p->old_end = vb_tlog_writer_size(p->writer) ? 0 : j.end;
    if ((err = check_journal(p, &j, e)) || (err = show_note(p, e))) {
        return err;
    }
    vb_log(VB_LOG_INFO, "publish", "the log %s has %" PRIu64 " entries, %" PRIu64 " are to come",
           p->key.name, vb_tlog_writer_size(p->writer), j.end - vb_tlog_writer_size(p->writer));
    /* What does not continue the log is found before anybody is answered. */
    return take(p, e);
}

static vb_err start(vb_publisher *p, vb_error *e) {
    vb_err err = open_witnesses(p, e);
    if (err) {
        return err;
    }
    if (vb_tlog_writer_size(p->writer)) {
        offer(p);
    }
    p->grew = true;
    const int bad = pthread_create(&p->thread, NULL, run, p);
    if (bad) {
        return vb_fail(e, VB_ENOMEM, "cannot start a thread: %s", strerror(bad));
    }
    p->started = true;
    vb_store_journal_on_growth(p->o.store, on_growth, p);
    return VB_OK;
}

vb_err vb_publisher_open(const vb_publisher_options *o, vb_publisher **out, vb_error *e) {
    VB_ASSERT(o->n_witnesses <= VB_SERVER_WITNESSES_MAX);
    vb_publisher *p = calloc(1, sizeof *p);
    if (!p) {
        return vb_fail(e, VB_ENOMEM, "no memory for a log");
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->reader_lock, NULL);
    pthread_cond_init(&p->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->o = *o;
    for (size_t i = 0; i < o->n_witnesses; i++) {
        p->who[i] = o->witnesses[i];
    }
    vb_err err = open_log(p, e);
    if (err || (err = start(p, e))) {
        vb_publisher_close(p);
        return vb_fail_in(e, err, "log");
    }
    *out = p;
    return VB_OK;
}

void vb_publisher_close(vb_publisher *p) {
    if (!p) {
        return;
    }
    if (p->started) {
        vb_store_journal_on_growth(p->o.store, NULL, NULL);
        pthread_mutex_lock(&p->lock);
        p->ending = true;
        pthread_cond_signal(&p->work);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    for (size_t i = 0; i < p->n_witnesses; i++) {
        vb_witness_close(p->witnesses[i]);
        vb_buf_free(&p->letters[i].line);
    }
    vb_tlog_writer_close(p->writer);
    vb_tlog_reader_close(p->reader);
    vb_buf_free(&p->note);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->reader_lock);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* What is asked of it. */

const vb_tlog_key *vb_publisher_key(const vb_publisher *p) {
    return &p->key;
}

vb_err vb_publisher_note(vb_publisher *p, vb_buf *out, vb_error *e) {
    pthread_mutex_lock(&p->lock);
    const vb_err err = vb_buf_append(out, p->note.data, p->note.len);
    pthread_mutex_unlock(&p->lock);
    return err ? vb_fail(e, err, "no memory for a checkpoint") : VB_OK;
}

uint64_t vb_publisher_size(vb_publisher *p) {
    pthread_mutex_lock(&p->lock);
    const uint64_t size = p->stats.size;
    pthread_mutex_unlock(&p->lock);
    return size;
}

/* With the lock of the reader. */
static vb_err prove(vb_publisher *p, uint64_t index, vb_tlog_proof *proof, vb_error *e) {
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_err err = vb_publisher_note(p, &note, e);
    if (!err && !p->reader) {
        err = vb_tlog_reader_open_folder(p->o.folder, &p->key, &p->reader, e);
    }
    if (!err && !(err = vb_tlog_reader_use(p->reader, note.data, note.len, e))) {
        err = vb_tlog_reader_prove(p->reader, index, proof, e);
    }
    vb_buf_free(&note);
    return err;
}

vb_err vb_publisher_prove(vb_publisher *p, uint64_t index, vb_buf *out, vb_error *e) {
    vb_tlog_proof proof;
    pthread_mutex_lock(&p->reader_lock);
    vb_err err = prove(p, index, &proof, e);
    pthread_mutex_unlock(&p->reader_lock);
    if (!err) {
        err = vb_tlog_proof_encode(&proof, out, e);
        vb_tlog_proof_free(&proof);
    }
    return err;
}

void vb_publisher_get_stats(vb_publisher *p, vb_publisher_stats *out) {
    pthread_mutex_lock(&p->lock);
    *out = p->stats;
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n_witnesses; i++) {
        vb_witness_stats w;
        vb_witness_get_stats(p->witnesses[i], &w);
        out->cosigned += w.cosigned;
        out->witness_failures += w.failed;
        out->witnesses_behind += w.size < out->size;
    }
}
