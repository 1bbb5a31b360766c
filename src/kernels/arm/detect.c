/*
 * What this processor can do beyond ARMv8.0, as the kernel reports it.
 */
#include "kernels/arm/arm.h"

#include <asm/hwcap.h>
#include <sys/auxv.h>

bool vb_arm_has_dotprod(void) {
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}
