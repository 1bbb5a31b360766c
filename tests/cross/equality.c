/*
 * Every kernel of one tier against the scalar definition on random cases (support/kernel_check.h),
 * for machines that have no cmocka: cross.test builds it for the emulated ones.
 *
 *   equality TIER ROUNDS    exit 0 when all agree
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/kernel_check.h"

int main(int argc, char **argv) {
    vb_error e = {VB_OK, ""};
    vb_kernel_check c = {.random = 20260417};
    if (argc != 3) {
        fprintf(stderr, "usage: equality TIER ROUNDS\n");
        return 2;
    }
    if (vb_kernels_select(argv[1], &c.k, &e) != VB_OK) {
        fprintf(stderr, "equality: %s\n", e.msg);
        return 1;
    }
    if (!vb_check_all(&c, (unsigned)strtoul(argv[2], NULL, 10))) {
        fprintf(stderr, "equality: %s: %s\n", argv[1], c.msg);
        return 1;
    }
    return 0;
}
