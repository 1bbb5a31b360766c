/*
 * The numbers of a model, from a Hugging Face config.json. Whatever would change the arithmetic
 * and is not generated here is refused by name, so that a file never pretends to be a model that
 * it is not.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "synth.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

/* A JSON object being read; the first error stays. */
typedef struct reader {
    const json_t *object;
    const char *path;
    const char *within; /* "" or "rope_scaling." */
    vb_err err;
    vb_error *e;
} reader;

static void refuse(reader *r, const char *key, const char *expected) {
    if (!r->err) {
        r->err =
            vb_fail(r->e, VB_EFORMAT, "%s: %s%s: expected %s", r->path, r->within, key, expected);
    }
}

/* Absent and null are the same in these files. */
static const json_t *member(const reader *r, const char *key) {
    const json_t *v = json_object_get(r->object, key);
    return json_is_null(v) ? NULL : v;
}

static uint64_t read_count(reader *r, const char *key, bool required, uint64_t absent) {
    const json_t *v = member(r, key);
    if (!v && !required) {
        return absent;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 1) {
        refuse(r, key, "a whole number above 0");
        return 0;
    }
    return (uint64_t)json_integer_value(v);
}

static double read_real(reader *r, const char *key, bool required, double absent) {
    const json_t *v = member(r, key);
    if (!v && !required) {
        return absent;
    }
    if (!json_is_number(v)) {
        refuse(r, key, "a number");
        return absent;
    }
    return json_number_value(v);
}

static bool read_flag(reader *r, const char *key) {
    const json_t *v = member(r, key);
    if (v && !json_is_boolean(v)) {
        refuse(r, key, "true or false");
    }
    return json_is_true(v);
}

static void refuse_flag(reader *r, const char *key) {
    if (read_flag(r, key) && !r->err) {
        r->err = vb_fail(r->e, VB_EUNSUPPORTED, "%s: %s is true: not generated", r->path, key);
    }
}

static void read_arch(reader *r, synth_shape *s) {
    const json_t *list = member(r, "architectures");
    const char *name = json_string_value(json_array_get(list, 0));
    if (!name) {
        refuse(r, "architectures", "a list with one name");
    } else if (strcmp(name, "Qwen2ForCausalLM") == 0) {
        snprintf(s->arch, sizeof s->arch, "qwen2");
    } else if (strcmp(name, "LlamaForCausalLM") == 0) {
        snprintf(s->arch, sizeof s->arch, "llama");
    } else if (!r->err) {
        r->err = vb_fail(r->e, VB_EUNSUPPORTED,
                         "%s: architecture %s is not generated (Qwen2ForCausalLM and "
                         "LlamaForCausalLM are)",
                         r->path, name);
    }
}

static void read_scaling(reader *parent, synth_shape *s) {
    const json_t *object = member(parent, "rope_scaling");
    if (!object) {
        return;
    }
    reader r = {object, parent->path, "rope_scaling.", parent->err, parent->e};
    const json_t *type = member(&r, "rope_type");
    const char *name = json_string_value(type ? type : member(&r, "type"));
    if (!name) {
        refuse(&r, "rope_type", "a name");
    } else if (strcmp(name, "default") == 0) {
        s->scaling = SYNTH_ROPE_NONE;
    } else if (strcmp(name, "linear") == 0) {
        s->scaling = SYNTH_ROPE_LINEAR;
    } else if (strcmp(name, "yarn") == 0) {
        s->scaling = SYNTH_ROPE_YARN;
    } else if (strcmp(name, "llama3") == 0) {
        s->scaling = SYNTH_ROPE_LLAMA3;
    } else if (!r.err) {
        r.err = vb_fail(r.e, VB_EUNSUPPORTED, "%s: rope_scaling of type %s is not generated",
                        r.path, name);
    }
    if (s->scaling != SYNTH_ROPE_NONE) {
        s->rope_factor = read_real(&r, "factor", true, 0);
        bool needs_ctx = s->scaling != SYNTH_ROPE_LINEAR;
        s->rope_ctx_orig = read_count(&r, "original_max_position_embeddings", needs_ctx, 0);
    }
    if (s->scaling == SYNTH_ROPE_LLAMA3) {
        s->rope_low_freq_factor = read_real(&r, "low_freq_factor", true, 0);
        s->rope_high_freq_factor = read_real(&r, "high_freq_factor", true, 0);
    }
    parent->err = r.err;
}

/* "…/Qwen2.5-7B.config.json" is named Qwen2.5-7B; ".../Qwen2.5-7B/config.json" too. */
static void name_from_path(const char *path, char *out, size_t max) {
    size_t end = strlen(path);
    static const char *const endings[] = {"config.json", ".json"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(endings[i]);
        if (end >= n && memcmp(path + end - n, endings[i], n) == 0) {
            end -= n;
            break;
        }
    }
    while (end && strchr("./_-", path[end - 1])) {
        end--;
    }
    size_t start = end;
    while (start && path[start - 1] != '/') {
        start--;
    }
    size_t n = end - start < max - 1 ? end - start : max - 1;
    memcpy(out, path + start, n);
    out[n] = 0;
}

