/*
 * Pre-tokenisers: the regular expressions that models publish in their tokenizer files, run by
 * PCRE2. Several patterns form a pipeline: each cuts every piece that the one before left, and
 * both its matches and the gaps between them go on; a look-ahead sees the end of its piece.
 *
 * \s is written out as Unicode's White_Space (what the published tokenizers' engine means):
 * PCRE2's own \s has U+180E too. \p{L}, \p{N}, \p{P} follow the Unicode version of the PCRE2
 * library, so characters newer than it may be cut differently: this touches text to ids only.
 *
 * nfc: Qwen2's published tokenizer, and that of the models distilled into it, normalise text
 * to NFC between special tokens; so do we. Engines that skip it give other ids for text that
 * is not NFC; what a receipt verifies are ids, so this too touches text to ids only.
 */
#include <stdio.h>
#include <string.h>

#include "tokenizer/internal.h"

#define WS                                                                                         \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"             \
    "\\x{202f}\\x{205f}\\x{3000}"
#define SPACE "[" WS "]"
#define NOT_SPACE "[^" WS "]"

/* Published as \s+$; written so that a long run which is not the last is tried once only. */
#define LAST_SPACES "(?<!" SPACE ")" SPACE "++\\z"

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define GPT2                                                                                       \
    CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^" WS "\\p{L}\\p{N}]+|" SPACE "+(?!" NOT_SPACE ")"
/* The family of tiktoken's cl100k pattern; digits is how many a word may hold. */
#define CL100K(digits)                                                                             \
    "(?i:" CONTRACTIONS ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^" WS                       \
    "\\p{L}\\p{N}]+[\\r\\n]*|" SPACE "*[\\r\\n]+|" SPACE "+(?!" NOT_SPACE ")|" SPACE "+"

#define QWEN2_PATTERN CL100K("\\p{N}")
#define LLAMA3_PATTERN CL100K("\\p{N}{1,3}")
#define CJK "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
/* Cased letters as one release of Unicode had them, which the published pattern lists. */
#define DEEPSEEK_LETTERS                                                                           \
    "[A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}"                \
    "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}"         \
    "\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}"                  \
    "\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}"                       \
    "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}"                 \
    "\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}"                 \
    "\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}"        \
    "\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}"         \
    "\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}"                 \
    "\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}"                  \
    "\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}"                   \
    "\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}"        \
    "\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}"         \
    "\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}"                  \
    "\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}"                 \
    "\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}"               \
    "\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}"         \
    "\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}]+"

static const vb_pretok_def pretoks[] = {
    {.name = "qwen2", .stages = {QWEN2_PATTERN}, .nfc = true},
    {.name = "deepseek-r1-qwen", .stages = {QWEN2_PATTERN}, .nfc = true},
    {.name = "llama-bpe", .stages = {LLAMA3_PATTERN}, .ignore_merges = true, .add_bos = true},
    {.name = "llama3", .stages = {LLAMA3_PATTERN}, .ignore_merges = true, .add_bos = true},
    {.name = "llama-v3", .stages = {LLAMA3_PATTERN}, .ignore_merges = true, .add_bos = true},
    {.name = "gpt-2", .stages = {GPT2}},
    {.name = "smollm", .stages = {"\\p{N}", GPT2}},
    {.name = "deepseek-llm",
     .stages =
         {"[\\r\\n]", SPACE "?" DEEPSEEK_LETTERS,
          SPACE
          "?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+",
          LAST_SPACES, CJK, "\\p{N}+"}},
    {.name = "deepseek-coder",
     .stages = {"[\\r\\n]", SPACE "?\\p{L}+", SPACE "?\\p{P}+", CJK, "\\p{N}"}},
    {.name = "default",
     .stages = {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
};

const vb_pretok_def *vb_pretok_find(vb_str name) {
    for (size_t i = 0; i < sizeof pretoks / sizeof *pretoks; i++) {
        if (strlen(pretoks[i].name) == name.len && memcmp(pretoks[i].name, name.p, name.len) == 0) {
            return &pretoks[i];
        }
    }
    return NULL;
}

void vb_pretok_names(char *out, size_t max) {
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof pretoks / sizeof *pretoks && used < max; i++) {
        int n = snprintf(out + used, max - used, "%s%s", i ? ", " : "", pretoks[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
}

vb_err vb_pretok_compile(vb_tokenizer *t, vb_error *e) {
    for (size_t i = 0; i < VB_PRETOK_STAGES_MAX && t->pre->stages[i]; i++) {
        int code;
        PCRE2_SIZE where;
        t->stages[i] =
            pcre2_compile((PCRE2_SPTR)t->pre->stages[i], PCRE2_ZERO_TERMINATED,
                          PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &code, &where, NULL);
        if (!t->stages[i]) {
            return vb_fail(e, VB_EINTERNAL, "pre-tokeniser %s, pattern %zu: PCRE2 error %d at %zu",
                           t->pre->name, i, code, (size_t)where);
        }
        t->n_stages = i + 1;
        /* Without a just-in-time compiler for this processor PCRE2 interprets: same matches. */
        (void)pcre2_jit_compile(t->stages[i], PCRE2_JIT_COMPLETE);
    }
    return VB_OK;
}

static vb_err prepare_matching(vb_encoder *x) {
    x->match = pcre2_match_data_create(1, NULL);
    x->match_context = pcre2_match_context_create(NULL);
    if (!x->match || !x->match_context) {
        return vb_fail(x->e, VB_ENOMEM, "no memory for matching patterns");
    }
    /* The patterns above backtrack over one run of characters at most. */
    pcre2_set_match_limit(x->match_context, 4 * VB_TEXT_BYTES_MAX);
    pcre2_set_depth_limit(x->match_context, 1000);
    x->jit_stack = pcre2_jit_stack_create(32 * 1024, 1024 * 1024, NULL);
    if (x->jit_stack) {
        pcre2_jit_stack_assign(x->match_context, NULL, x->jit_stack);
    }
    return VB_OK;
}

static vb_err split(vb_encoder *x, size_t stage, const char *text, size_t len, vb_word_fn *fn) {
    if (stage == x->t->n_stages) {
        return len ? fn(x, text, len) : VB_OK;
    }
    size_t done = 0;
    vb_err err = VB_OK;
    while (done < len && !err) {
        int rc = pcre2_match(x->t->stages[stage], (PCRE2_SPTR)text, len, done,
                             PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, x->match, x->match_context);
        if (rc == PCRE2_ERROR_NOMATCH) {
            break;
        }
        if (rc < 0) {
            return vb_fail(x->e, VB_ELIMIT,
                           "pre-tokeniser %s gave up at byte %zu of a text of %zu: PCRE2 error %d",
                           x->t->pre->name, done, len, rc);
        }
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(x->match);
        size_t begin = span[0], end = span[1]; /* deeper stages reuse the match data */
        err = begin > done ? split(x, stage + 1, text + done, begin - done, fn) : VB_OK;
        if (!err) {
            err = split(x, stage + 1, text + begin, end - begin, fn);
        }
        done = end;
    }
    if (!err && done < len) {
        err = split(x, stage + 1, text + done, len - done, fn);
    }
    return err;
}

vb_err vb_pretok_split(vb_encoder *x, const char *text, size_t len, vb_word_fn *fn) {
    if (!x->match) {
        vb_err err = prepare_matching(x);
        if (err) {
            return err;
        }
    }
    return split(x, 0, text, len, fn);
}
