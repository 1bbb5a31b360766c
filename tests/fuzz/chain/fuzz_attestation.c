/* Attestations from hostile bytes: what is read holds together, and is written and read again as it
 * was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chain/attestation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vb_attestation a, again;
    if (vb_attestation_decode(data, size, &a, NULL)) {
        return 0;
    }
    vb_buf out = vb_buf_make(VB_ATTESTATION_BYTES_MAX);
    require(vb_attestation_encode(&a, &out, NULL) == VB_OK);
    require(vb_attestation_decode(out.data, out.len, &again, NULL) == VB_OK);
    require(memcmp(&a, &again, sizeof a) == 0);
    vb_buf_free(&out);
    return 0;
}