static void read_numbers(reader *r, synth_shape *s) {
    s->n_embd = read_count(r, "hidden_size", true, 0);
    s->n_layers = read_count(r, "num_hidden_layers", true, 0);
    s->n_heads = read_count(r, "num_attention_heads", true, 0);
    s->n_kv_heads = read_count(r, "num_key_value_heads", false, s->n_heads);
    s->head_dim = read_count(r, "head_dim", false, 0);
    s->n_ff = read_count(r, "intermediate_size", true, 0);
    s->n_vocab = read_count(r, "vocab_size", true, 0);
    s->n_ctx = read_count(r, "max_position_embeddings", true, 0);
    s->rms_eps = read_real(r, "rms_norm_eps", true, 0);
    s->rope_base = read_real(r, "rope_theta", false, 10000);
    s->tied = read_flag(r, "tie_word_embeddings");
    refuse_flag(r, "attention_bias");
    refuse_flag(r, "mlp_bias");
    refuse_flag(r, "use_sliding_window");
    const char *act = json_string_value(member(r, "hidden_act"));
    if (act && strcmp(act, "silu") != 0 && !r->err) {
        r->err = vb_fail(r->e, VB_EUNSUPPORTED, "%s: hidden_act %s is not generated (silu is)",
                         r->path, act);
    }
}

vb_err synth_shape_read(const char *path, synth_shape *out, vb_error *e) {
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return vb_fail(e, VB_EIO, "%s: there is no such file", path);
    }
    if (st.st_size > CONFIG_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%s: larger than %d bytes: not a model's config.json", path,
                       CONFIG_BYTES_MAX);
    }
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        return vb_fail(e, VB_EFORMAT, "%s:%d:%d: %s", path, why.line, why.column, why.text);
    }
    synth_shape s = {0};
    reader r = {root, path, "", VB_OK, e};
    read_arch(&r, &s);
    if (!r.err) {
        read_numbers(&r, &s);
        read_scaling(&r, &s);
    }
    if (!r.err && s.scaling == SYNTH_ROPE_LLAMA3 && strcmp(s.arch, "llama") != 0) {
        r.err = vb_fail(e, VB_EUNSUPPORTED, "%s: rope_scaling of type llama3 in architecture %s",
                        path, s.arch);
    }
    name_from_path(path, s.name, sizeof s.name);
    json_decref(root);
    if (!r.err) {
        *out = s;
    }
    return r.err;
}

static vb_err check_range(const char *what, uint64_t v, uint64_t min, uint64_t max, vb_error *e) {
    if (v >= min && v <= max) {
        return VB_OK;
    }
    if (v == 0) {
        return vb_fail(e, VB_EINVAL, "%s is not given", what);
    }
    return vb_fail(e, VB_EINVAL, "%s is %" PRIu64 ", expected %" PRIu64 " to %" PRIu64, what, v,
                   min, max);
}

vb_err synth_shape_check(synth_shape *s, vb_error *e) {
    const struct {
        const char *what;
        uint64_t v, min, max;
    } ranges[] = {
        {"n-embd", s->n_embd, 1, VB_MODEL_WIDTH_MAX},
        {"n-layers", s->n_layers, 1, VB_MODEL_LAYERS_MAX},
        {"n-heads", s->n_heads, 1, VB_MODEL_HEADS_MAX},
        {"n-kv-heads", s->n_kv_heads, 1, VB_MODEL_HEADS_MAX},
        {"n-ff", s->n_ff, 1, VB_MODEL_WIDTH_MAX},
        {"n-vocab", s->n_vocab, 259, VB_MODEL_VOCAB_MAX}, /* 256 bytes and 3 control tokens */
        {"ctx", s->n_ctx, 1, VB_MODEL_CTX_TOKENS_MAX},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        vb_err err = check_range(ranges[i].what, ranges[i].v, ranges[i].min, ranges[i].max, e);
        if (err) {
            return err;
        }
    }
    if (strcmp(s->arch, "llama") != 0 && strcmp(s->arch, "qwen2") != 0) {
        return vb_fail(e, VB_EINVAL, "arch '%s' is not generated (llama and qwen2 are)", s->arch);
    }
    if (s->n_heads % s->n_kv_heads) {
        return vb_fail(e, VB_EINVAL, "n-heads %" PRIu64 " is not a multiple of n-kv-heads %" PRIu64,
                       s->n_heads, s->n_kv_heads);
    }
    if (!s->head_dim && s->n_embd % s->n_heads) {
        return vb_fail(e, VB_EINVAL,
                       "n-embd %" PRIu64 " is not a multiple of n-heads %" PRIu64
                       ": head-dim is needed",
                       s->n_embd, s->n_heads);
    }
    s->head_dim = s->head_dim ? s->head_dim : s->n_embd / s->n_heads;
    if (s->head_dim % 2 || s->head_dim > VB_MODEL_HEAD_DIM_MAX) {
        return vb_fail(e, VB_EINVAL, "head-dim is %" PRIu64 ", expected an even number up to %u",
                       s->head_dim, VB_MODEL_HEAD_DIM_MAX);
    }
    if (!(s->rope_base >= 1.5 && s->rope_base <= 1e12)) {
        return vb_fail(e, VB_EINVAL, "rope-base is %g, expected 1.5 to 1e12", s->rope_base);
    }
    if (!(s->rms_eps > 0 && s->rms_eps < 1)) {
        return vb_fail(e, VB_EINVAL, "rms_norm_eps is %g, expected more than 0, less than 1",
                       s->rms_eps);
    }
    if (s->scaling != SYNTH_ROPE_NONE && !(s->rope_factor >= 1 && s->rope_factor <= 1e6)) {
        return vb_fail(e, VB_EINVAL, "rope_scaling.factor is %g, expected 1 to 1e6",
                       s->rope_factor);
    }
    if (s->scaling == SYNTH_ROPE_LLAMA3 &&
        !(s->rope_low_freq_factor > 0 && s->rope_low_freq_factor < s->rope_high_freq_factor &&
          s->rope_high_freq_factor <= 1e6)) {
        return vb_fail(e, VB_EINVAL,
                       "rope_scaling.low_freq_factor %g and high_freq_factor %g: "
                       "expected 0 < low < high",
                       s->rope_low_freq_factor, s->rope_high_freq_factor);
    }
    return VB_OK;
}
