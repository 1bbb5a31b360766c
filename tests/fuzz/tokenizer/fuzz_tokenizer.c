/*
 * Hostile vocabularies and hostile text. The first byte chooses a vocabulary: the input's own
 * GGUF bytes, one built from the input's pieces, or a small complete one; the rest is text.
 * Whatever opens must encode anything into ids of its vocabulary, decode them, and stream them
 * into the same characters; the complete vocabularies must give the text back.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "tokenizer/internal.h"
#include "tokenizer/utf8.h"
#include "unit/tokenizer/small_vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OWN_FILE, OWN_PIECES, SMALL_BPE, SMALL_SPM, N_KINDS, PIECES_MAX = 300 };

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static const char *const pres[] = {"gpt-2",   "qwen2",           "llama-bpe",
                                   "smollm",  "deepseek-llm",    "deepseek-coder",
                                   "default", "deepseek-r1-qwen"};
enum { N_PRES = sizeof pres / sizeof *pres };

/* The small vocabularies are opened once. */
static vb_tokenizer *small(size_t which) {
    static vb_tokenizer *all[N_PRES + 1];
    static const char *const merges[] = {"a b", "\xc4\xa0 a", "\xc3\x83 \xc2\xa9", "ab ab", "1 2"};
    static const small_piece pieces[] = {{"\xe2\x96\x81", VB_TOKEN_NORMAL, -1},
                                         {"a", VB_TOKEN_NORMAL, -1},
                                         {"b", VB_TOKEN_NORMAL, -1},
                                         {"ab", VB_TOKEN_NORMAL, 3},
                                         {"\xe2\x96\x81\x61", VB_TOKEN_NORMAL, 2},
                                         {"\xc3\xa9", VB_TOKEN_NORMAL, 2}};
    if (!all[which]) {
        vb_error e;
        vb_buf file =
            which < N_PRES ? small_bpe(pres[which], merges, 5) : small_spm(true, pieces, 6);
        require(small_open(&file, &all[which], &e) == VB_OK);
    }
    return all[which];
}

/* Takes the next run of bytes up to a 0x00 byte. */
static vb_str next_piece(const uint8_t **p, size_t *left) {
    const uint8_t *end = *left ? memchr(*p, 0, *left) : NULL;
    vb_str s = {(const char *)*p, end ? (size_t)(end - *p) : *left};
    size_t used = s.len + (end != NULL);
    *p += used;
    *left -= used;
    return s;
}

static void add_pieces(vocab_builder *x, const char *key, const vb_str *pieces, size_t n) {
    vbb_array(x, key, VB_GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) {
        vbb_string(&x->kvs, pieces[i].p, pieces[i].len);
    }
}

/* Two bytes of counts and flags, then pieces ended by 0x00: tokens (a first byte of 0..6 is
 * the kind), then merges. */
static vb_tokenizer *from_pieces(const uint8_t **p, size_t *left) {
    vb_str tokens[PIECES_MAX], merges[PIECES_MAX];
    uint8_t kinds[PIECES_MAX];
    vb_error e;
    vb_tokenizer *t = NULL;
    if (*left < 3) {
        return NULL;
    }
    size_t n = (*p)[0], n_merges = (*p)[1];
    uint8_t flags = (*p)[2];
    *p += 3;
    *left -= 3;
    for (size_t i = 0; i < n; i++) {
        tokens[i] = next_piece(p, left);
        bool typed = tokens[i].len && (uint8_t)tokens[i].p[0] <= 6;
        kinds[i] = typed ? (uint8_t)tokens[i].p[0] : VB_TOKEN_NORMAL;
        tokens[i].p += typed;
        tokens[i].len -= typed;
    }
    for (size_t i = 0; i < n_merges; i++) {
        merges[i] = next_piece(p, left);
    }
    vocab_builder x = vbb_make();
    vbb_add_str(&x, "tokenizer.ggml.model", flags & 1 ? "gpt2" : "llama");
    vbb_add_str(&x, "tokenizer.ggml.pre", pres[(flags >> 1) % N_PRES]);
    add_pieces(&x, "tokenizer.ggml.tokens", tokens, n);
    vbb_array(&x, "tokenizer.ggml.token_type", VB_GGUF_U8, n);
    vbb_check(vb_buf_append(&x.kvs, kinds, n));
    add_pieces(&x, "tokenizer.ggml.merges", merges, n_merges);
    if (flags & 16) {
        vbb_array(&x, "tokenizer.ggml.scores", VB_GGUF_F32, n);
        for (size_t i = 0; i < n; i++) {
            vbb_u32(&x.kvs, (uint32_t)(tokens[i].len * 0x01230000u) ^ 0x40000000u);
        }
    }
    vbb_add_u32(&x, "tokenizer.ggml.unknown_token_id", flags & 32 ? 0 : UINT32_MAX);
    vb_buf file = vbb_finish(&x);
    return small_open(&file, &t, &e) == VB_OK ? t : NULL;
}

