/*
 * Records with one thing changed, for tests that a strict reader refuses each of them.
 */
#ifndef VB_TESTS_UNIT_RECEIPT_CHANGE_H
#define VB_TESTS_UNIT_RECEIPT_CHANGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "support/testing.h"
#include "json/jcs.h"

/* The value at a path like "request.stop" or "outputs.0"; "" is the document. */
static inline json_t *walk(json_t *doc, const char *path) {
    json_t *at = doc;
    while (*path) {
        size_t n = strcspn(path, ".");
        char part[64];
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(part, NULL, 10))
                               : json_object_get(at, part);
        assert_non_null(at);
        path += n + (path[n] == '.');
    }
    return at;
}

/* Sets the member at a path like "request.stop.tokens" to JSON text; NULL: removes it. */
static inline void set_path(json_t *doc, const char *path, const char *text) {
    char parent[128] = "";
    const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : path;
    if (dot) {
        snprintf(parent, sizeof parent, "%.*s", (int)(dot - path), path);
    }
    json_t *at = walk(doc, parent);
    if (!text) {
        assert_int_equal(json_object_del(at, name), 0);
        return;
    }
    json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(v);
    assert_int_equal(json_object_set_new(at, name, v), 0);
}

static inline json_t *document(const vb_buf *b) {
    json_t *doc = json_loadb((const char *)b->data, b->len, JSON_ALLOW_NUL, NULL);
    assert_non_null(doc);
    return doc;
}

static inline vb_buf canonical(const json_t *doc) {
    vb_buf b = vb_buf_make(1u << 28);
    assert_int_equal(vb_jcs_append(doc, &b, NULL), VB_OK);
    return b;
}

/* The record with the change of set_path. */
static inline vb_buf with_path(const vb_buf *b, const char *path, const char *text) {
    json_t *doc = document(b);
    set_path(doc, path, text);
    vb_buf changed = canonical(doc);
    json_decref(doc);
    return changed;
}

/* Calls visit for the whole document with each member of each object missing, with a member more in
 * each object, and with each member and item replaced by a value of every other type. what names
 * the change. Returns how many there were. */
typedef void visit_change(const vb_buf *changed, const char *what, void *user);

typedef struct changes {
    json_t *doc;
    visit_change *visit;
    void *user;
    size_t n;
} changes;

static inline void visit_now(changes *c, const char *path, const char *name, const char *change) {
    char what[512];
    vb_buf b = canonical(c->doc);
    snprintf(what, sizeof what, "%s%s%s %s", path, path[0] ? "." : "", name, change);
    c->visit(&b, what, c->user);
    c->n++;
    vb_buf_free(&b);
}

static inline bool same_type(const json_t *a, const json_t *b) {
    return json_typeof(a) == json_typeof(b) || (json_is_number(a) && json_is_number(b)) ||
           (json_is_boolean(a) && json_is_boolean(b));
}

static inline void change_value(changes *c, json_t *parent, const char *name, size_t index,
                                const char *path);

static inline void change_below(changes *c, json_t *at, const char *path) {
    if (json_is_array(at)) {
        for (size_t i = 0; i < json_array_size(at); i++) {
            change_value(c, at, NULL, i, path);
        }
        return;
    }
    if (!json_is_object(at)) {
        return;
    }
    const char *names[32];
    size_t n = 0;
    for (void *it = json_object_iter(at); it; it = json_object_iter_next(at, it)) {
        assert_true(n < 32);
        names[n] = strdup(json_object_iter_key(it));
        assert_non_null(names[n]);
        n++;
    }
    assert_int_equal(json_object_set_new(at, "zz", json_integer(1)), 0);
    visit_now(c, path, "zz", "added");
    assert_int_equal(json_object_del(at, "zz"), 0);
    for (size_t i = 0; i < n; i++) {
        json_t *value = json_incref(json_object_get(at, names[i]));
        assert_int_equal(json_object_del(at, names[i]), 0);
        visit_now(c, path, names[i], "removed");
        assert_int_equal(json_object_set_new(at, names[i], value), 0);
        change_value(c, at, names[i], 0, path);
        free((char *)(uintptr_t)names[i]);
    }
}

static inline void put_value(json_t *parent, const char *name, size_t index, json_t *value) {
    assert_int_equal(name ? json_object_set_new(parent, name, value)
                          : json_array_set_new(parent, index, value),
                     0);
}

static inline void change_value(changes *c, json_t *parent, const char *name, size_t index,
                                const char *path) {
    static const char *const others[] = {"null", "true", "0", "\"\"", "[]", "{}"};
    char number[24], below[128];
    snprintf(number, sizeof number, "%zu", index);
    const char *label = name ? name : number;
    json_t *value =
        json_incref(name ? json_object_get(parent, name) : json_array_get(parent, index));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        json_t *other = json_loads(others[i], JSON_DECODE_ANY, NULL);
        assert_non_null(other);
        if (same_type(other, value)) {
            json_decref(other);
            continue;
        }
        put_value(parent, name, index, other);
        visit_now(c, path, label, others[i]);
        put_value(parent, name, index, json_incref(value));
    }
    snprintf(below, sizeof below, "%s%s%s", path, path[0] ? "." : "", label);
    change_below(c, value, below);
    json_decref(value);
}

static inline size_t each_change(const vb_buf *b, visit_change *visit, void *user) {
    changes c = {document(b), visit, user, 0};
    change_below(&c, c.doc, "");
    json_decref(c.doc);
    return c.n;
}

#endif
