/*
 * Bodies of /v1/verify, from hostile bytes: reading never crashes, an error has a sentence, a body
 * that is no such object stays as it is, and what an object holds is canonical: reading it again
 * changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

/* {"receipt": R} of what was read. */
static void read_again(const vb_submission *b) {
    vb_buf body = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_submission again;
    vb_error e = {VB_OK, ""};
    require(vb_buf_printf(&body, "{\"receipt\":") == VB_OK &&
            vb_buf_append(&body, b->receipt, b->n_receipt) == VB_OK &&
            vb_buf_printf(&body, "}") == VB_OK);
    /* A number past 2^53 that came with a fraction is written without one, as no record has it, and
     * is then not read. */
    const vb_err err = vb_submission_read(body.data, body.len, &again, &e);
    require(err == VB_OK || err == VB_EFORMAT);
    if (!err && again.receipt_bytes.data) {
        require(again.n_receipt == b->n_receipt &&
                memcmp(again.receipt, b->receipt, b->n_receipt) == 0);
    }
    require(!again.has_prompt && !again.has_opening);
    vb_submission_free(&again);
    vb_buf_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vb_submission b;
    vb_error e = {VB_OK, ""};
    const vb_err err = vb_submission_read(data, size, &b, &e);
    require(!err || e.msg[0]);
    if (!err && b.receipt_bytes.data) {
        require(b.receipt == b.receipt_bytes.data);
        read_again(&b);
    } else if (!err) {
        require(b.receipt == data && b.n_receipt == size && !b.has_prompt && !b.has_opening);
    }
    vb_submission_free(&b);
    return 0;
}
