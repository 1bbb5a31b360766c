/*
 * A note is taken apart in place: its text is three lines, each line after the blank one is a
 * signature. Nothing is believed before all of it has been read: a line of a known key that does
 * not verify makes the note worthless, wherever it stands.
 */
#include "tlog/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "receipt/base64.h"
#include "tokenizer/utf8.h"

enum {
    ROOT_CHARS = 44,
    KEY_BYTES = 1 + VB_ED25519_PUBLIC_BYTES, /* of a verifier key: type and key */
    KEY_CHARS = 44,
    ID_BYTES = 4,
    TIME_BYTES = 8,
    SIGNATURE_BYTES_MAX = ID_BYTES + TIME_BYTES + VB_ED25519_SIGNATURE_BYTES, /* that we make */
    /* Origin, size, root. */
    TEXT_BYTES_MAX = VB_TLOG_ORIGIN_BYTES_MAX + 1 + 13 + 1 + ROOT_CHARS + 1,
    HEADER_BYTES_MAX = 64, /* of what a witness signs, before the text */
    LINE_BYTES_MAX = 4 + VB_TLOG_ORIGIN_BYTES_MAX + 1 + (SIGNATURE_BYTES_MAX + 2) / 3 * 4 + 1
};

#define DASH "\xe2\x80\x94 " /* U+2014 and a space, which begin a signature line */
#define TIME_MAX (UINT64_MAX >> 1)

typedef struct span {
    const char *p;
    size_t n;
} span;

/* Names and keys */

/* As signed-note wants the name of a key; text is UTF-8. */
static bool is_key_name(span name) {
    size_t len;
    for (size_t i = 0; i < name.n; i += len) {
        uint32_t c = vb_utf8_decode(name.p + i, &len);
        if (c < 0x20 || c == '+' || vb_utf8_is_space(c)) {
            return false;
        }
    }
    return name.n > 0;
}

static uint32_t key_id(span name, vb_tlog_signer type, const uint8_t *public_key) {
    const uint8_t between[2] = {'\n', (uint8_t)type};
    uint8_t digest[VB_SHA256_BYTES];
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, name.p, name.n);
    vb_sha256_update(&s, between, sizeof between);
    vb_sha256_update(&s, public_key, VB_ED25519_PUBLIC_BYTES);
    vb_sha256_end(&s, digest);
    return (uint32_t)(vb_load_u64be(digest) >> 32);
}

static vb_err make_key(span name, vb_tlog_signer type, const uint8_t *public_key, vb_tlog_key *out,
                       vb_error *e) {
    VB_ASSERT(type == VB_TLOG_SIGNER_LOG || type == VB_TLOG_SIGNER_WITNESS);
    if (name.n < 1 || name.n > VB_TLOG_ORIGIN_BYTES_MAX) {
        return vb_fail(e, VB_EINVAL, "the name of a log or witness has 1 .. %d bytes, found %zu",
                       VB_TLOG_ORIGIN_BYTES_MAX, name.n);
    }
    if (vb_utf8_valid_bytes(name.p, name.n) != name.n || memchr(name.p, 0x7f, name.n) ||
        !is_key_name(name)) {
        return vb_fail(e, VB_EINVAL,
                       "the name of a log or witness is UTF-8 without spaces, control characters "
                       "and '+': found %.*s",
                       (int)name.n, name.p);
    }
    *out = (vb_tlog_key){.type = type, .id = key_id(name, type, public_key)};
    memcpy(out->name, name.p, name.n);
    memcpy(out->public_key, public_key, sizeof out->public_key);
    return VB_OK;
}

vb_err vb_tlog_key_make(const char *name, vb_tlog_signer type,
                        const uint8_t public_key[VB_ED25519_PUBLIC_BYTES], vb_tlog_key *out,
                        vb_error *e) {
    return make_key((span){name, strlen(name)}, type, public_key, out, e);
}

