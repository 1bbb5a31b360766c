#include "base/decimal.h"

bool vb_decimal_decode(const char *text, size_t n, uint64_t *out) {
    uint64_t v = 0;
    if (n == 0 || (text[0] == '0' && n > 1)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}