static vb_tokenizer *from_file(const uint8_t **p, size_t *left) {
    vb_error e;
    vb_gguf *g;
    vb_tokenizer *t = NULL;
    if (*left < 2) {
        return NULL;
    }
    size_t n = (size_t)((*p)[0] | (*p)[1] << 8);
    n = n < *left - 2 ? n : *left - 2;
    /* an exact copy, so that reading past the file's end is seen */
    uint8_t *copy = malloc(n ? n : 1);
    require(copy != NULL);
    memcpy(copy, *p + 2, n);
    if (vb_gguf_open_bytes(copy, n, "fuzz.gguf", &g, &e) == VB_OK) {
        if (vb_tokenizer_open(g, &t, &e) != VB_OK) {
            t = NULL;
        }
        vb_gguf_close(g);
    }
    free(copy);
    *p += n + 2;
    *left -= n + 2;
    return t;
}

/* One well-formed character by the book: decode what the lead byte asks for, then check that
 * its shortest form is what was read. */
static bool is_character(const uint8_t *p, size_t n) {
    static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000};
    if (n == 1) {
        return p[0] < 0x80;
    }
    uint32_t lead_bits = n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0;
    uint32_t lead_mask = n == 2 ? 0xe0 : n == 3 ? 0xf0 : 0xf8;
    if ((p[0] & lead_mask) != lead_bits) {
        return false;
    }
    uint32_t cp = p[0] & ~lead_mask & 0xff;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return false;
        }
        cp = cp << 6 | (p[i] & 0x3f);
    }
    return cp >= first[n] && cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff);
}

/* Whether some continuation makes p[0, n) a character. */
static bool begins_character(const uint8_t *p, size_t n) {
    for (size_t whole = n + 1; whole <= 4; whole++) {
        for (int low = 0x80; low <= 0xbf; low++) {
            uint8_t c[4] = {0, 0x80, 0x80, 0x80};
            memcpy(c, p, n);
            c[n] = (uint8_t)low;
            if (is_character(c, whole)) {
                return true;
            }
        }
    }
    return false;
}

/* Unicode's practice, written from the definition: U+FFFD for each maximal ill-formed part. */
static void sanitise(const vb_buf *in, vb_buf *out) {
    for (size_t i = 0; i < in->len;) {
        size_t left = in->len - i, n = 0;
        for (size_t k = 1; k <= 4 && k <= left && !n; k++) {
            n = is_character(in->data + i, k) ? k : 0;
        }
        if (n) {
            vbb_check(vb_buf_append(out, in->data + i, n));
        } else {
            n = 1;
            while (n < left && n < 3 && begins_character(in->data + i, n + 1)) {
                n++;
            }
            vbb_check(vb_buf_append(out, "\xef\xbf\xbd", 3));
        }
        i += n;
    }
}