vb_err vb_tlog_key_parse(const char *text, vb_tlog_key *out, vb_error *e) {
    const char *id = strchr(text, '+');
    const char *key = id ? strchr(id + 1, '+') : NULL;
    uint8_t bytes[KEY_BYTES], want[ID_BYTES], found[ID_BYTES];
    char id_text[2 * ID_BYTES + 1];
    size_t n_bytes = 0;
    if (!key || key - id != 1 + 2 * ID_BYTES || strlen(key + 1) != KEY_CHARS) {
        return vb_fail(e, VB_EFORMAT,
                       "a verifier key is <name>+<8 hex digits>+<%d characters of base64>",
                       KEY_CHARS);
    }
    memcpy(id_text, id + 1, sizeof id_text - 1);
    id_text[sizeof id_text - 1] = 0;
    if (!vb_hex_decode(id_text, found, sizeof found)) {
        return vb_fail(e, VB_EFORMAT, "a verifier key's id: expected 8 lower-case hex digits");
    }
    if (!vb_base64_decode(key + 1, KEY_CHARS, bytes, &n_bytes) || n_bytes != sizeof bytes) {
        return vb_fail(e, VB_EFORMAT,
                       "a verifier key: expected a type and 32 bytes in canonical base64");
    }
    if (bytes[0] != VB_TLOG_SIGNER_LOG && bytes[0] != VB_TLOG_SIGNER_WITNESS) {
        return vb_fail(e, VB_EUNSUPPORTED,
                       "a verifier key of type 0x%02x: this build knows 0x01 and 0x04", bytes[0]);
    }
    vb_tlog_key made;
    vb_err err =
        make_key((span){text, (size_t)(id - text)}, (vb_tlog_signer)bytes[0], bytes + 1, &made, e);
    if (err) {
        return err == VB_EINVAL ? vb_fail_in(e, VB_EFORMAT, "a verifier key") : err;
    }
    vb_store_u32be(want, made.id);
    if (memcmp(want, found, sizeof want) != 0) {
        return vb_fail(e, VB_EFORMAT, "a verifier key: the id of this name and key is %08" PRIx32,
                       made.id);
    }
    *out = made;
    return VB_OK;
}

void vb_tlog_key_print(const vb_tlog_key *key, char out[VB_TLOG_VKEY_BYTES_MAX + 1]) {
    uint8_t bytes[KEY_BYTES];
    char text[KEY_CHARS + 1];
    bytes[0] = (uint8_t)key->type;
    memcpy(bytes + 1, key->public_key, sizeof key->public_key);
    vb_base64_encode(bytes, sizeof bytes, text);
    snprintf(out, VB_TLOG_VKEY_BYTES_MAX + 1, "%s+%08" PRIx32 "+%s", key->name, key->id, text);
}

bool vb_tlog_key_equal(const vb_tlog_key *a, const vb_tlog_key *b) {
    return a->type == b->type && strcmp(a->name, b->name) == 0 &&
           memcmp(a->public_key, b->public_key, sizeof a->public_key) == 0;
}

/* Writing */

/* The note's text; out holds TEXT_BYTES_MAX + 1 bytes. */
static vb_err write_text(const vb_tlog_checkpoint *c, char *out, vb_error *e) {
    char root[ROOT_CHARS + 1];
    if (c->size > VB_TLOG_SIZE_MAX) {
        return vb_fail(e, VB_ELIMIT, "a log has at most 2^%d entries", VB_TLOG_SIZE_BITS_MAX);
    }
    vb_base64_encode(c->root.bytes, sizeof c->root.bytes, root);
    snprintf(out, TEXT_BYTES_MAX + 1, "%s\n%" PRIu64 "\n%s\n", c->origin, c->size, root);
    return VB_OK;
}

/* What a witness signs; out holds HEADER_BYTES_MAX + TEXT_BYTES_MAX + 1 bytes. */
static size_t cosigned_message(span text, uint64_t time_s, char *out) {
    int n = snprintf(out, HEADER_BYTES_MAX, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    memcpy(out + n, text.p, text.n);
    return (size_t)n + text.n;
}

/* A line of the payload, which stands behind the key's id; out holds LINE_BYTES_MAX + 1 bytes. */
static void write_line(const vb_tlog_key *key, const uint8_t *payload, size_t n_payload,
                       char *out) {
    uint8_t bytes[SIGNATURE_BYTES_MAX];
    char text[(SIGNATURE_BYTES_MAX + 2) / 3 * 4 + 1];
    vb_store_u32be(bytes, key->id);
    memcpy(bytes + ID_BYTES, payload, n_payload);
    vb_base64_encode(bytes, ID_BYTES + n_payload, text);
    snprintf(out, LINE_BYTES_MAX + 1, DASH "%s %s\n", key->name, text);
}

static vb_err append(vb_buf *out, const char *text, vb_error *e) {
    vb_err err = vb_buf_append(out, text, strlen(text));
    return err ? vb_fail(e, err, "a note of %zu bytes more does not fit its buffer", strlen(text))
               : VB_OK;
}

vb_err vb_tlog_checkpoint_sign(const vb_tlog_checkpoint *c, const vb_ed25519_key *key, vb_buf *out,
                               vb_error *e) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES], signature[VB_ED25519_SIGNATURE_BYTES];
    char note[TEXT_BYTES_MAX + 1 + LINE_BYTES_MAX + 1];
    vb_tlog_key log;
    vb_ed25519_public(key, public_key);
    vb_err err = vb_tlog_key_make(c->origin, VB_TLOG_SIGNER_LOG, public_key, &log, e);
    if (!err) {
        err = write_text(c, note, e);
    }
    size_t n_text = err ? 0 : strlen(note);
    if (!err) {
        err = vb_ed25519_sign(key, note, n_text, signature, e);
    }
    if (err) {
        return err;
    }
    note[n_text] = '\n';
    write_line(&log, signature, sizeof signature, note + n_text + 1);
    return append(out, note, e);
}

