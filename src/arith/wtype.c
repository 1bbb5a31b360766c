#include "arith/wtype.h"

#include <strings.h>

#include "base/bytes.h"

static const struct {
    uint32_t id;
    vb_wtype_info info;
} formats[] = {
    {VB_F32, {"F32", 1, 4, true}},        {VB_F16, {"F16", 1, 2, true}},
    {VB_BF16, {"BF16", 1, 2, true}},      {VB_Q4_0, {"Q4_0", 32, 18, false}},
    {VB_Q4_1, {"Q4_1", 32, 20, false}},   {VB_Q5_0, {"Q5_0", 32, 22, false}},
    {VB_Q5_1, {"Q5_1", 32, 24, false}},   {VB_Q8_0, {"Q8_0", 32, 34, false}},
    {VB_Q2_K, {"Q2_K", 256, 84, false}},  {VB_Q3_K, {"Q3_K", 256, 110, false}},
    {VB_Q4_K, {"Q4_K", 256, 144, false}}, {VB_Q5_K, {"Q5_K", 256, 176, false}},
    {VB_Q6_K, {"Q6_K", 256, 210, false}},
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

const vb_wtype_info *vb_wtype_get(uint32_t id) {
    for (int i = 0; i < FORMATS; i++) {
        if (formats[i].id == id) {
            return &formats[i].info;
        }
    }
    return NULL;
}

bool vb_wtype_by_name(const char *name, vb_wtype *out) {
    for (int i = 0; i < FORMATS; i++) {
        if (strcasecmp(formats[i].info.name, name) == 0) {
            *out = (vb_wtype)formats[i].id;
            return true;
        }
    }
    return false;
}

bool vb_wtype_computes(uint32_t id) {
    return vb_wtype_get(id) != NULL && id != VB_Q2_K && id != VB_Q3_K;
}

bool vb_wtype_row_bytes(uint32_t id, size_t cols, size_t *out) {
    const vb_wtype_info *info = vb_wtype_get(id);
    size_t bytes;
    if (info == NULL || cols % info->block_values != 0 ||
        !vb_mul_size(cols / info->block_values, info->block_bytes, &bytes)) {
        return false;
    }
    *out = bytes;
    return true;
}
