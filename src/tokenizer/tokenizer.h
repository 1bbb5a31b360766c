/*
 * Tokenizers, loaded purely from GGUF metadata: byte-level BPE ("gpt2" with
 * tokenizer.ggml.pre naming the pre-tokeniser) and SentencePiece ("llama").
 *
 * Owner: open/close. A tokenizer keeps copies of what it needs: the vb_gguf may be closed
 * before it. Thread rule: immutable after opening; any number of threads may use it.
 */
#ifndef VB_TOKENIZER_TOKENIZER_H
#define VB_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "gguf/gguf.h"

typedef struct vb_tokenizer vb_tokenizer;

typedef enum vb_token_kind {
    VB_TOKEN_NORMAL = 1,
    VB_TOKEN_UNKNOWN = 2,
    VB_TOKEN_CONTROL = 3,      /* special: never printed, matched only when parse_special */
    VB_TOKEN_USER_DEFINED = 4, /* always matched as a whole, printed */
    VB_TOKEN_UNUSED = 5,
    VB_TOKEN_BYTE = 6
} vb_token_kind;

enum { VB_TOKEN_NONE = -1 };

/* VB_EFORMAT and VB_ELIMIT name the metadata key and item. Markers of known chat formats
 * (<|im_start|>, <|eot_id|>, ...) are control tokens whatever the file says of them. */
VB_MUST_CHECK vb_err vb_tokenizer_open(const vb_gguf *g, vb_tokenizer **out, vb_error *e);
void vb_tokenizer_close(vb_tokenizer *t);

uint32_t vb_tokenizer_size(const vb_tokenizer *t);         /* tokens in the vocabulary */
const char *vb_tokenizer_kind_name(const vb_tokenizer *t); /* "bpe/qwen2", "spm" */
int32_t vb_tokenizer_bos(const vb_tokenizer *t);           /* VB_TOKEN_NONE when there is none */
int32_t vb_tokenizer_eos(const vb_tokenizer *t);
bool vb_tokenizer_add_bos(const vb_tokenizer *t); /* what the model asks for */
bool vb_tokenizer_add_eos(const vb_tokenizer *t);

/* True for every token that ends a generation: eos, eot and eom from the metadata, and the
 * well-known end markers of chat formats when they are control tokens (<|im_end|>,
 * <|eot_id|>, <|end_of_text|>, <|endoftext|>, <｜end▁of▁sentence｜>, ...). */
bool vb_tokenizer_is_eog(const vb_tokenizer *t, uint32_t id);

vb_token_kind vb_tokenizer_token_kind(const vb_tokenizer *t, uint32_t id);

/* The vocabulary entry as stored (byte-level BPE: in GPT-2's byte alphabet); id < size. */
vb_str vb_tokenizer_token_text(const vb_tokenizer *t, uint32_t id);

/* The token whose stored text is exactly this; VB_TOKEN_NONE when there is none. */
int32_t vb_tokenizer_find(const vb_tokenizer *t, const char *text, size_t len);

/* Text to ids. add_special: BOS/EOS as the model's metadata asks. parse_special: the texts of
 * control tokens inside the input become those tokens; when false they are ordinary text
 * (a user's words can then never forge a role marker). Input that is not UTF-8 is handled
 * byte by byte, never refused. Text is normalised to NFC where the published tokenizer does
 * so (qwen2, deepseek-r1-qwen). Bytes that the vocabulary has no token for are its unknown
 * token, or left out where it has none. Text beyond VB_TEXT_BYTES_MAX is VB_ELIMIT.
 * *ids is malloc'd for the caller (NULL when *n is 0). */
VB_MUST_CHECK vb_err vb_tokenizer_encode(const vb_tokenizer *t, const char *text, size_t len,
                                         bool add_special, bool parse_special, uint32_t **ids,
                                         size_t *n, vb_error *e);

/* Appends the bytes that ids stand for to out. Control tokens print nothing unless
 * print_special. strip_leading_space: SentencePiece's artificial first space is dropped.
 * VB_EINVAL for an id outside the vocabulary. */
VB_MUST_CHECK vb_err vb_tokenizer_decode(const vb_tokenizer *t, const uint32_t *ids, size_t n,
                                         bool print_special, bool strip_leading_space, vb_buf *out,
                                         vb_error *e);

/* Streaming decode: gives bytes as tokens come, but never half of a UTF-8 character.
 * Caller's memory; vb_stream_init before use, nothing to free. */
typedef struct vb_stream {
    uint8_t pending[8]; /* an unfinished character */
    size_t n_pending;   /* bytes */
    bool at_start;
    bool print_special;
} vb_stream;

void vb_stream_init(vb_stream *s, bool strip_leading_space, bool print_special);

/* Appends the complete characters that are now known. Bytes that can not become UTF-8 are
 * given as U+FFFD, one for each maximal ill-formed part (Unicode's practice). */
VB_MUST_CHECK vb_err vb_stream_push(vb_stream *s, const vb_tokenizer *t, uint32_t id, vb_buf *out,
                                    vb_error *e);

/* The end: an unfinished character is given as U+FFFD. */
VB_MUST_CHECK vb_err vb_stream_finish(vb_stream *s, vb_buf *out, vb_error *e);

#endif