vb_err vb_tlog_cosign(const vb_tlog_checkpoint *c, const char *name, const vb_ed25519_key *key,
                      uint64_t time_s, vb_buf *out, vb_error *e) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES], payload[TIME_BYTES + VB_ED25519_SIGNATURE_BYTES];
    char text[TEXT_BYTES_MAX + 1], message[HEADER_BYTES_MAX + TEXT_BYTES_MAX + 1];
    char line[LINE_BYTES_MAX + 1];
    vb_tlog_key witness;
    if (time_s > TIME_MAX) {
        return vb_fail(e, VB_EINVAL, "the time of a cosignature is below 2^63 seconds");
    }
    vb_ed25519_public(key, public_key);
    vb_err err = vb_tlog_key_make(name, VB_TLOG_SIGNER_WITNESS, public_key, &witness, e);
    if (!err) {
        err = write_text(c, text, e);
    }
    if (!err) {
        size_t n = cosigned_message((span){text, strlen(text)}, time_s, message);
        vb_store_u64be(payload, time_s);
        err = vb_ed25519_sign(key, message, n, payload + TIME_BYTES, e);
    }
    if (err) {
        return err;
    }
    write_line(&witness, payload, sizeof payload, line);
    return append(out, line, e);
}

/* Reading */

/* The line that begins at *rest, without its line feed; *rest then begins behind it. False when no
 * line feed is left. */
static bool take_line(span *rest, span *line) {
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end) {
        return false;
    }
    *line = (span){rest->p, (size_t)(end - rest->p)};
    *rest = (span){end + 1, rest->n - line->n - 1};
    return true;
}

/* Splits a note at its last empty line; both parts end with a line feed. */
static vb_err split(span note, span *text, span *signatures, vb_error *e) {
    if (note.n > VB_TLOG_NOTE_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a note of %zu bytes; at most %d are read", note.n,
                       VB_TLOG_NOTE_BYTES_MAX);
    }
    if (note.n == 0 || note.p[note.n - 1] != '\n') {
        return vb_fail(e, VB_EFORMAT, "a note ends with a line feed");
    }
    size_t at = vb_utf8_valid_bytes(note.p, note.n);
    if (at != note.n) {
        return vb_fail(e, VB_EFORMAT, "a note is UTF-8: byte %zu is not", at);
    }
    size_t blank = 0; /* where the last "\n\n" begins */
    for (size_t i = 0; i < note.n; i++) {
        if ((unsigned char)note.p[i] < 0x20 && note.p[i] != '\n') {
            return vb_fail(e, VB_EFORMAT, "a note has no control characters: byte %zu is one", i);
        }
        if (i > 0 && note.p[i] == '\n' && note.p[i - 1] == '\n') {
            blank = i;
        }
    }
    if (blank == 0 || blank + 1 == note.n) {
        return vb_fail(e, VB_EFORMAT, "a note has a blank line before its signatures");
    }
    *text = (span){note.p, blank};
    *signatures = (span){note.p + blank + 1, note.n - blank - 1};
    return VB_OK;
}

