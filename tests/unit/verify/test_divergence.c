/* The texts of a divergence: cut between characters, never longer than they may be, always UTF-8.
 */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/utf8.h"
#include "unit/tokenizer/small_vocab.h"
#include "verify/divergence.h"

enum { EURO_100 = 3 + 256, A_EURO_100, X_200, X_201, ONE_A, END = 2, BYTE_0 = 3 };

static vb_tokenizer *tokenizer;
static char euro_100[301], a_euro_100[302], x_200[201], x_201[202];

static int setup(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        memcpy(euro_100 + 3 * i, "\xe2\x82\xac", 3);
    }
    a_euro_100[0] = 'a';
    memcpy(a_euro_100 + 1, euro_100, 300);
    memset(x_200, 'x', 200);
    memset(x_201, 'y', 201);
    const small_piece pieces[] = {{euro_100, VB_TOKEN_NORMAL, 0},
                                  {a_euro_100, VB_TOKEN_NORMAL, 0},
                                  {x_200, VB_TOKEN_NORMAL, 0},
                                  {x_201, VB_TOKEN_NORMAL, 0},
                                  {"a", VB_TOKEN_NORMAL, 0}};
    vb_buf file = small_spm(true, pieces, 5);
    return small_open(&file, &tokenizer, NULL);
}

static int teardown(void **state) {
    (void)state;
    vb_tokenizer_close(tokenizer);
    return 0;
}

static void assert_snippet(const vb_snippet *s, const char *text, size_t len, bool cut) {
    assert_int_equal(s->len, len);
    assert_memory_equal(s->text, text, len);
    assert_int_equal(s->cut, cut);
    assert_int_equal(vb_utf8_valid_bytes(s->text, s->len), s->len);
}

static void tokens_show_their_beginning(void **state) {
    static const uint32_t output[] = {ONE_A};
    static const struct {
        uint32_t token;
        const char *text;
        size_t len;
        bool cut;
    } cases[] = {
        {EURO_100, euro_100, 198, true},
        {A_EURO_100, a_euro_100, 199, true},
        {X_200, x_200, 200, false},
        {X_201, x_201, 200, true},
        {ONE_A, "a", 1, false},
        {END, "</s>", 4, false},
        {BYTE_0, "\0", 1, false},
        {BYTE_0 + 0xe2, "\xef\xbf\xbd", 3, false}, /* the half of a character */
        {ONE_A + 1, "", 0, false},                 /* no token of this vocabulary */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_divergence d = {.expected = cases[i].token, .found = ONE_A};
        vb_divergence_describe(&d, tokenizer, output);
        assert_snippet(&d.expected_text, cases[i].text, cases[i].len, cases[i].cut);
        assert_snippet(&d.found_text, "a", 1, false);
        assert_snippet(&d.context, "", 0, false);
        d = (vb_divergence){.expected = ONE_A, .found = cases[i].token};
        vb_divergence_describe(&d, tokenizer, output);
        assert_snippet(&d.found_text, cases[i].text, cases[i].len, cases[i].cut);
    }
}

/* output[n] and one more token; the context of position n. */
static vb_snippet context_of(const uint32_t *output, size_t n) {
    vb_divergence d = {.t = n, .expected = ONE_A, .found = ONE_A};
    vb_divergence_describe(&d, tokenizer, output);
    return d.context;
}

static void the_context_is_an_end(void **state) {
    static const uint32_t cases[][4] = {
        {ONE_A, EURO_100, ONE_A},
        {EURO_100},
        {X_200, END, END},
        {X_201},
        {BYTE_0 + 0xe2, BYTE_0 + 0x82, BYTE_0 + 0xac},
        {ONE_A, BYTE_0 + 0xff, BYTE_0 + 0xe2},
    };
    static uint32_t many[1000];
    (void)state;
    vb_snippet s = context_of(cases[0], 3);
    assert_int_equal(s.text[198], 'a');
    s.len--;
    assert_snippet(&s, euro_100, 198, true);
    s = context_of(cases[0], 1);
    assert_snippet(&s, "a", 1, false);
    s = context_of(cases[1], 1);
    assert_snippet(&s, euro_100, 198, true);
    s = context_of(cases[2], 3); /* control tokens have no text */
    assert_snippet(&s, x_200, 200, false);
    s = context_of(cases[3], 1);
    assert_snippet(&s, x_201, 200, true);
    s = context_of(cases[4], 3);
    assert_snippet(&s, "\xe2\x82\xac", 3, false);
    s = context_of(cases[5], 3);
    assert_snippet(&s, "a\xef\xbf\xbd\xef\xbf\xbd", 7, false);
    for (size_t i = 0; i < 1000; i++) {
        many[i] = BYTE_0 + 'a' + (uint32_t)(i % 26);
    }
    for (size_t n = 190; n < 1000; n += 7) {
        char want[200];
        const size_t len = n < 200 ? n : 200;
        for (size_t i = 0; i < len; i++) {
            want[i] = (char)('a' + (n - len + i) % 26);
        }
        s = context_of(many, n);
        assert_snippet(&s, want, len, n > 200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_show_their_beginning),
        cmocka_unit_test(the_context_is_an_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