static void check_stream(const vb_tokenizer *t, const uint32_t *ids, size_t n, const vb_buf *whole,
                         bool print_special) {
    vb_error e;
    vb_stream s;
    vb_buf out = vb_buf_make(1u << 26), want = vb_buf_make(1u << 26);
    vb_stream_init(&s, true, print_special);
    for (size_t i = 0; i < n; i++) {
        require(vb_stream_push(&s, t, ids[i], &out, &e) == VB_OK);
        require(vb_utf8_valid_bytes((const char *)out.data, out.len) == out.len);
    }
    require(vb_stream_finish(&s, &out, &e) == VB_OK);
    sanitise(whole, &want);
    require(out.len == want.len && (!out.len || memcmp(out.data, want.data, out.len) == 0));
    vb_buf_free(&out);
    vb_buf_free(&want);
}

static void check_text(const vb_tokenizer *t, const char *text, size_t len, bool parse_special,
                       bool complete) {
    vb_error e;
    uint32_t *ids;
    size_t n;
    vb_buf back = vb_buf_make(1u << 26);
    require(vb_tokenizer_encode(t, text, len, parse_special, parse_special, &ids, &n, &e) == VB_OK);
    for (size_t i = 0; i < n; i++) {
        require(ids[i] < vb_tokenizer_size(t));
        bool control = vb_tokenizer_token_kind(t, ids[i]) == VB_TOKEN_CONTROL;
        require(parse_special || !control || ids[i] == (uint32_t)t->unk);
        require(parse_special || !control || !vb_tokenizer_is_eog(t, ids[i]));
    }
    require(vb_tokenizer_decode(t, ids, n, parse_special, true, &back, &e) == VB_OK);
    check_stream(t, ids, n, &back, parse_special);
    if (complete && !parse_special && !t->pre) {
        require(back.len == len && (!len || memcmp(back.data, text, len) == 0));
    }
    if (complete && !parse_special && t->pre) {
        uint32_t *again;
        size_t n_again;
        if (!t->pre->nfc) {
            require(back.len == len && (!len || memcmp(back.data, text, len) == 0));
        }
        require(vb_tokenizer_encode(t, (const char *)back.data, back.len, false, false, &again,
                                    &n_again, &e) == VB_OK);
        require(n == n_again && (!n || memcmp(ids, again, n * sizeof *ids) == 0));
        free(again);
    }
    free(ids);
    vb_buf_free(&back);
}

/* The library's own, slower normalisation must agree. */
static void check_nfc(const char *text, size_t len) {
    vb_error e;
    uint8_t *want = NULL;
    vb_buf got = vb_buf_make(1u << 26);
    size_t valid = vb_utf8_valid_bytes(text, len);
    require(vb_nfc(text, valid, &got, &e) == VB_OK);
    utf8proc_ssize_t n = utf8proc_map((const uint8_t *)text, (utf8proc_ssize_t)valid, &want,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    require(n >= 0 && (size_t)n == got.len && (!n || memcmp(got.data, want, got.len) == 0));
    free(want);
    vb_buf_free(&got);
}

/* SentencePiece's escape is not lossless for text that has U+2581 itself, nor where the
 * artificial space comes again after a user-defined token; the small one has none of those. */
static bool is_lossless(const vb_tokenizer *t, const char *text, size_t len) {
    return t->pre || !len || !memmem(text, len, "\xe2\x96\x81", 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 8192) {
        return 0;
    }
    const uint8_t *p = data + 2;
    size_t left = size - 2;
    uint8_t kind = data[0] % N_KINDS;
    vb_tokenizer *own = kind == OWN_FILE     ? from_file(&p, &left)
                        : kind == OWN_PIECES ? from_pieces(&p, &left)
                                             : NULL;
    const vb_tokenizer *t = kind == SMALL_BPE   ? small(data[1] % N_PRES)
                            : kind == SMALL_SPM ? small(N_PRES)
                                                : own;
    const char *text = (const char *)p;
    if (t) {
        bool complete = !own && is_lossless(t, text, left);
        check_text(t, text, left, false, complete);
        check_text(t, text, left, true, complete);
    }
    check_nfc(text, left);
    vb_tokenizer_close(own);
    return 0;
}