/* Three lines and no other: origin, size, root. */
static vb_err read_text(span text, const vb_tlog_key *log, vb_tlog_checkpoint *out, vb_error *e) {
    span origin, size, root;
    uint8_t bytes[ROOT_CHARS / 4 * 3];
    size_t n_bytes = 0;
    if (!take_line(&text, &origin) || !take_line(&text, &size) || !take_line(&text, &root)) {
        return vb_fail(e, VB_EFORMAT, "a checkpoint has three lines: origin, size and root");
    }
    if (text.n) {
        return vb_fail(e, VB_EFORMAT, "a checkpoint of a log has no extension lines");
    }
    if (!vb_decimal_decode(size.p, size.n, &out->size) || out->size > VB_TLOG_SIZE_MAX) {
        return vb_fail(e, VB_EFORMAT,
                       "a checkpoint's size: expected a decimal number up to 2^%d, no leading zero",
                       VB_TLOG_SIZE_BITS_MAX);
    }
    if (root.n != ROOT_CHARS || !vb_base64_decode(root.p, root.n, bytes, &n_bytes) ||
        n_bytes != sizeof out->root.bytes) {
        return vb_fail(e, VB_EFORMAT, "a checkpoint's root: expected %zu bytes in canonical base64",
                       sizeof out->root.bytes);
    }
    memcpy(out->root.bytes, bytes, sizeof out->root.bytes);
    if (origin.n != strlen(log->name) || memcmp(origin.p, log->name, origin.n) != 0) {
        return vb_fail(e, VB_EMISMATCH, "a checkpoint of another log: expected the origin %.80s",
                       log->name);
    }
    memcpy(out->origin, log->name, sizeof out->origin);
    return VB_OK;
}

/* One signature line. */
typedef struct signature_line {
    span name;
    uint32_t id;
    uint8_t payload[TIME_BYTES + VB_ED25519_SIGNATURE_BYTES];
    size_t n_payload; /* of the line; what of it is beyond payload's room is of no key of ours */
} signature_line;

/* Of base64 that may be as long as a note: all is checked, the first n_out bytes are kept. *n is
 * what it stands for. */
static bool decode_start(span text, uint8_t *out, size_t n_out, size_t *n) {
    enum { CHARS = 1024 };
    uint8_t part[CHARS / 4 * 3];
    *n = 0;
    for (size_t at = 0; at < text.n; at += CHARS) {
        size_t n_chars = text.n - at < CHARS ? text.n - at : CHARS, n_part = 0;
        bool last = at + n_chars == text.n;
        if (!vb_base64_decode(text.p + at, n_chars, part, &n_part) ||
            (!last && n_part != sizeof part)) { /* padding before the end */
            return false;
        }
        if (*n < n_out) {
            memcpy(out + *n, part, n_part < n_out - *n ? n_part : n_out - *n);
        }
        *n += n_part;
    }
    return true;
}

static bool parse_line(span line, signature_line *out) {
    const size_t n_dash = sizeof DASH - 1;
    uint8_t bytes[SIGNATURE_BYTES_MAX];
    size_t n = 0;
    if (line.n < n_dash || memcmp(line.p, DASH, n_dash) != 0) {
        return false;
    }
    span rest = {line.p + n_dash, line.n - n_dash};
    const char *space = rest.n ? memchr(rest.p, ' ', rest.n) : NULL;
    if (!space) {
        return false;
    }
    out->name = (span){rest.p, (size_t)(space - rest.p)};
    span text = {space + 1, rest.n - out->name.n - 1};
    if (!is_key_name(out->name) || !decode_start(text, bytes, sizeof bytes, &n) || n <= ID_BYTES) {
        return false;
    }
    out->id = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
              (uint32_t)bytes[3];
    out->n_payload = n - ID_BYTES;
    memcpy(out->payload, bytes + ID_BYTES,
           out->n_payload < sizeof out->payload ? out->n_payload : sizeof out->payload);
    return true;
}

static bool is_of(const signature_line *line, const vb_tlog_key *key) {
    return line->id == key->id && line->name.n == strlen(key->name) &&
           memcmp(line->name.p, key->name, line->name.n) == 0;
}

