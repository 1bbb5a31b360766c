#include "crypto/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>

vb_err vb_random_bytes(void *out, size_t n_bytes, vb_error *e) {
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t n = getrandom((char *)out + done, n_bytes - done, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            vb_wipe(out, n_bytes);
            return vb_fail(e, VB_EIO, "the kernel gave no randomness: %s", strerror(errno));
        }
        done += (size_t)n;
    }
    return VB_OK;
}

void vb_wipe(void *p, size_t n_bytes) {
    OPENSSL_cleanse(p, n_bytes);
}
