/* The digest of a model is of the bytes that were opened, whatever happens to its name. */
#include "support/testing.h"

#include <unistd.h>

#include "engine/model_file.h"
#include "unit/model/tiny_model.h"

static char dir[64], path[96], other[96];
static vb_error e;

static void write_model(const char *name, uint32_t layers) {
    tiny_model t = tiny_make(layers);
    vb_buf b = tiny_write(&t);
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
    assert_int_equal(fclose(f), 0);
    vb_buf_free(&b);
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/verbatim-model-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/m.gguf", dir);
    snprintf(other, sizeof other, "%s/other.gguf", dir);
    write_model(path, 1);
    write_model(other, 2);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    unlink(other);
    rmdir(dir);
    return 0;
}

static vb_err digest_after(void (*change)(void)) {
    vb_gguf *g = NULL;
    vb_file_id *ids = NULL;
    uint8_t d[VB_SHA256_BYTES];
    const vb_filehash_options o = {0};
    assert_int_equal(vb_model_file_open(path, &g, &ids, &e), VB_OK);
    change();
    vb_err err = vb_model_file_digest(g, ids, &o, d, &e);
    vb_gguf_close(g);
    free(ids);
    return err;
}

static void nothing(void) {}

static void replace(void) {
    assert_int_equal(rename(other, path), 0);
}

static void take_away(void) {
    unlink(path);
}

static void write_into(void) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -1, SEEK_END), 0);
    assert_int_equal(fputc(1, f), 1);
    assert_int_equal(fclose(f), 0);
}

static void the_digest_is_of_what_was_opened(void **state) {
    (void)state;
    assert_int_equal(digest_after(nothing), VB_OK);
    usleep(20000); /* the clock of file times is coarse */
    assert_int_equal(digest_after(write_into), VB_EMISMATCH);
    assert_int_equal(digest_after(replace), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, path));
    assert_int_equal(digest_after(take_away), VB_EIO);
}

static void what_can_not_be_opened_is_an_error(void **state) {
    vb_gguf *g = NULL;
    vb_file_id *ids = NULL;
    (void)state;
    assert_int_not_equal(vb_model_file_open("/nonexistent.gguf", &g, &ids, &e), VB_OK);
    assert_int_not_equal(vb_model_file_open(dir, &g, &ids, &e), VB_OK);
    assert_null(g);
    assert_null(ids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_digest_is_of_what_was_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(what_can_not_be_opened_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