/* VB_EMISMATCH: the line, which is key's, does not verify. *time_s is a witness's. */
static vb_err verify_line(const signature_line *line, const vb_tlog_key *key, span text,
                          uint64_t *time_s, vb_error *e) {
    char message[HEADER_BYTES_MAX + TEXT_BYTES_MAX + 1];
    bool witness = key->type == VB_TLOG_SIGNER_WITNESS;
    size_t n_time = witness ? TIME_BYTES : 0;
    if (line->n_payload != n_time + VB_ED25519_SIGNATURE_BYTES) {
        return vb_fail(e, VB_EMISMATCH, "the signature of %.80s has %zu bytes, not %zu", key->name,
                       line->n_payload, n_time + VB_ED25519_SIGNATURE_BYTES);
    }
    *time_s = witness ? vb_load_u64be(line->payload) : 0;
    if (*time_s > TIME_MAX) {
        return vb_fail(e, VB_EMISMATCH, "the cosignature of %.80s has a time beyond 2^63 seconds",
                       key->name);
    }
    size_t n_message = witness ? cosigned_message(text, *time_s, message) : text.n;
    vb_err err =
        vb_ed25519_verify(key->public_key, sizeof key->public_key, witness ? message : text.p,
                          n_message, line->payload + n_time, VB_ED25519_SIGNATURE_BYTES, e);
    if (err == VB_EFORMAT) { /* lengths are fixed here: the key is not one, and signs nothing */
        err = VB_EMISMATCH;
    }
    return err ? vb_fail_in(e, err, "the signature of %.80s", key->name) : VB_OK;
}

/* Whose signatures a note has, as they are found. */
typedef struct signers {
    const vb_tlog_key *log, *witnesses;
    size_t n_witnesses, n_lines, n_log;
    vb_tlog_cosignature *cosigned;
    size_t n_cosigned;
} signers;

static void count_cosignature(signers *s, const vb_tlog_key *witness, uint64_t time_s) {
    size_t i = 0;
    while (i < s->n_cosigned && s->cosigned[i].key != witness) {
        i++;
    }
    if (i == s->n_cosigned) {
        s->cosigned[s->n_cosigned++] = (vb_tlog_cosignature){witness, time_s};
    } else if (time_s > s->cosigned[i].time_s) {
        s->cosigned[i].time_s = time_s;
    }
}

static vb_err read_line(signers *s, span line, span text, vb_error *e) {
    signature_line found = {.n_payload = 0};
    uint64_t time_s;
    if (++s->n_lines > VB_TLOG_SIGNATURES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a note of more than %d signatures", VB_TLOG_SIGNATURES_MAX);
    }
    if (!parse_line(line, &found)) {
        return vb_fail(e, VB_EFORMAT,
                       "signature line %zu: expected U+2014, a name, and an id and a signature in "
                       "canonical base64",
                       s->n_lines);
    }
    if (is_of(&found, s->log)) {
        s->n_log++;
        return verify_line(&found, s->log, text, &time_s, e);
    }
    for (size_t i = 0; i < s->n_witnesses; i++) {
        if (is_of(&found, &s->witnesses[i])) {
            vb_err err = verify_line(&found, &s->witnesses[i], text, &time_s, e);
            if (!err) {
                count_cosignature(s, &s->witnesses[i], time_s);
            }
            return err;
        }
    }
    return VB_OK;
}

static vb_err check_types(const signers *s, vb_error *e) {
    if (s->log->type != VB_TLOG_SIGNER_LOG) {
        return vb_fail(e, VB_EINVAL, "%.80s: a witness's key where a log's was expected",
                       s->log->name);
    }
    for (size_t i = 0; i < s->n_witnesses; i++) {
        if (s->witnesses[i].type != VB_TLOG_SIGNER_WITNESS) {
            return vb_fail(e, VB_EINVAL, "%.80s: a log's key where a witness's was expected",
                           s->witnesses[i].name);
        }
    }
    return VB_OK;
}

vb_err vb_tlog_note_read(const void *note, size_t n_bytes, const vb_tlog_key *log,
                         const vb_tlog_key *witnesses, size_t n_witnesses, vb_tlog_checkpoint *out,
                         vb_tlog_cosignature *cosigned, size_t *n_cosigned, vb_error *e) {
    span text = {NULL, 0}, signatures = {NULL, 0}, line;
    vb_tlog_checkpoint c;
    signers s = {
        .log = log, .witnesses = witnesses, .n_witnesses = n_witnesses, .cosigned = cosigned};
    vb_err err = check_types(&s, e);
    if (!err) {
        err = split((span){note, n_bytes}, &text, &signatures, e);
    }
    if (!err) {
        err = read_text(text, log, &c, e);
    }
    while (!err && take_line(&signatures, &line)) {
        err = read_line(&s, line, text, e);
    }
    if (err) {
        return err;
    }
    if (s.n_log != 1) {
        return vb_fail(e, VB_EMISMATCH, "%zu signatures of the log %.80s, expected one", s.n_log,
                       log->name);
    }
    *out = c;
    if (n_cosigned) {
        *n_cosigned = s.n_cosigned;
    }
    return VB_OK;
}
