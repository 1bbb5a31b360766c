/*
 * Hashing to G1 and G2 by RFC 9380: expand_message_xmd with SHA-256, two field elements, each
 * through the simplified SWU map to a curve isogenous to the group's, the isogeny back, the sum,
 * and the cofactor cleared. Constants are those of sections 8.8.1, 8.8.2, E.2 (11-isogeny, G1) and
 * E.3 (3-isogeny, G2), in the RFC's order: k_(i,0) first, without the leading 1 of denominators.
 */
#include "crypto/bls12381_internal.h"

#include "crypto/sha256.h"

static const vb_fp_plain g1_x_num[12] = {
    VB_FP_CONST(0x11a05f2b1e833340, 0xb809101dd9981585, 0x6b303e88a2d7005f, 0xf2627b56cdb4e2c8,
                0x5610c2d5f2e62d6e, 0xaeac1662734649b7),
    VB_FP_CONST(0x17294ed3e943ab2f, 0x0588bab22147a81c, 0x7c17e75b2f6a8417, 0xf565e33c70d1e86b,
                0x4838f2a6f318c356, 0xe834eef1b3cb83bb),
    VB_FP_CONST(0x0d54005db97678ec, 0x1d1048c5d10a9a1b, 0xce032473295983e5, 0x6878e501ec68e25c,
                0x958c3e3d2a09729f, 0xe0179f9dac9edcb0),
    VB_FP_CONST(0x1778e7166fcc6db7, 0x4e0609d307e55412, 0xd7f5e4656a8dbf25, 0xf1b33289f1b33083,
                0x5336e25ce3107193, 0xc5b388641d9b6861),
    VB_FP_CONST(0x0e99726a3199f443, 0x6642b4b3e4118e54, 0x99db995a1257fb3f, 0x086eeb65982fac18,
                0x985a286f301e77c4, 0x51154ce9ac8895d9),
    VB_FP_CONST(0x1630c3250d7313ff, 0x01d1201bf7a74ab5, 0xdb3cb17dd952799b, 0x9ed3ab9097e68f90,
                0xa0870d2dcae73d19, 0xcd13c1c66f652983),
    VB_FP_CONST(0x0d6ed6553fe44d29, 0x6a3726c38ae652bf, 0xb11586264f0f8ce1, 0x9008e218f9c86b2a,
                0x8da25128c1052eca, 0xddd7f225a139ed84),
    VB_FP_CONST(0x17b81e7701abdbe2, 0xe8743884d1117e53, 0x356de5ab275b4db1, 0xa682c62ef0f27533,
                0x39b7c8f8c8f475af, 0x9ccb5618e3f0c88e),
    VB_FP_CONST(0x080d3cf1f9a78fc4, 0x7b90b33563be990d, 0xc43b756ce79f5574, 0xa2c596c928c5d1de,
                0x4fa295f296b74e95, 0x6d71986a8497e317),
    VB_FP_CONST(0x169b1f8e1bcfa7c4, 0x2e0c37515d138f22, 0xdd2ecb803a0c5c99, 0x676314baf4bb1b7f,
                0xa3190b2edc032779, 0x7f241067be390c9e),
    VB_FP_CONST(0x10321da079ce07e2, 0x72d8ec09d2565b0d, 0xfa7dccdde6787f96, 0xd50af36003b14866,
                0xf69b771f8c285dec, 0xca67df3f1605fb7b),
    VB_FP_CONST(0x06e08c248e260e70, 0xbd1e962381edee3d, 0x31d79d7e22c837bc, 0x23c0bf1bc24c6b68,
                0xc24b1b80b64d391f, 0xa9c8ba2e8ba2d229),
};
static const vb_fp_plain g1_x_den[10] = {
    VB_FP_CONST(0x08ca8d548cff19ae, 0x18b2e62f4bd3fa6f, 0x01d5ef4ba35b48ba, 0x9c9588617fc8ac62,
                0xb558d681be343df8, 0x993cf9fa40d21b1c),
    VB_FP_CONST(0x12561a5deb559c43, 0x48b4711298e53636, 0x7041e8ca0cf0800c, 0x0126c2588c48bf57,
                0x13daa8846cb026e9, 0xe5c8276ec82b3bff),
    VB_FP_CONST(0x0b2962fe57a3225e, 0x8137e629bff2991f, 0x6f89416f5a718cd1, 0xfca64e00b11aceac,
                0xd6a3d0967c94fedc, 0xfcc239ba5cb83e19),
    VB_FP_CONST(0x03425581a58ae2fe, 0xc83aafef7c40eb54, 0x5b08243f16b16551, 0x54cca8abc28d6fd0,
                0x4976d5243eecf5c4, 0x130de8938dc62cd8),
    VB_FP_CONST(0x13a8e162022914a8, 0x0a6f1d5f43e7a07d, 0xffdfc759a12062bb, 0x8d6b44e833b306da,
                0x9bd29ba81f35781d, 0x539d395b3532a21e),
    VB_FP_CONST(0x0e7355f8e4e667b9, 0x55390f7f0506c6e9, 0x395735e9ce9cad4d, 0x0a43bcef24b8982f,
                0x7400d24bc4228f11, 0xc02df9a29f6304a5),
    VB_FP_CONST(0x0772caacf1693619, 0x0f3e0c63e0596721, 0x570f5799af53a189, 0x4e2e073062aede9c,
                0xea73b3538f0de06c, 0xec2574496ee84a3a),
    VB_FP_CONST(0x14a7ac2a9d64a8b2, 0x30b3f5b074cf0199, 0x6e7f63c21bca68a8, 0x1996e1cdf9822c58,
                0x0fa5b9489d11e2d3, 0x11f7d99bbdcc5a5e),
    VB_FP_CONST(0x0a10ecf6ada54f82, 0x5e920b3dafc7a3cc, 0xe07f8d1d7161366b, 0x74100da67f398835,
                0x03826692abba4370, 0x4776ec3a79a1d641),
    VB_FP_CONST(0x095fc13ab9e92ad4, 0x476d6e3eb3a56680, 0xf682b4ee96f7d037, 0x76df533978f31c15,
                0x93174e4b4b786500, 0x2d6384d168ecdd0a),
};
static const vb_fp_plain g1_y_num[16] = {
    VB_FP_CONST(0x090d97c81ba24ee0, 0x259d1f094980dcfa, 0x11ad138e48a86952, 0x2b52af6c956543d3,
                0xcd0c7aee9b3ba3c2, 0xbe9845719707bb33),
    VB_FP_CONST(0x134996a104ee5811, 0xd51036d776fb4683, 0x1223e96c254f383d, 0x0f906343eb67ad34,
                0xd6c56711962fa8bf, 0xe097e75a2e41c696),
    VB_FP_CONST(0x00cc786baa966e66, 0xf4a384c86a3b4994, 0x2552e2d658a31ce2, 0xc344be4b91400da7,
                0xd26d521628b00523, 0xb8dfe240c72de1f6),
    VB_FP_CONST(0x01f86376e8981c21, 0x7898751ad8746757, 0xd42aa7b90eeb791c, 0x09e4a3ec03251cf9,
                0xde405aba9ec61dec, 0xa6355c77b0e5f4cb),
    VB_FP_CONST(0x08cc03fdefe0ff13, 0x5caf4fe2a21529c4, 0x195536fbe3ce50b8, 0x79833fd221351adc,
                0x2ee7f8dc099040a8, 0x41b6daecf2e8fedb),
    VB_FP_CONST(0x16603fca40634b6a, 0x2211e11db8f0a6a0, 0x74a7d0d4afadb7bd, 0x76505c3d3ad5544e,
                0x203f6326c95a8072, 0x99b23ab13633a5f0),
    VB_FP_CONST(0x04ab0b9bcfac1bbc, 0xb2c977d027796b3c, 0xe75bb8ca2be184cb, 0x5231413c4d634f37,
                0x47a87ac2460f415e, 0xc961f8855fe9d6f2),
    VB_FP_CONST(0x0987c8d5333ab86f, 0xde9926bd2ca6c674, 0x170a05bfe3bdd81f, 0xfd038da6c26c8426,
                0x42f64550fedfe935, 0xa15e4ca31870fb29),
    VB_FP_CONST(0x09fc4018bd96684b, 0xe88c9e221e4da1bb, 0x8f3abd16679dc26c, 0x1e8b6e6a1f20cabe,
                0x69d65201c78607a3, 0x60370e577bdba587),
    VB_FP_CONST(0x0e1bba7a1186bdb5, 0x223abde7ada14a23, 0xc42a0ca7915af6fe, 0x06985e7ed1e4d43b,
                0x9b3f7055dd4eba6f, 0x2bafaaebca731c30),
    VB_FP_CONST(0x19713e47937cd1be, 0x0dfd0b8f1d43fb93, 0xcd2fcbcb6caf493f, 0xd1183e416389e610,
                0x31bf3a5cce3fbafc, 0xe813711ad011c132),
    VB_FP_CONST(0x18b46a908f36f6de, 0xb918c143fed2edcc, 0x523559b8aaf0c246, 0x2e6bfe7f911f6432,
                0x49d9cdf41b44d606, 0xce07c8a4d0074d8e),
    VB_FP_CONST(0x0b182cac101b9399, 0xd155096004f53f44, 0x7aa7b12a3426b08e, 0xc02710e807b4633f,
                0x06c851c1919211f2, 0x0d4c04f00b971ef8),
    VB_FP_CONST(0x0245a394ad1eca9b, 0x72fc00ae7be315dc, 0x757b3b080d4c1580, 0x13e6632d3c40659c,
                0xc6cf90ad1c232a64, 0x42d9d3f5db980133),
    VB_FP_CONST(0x05c129645e44cf11, 0x02a159f748c4a3fc, 0x5e673d81d7e86568, 0xd9ab0f5d396a7ce4,
                0x6ba1049b6579afb7, 0x866b1e715475224b),
    VB_FP_CONST(0x15e6be4e990f03ce, 0x4ea50b3b42df2eb5, 0xcb181d8f84965a39, 0x57add4fa95af01b2,
                0xb665027efec01c77, 0x04b456be69c8b604),
};
static const vb_fp_plain g1_y_den[15] = {
    VB_FP_CONST(0x16112c4c3a9c98b2, 0x52181140fad0eae9, 0x601a6de578980be6, 0xeec3232b5be72e7a,
                0x07f3688ef60c206d, 0x01479253b03663c1),
    VB_FP_CONST(0x1962d75c2381201e, 0x1a0cbd6c43c348b8, 0x85c84ff731c4d59c, 0xa4a10356f453e01f,
                0x78a4260763529e35, 0x32f6102c2e49a03d),
    VB_FP_CONST(0x058df3306640da27, 0x6faaae7d6e8eb157, 0x78c4855551ae7f31, 0x0c35a5dd279cd2ec,
                0xa6757cd636f96f89, 0x1e2538b53dbf67f2),
    VB_FP_CONST(0x16b7d288798e5395, 0xf20d23bf89edb4d1, 0xd115c5dbddbcd30e, 0x123da489e726af41,
                0x727364f2c28297ad, 0xa8d26d98445f5416),
    VB_FP_CONST(0x0be0e079545f43e4, 0xb00cc912f8228ddc, 0xc6d19c9f0f69bbb0, 0x542eda0fc9dec916,
                0xa20b15dc0fd2eded, 0xda39142311a5001d),
    VB_FP_CONST(0x08d9e5297186db2d, 0x9fb266eaac783182, 0xb70152c65550d881, 0xc5ecd87b6f0f5a64,
                0x49f38db9dfa9cce2, 0x02c6477faaf9b7ac),
    VB_FP_CONST(0x166007c08a99db2f, 0xc3ba8734ace9824b, 0x5eecfdfa8d0cf8ef, 0x5dd365bc400a0051,
                0xd5fa9c01a58b1fb9, 0x3d1a1399126a775c),
    VB_FP_CONST(0x16a3ef08be3ea7ea, 0x03bcddfabba6ff6e, 0xe5a4375efa1f4fd7, 0xfeb34fd206357132,
                0xb920f5b00801dee4, 0x60ee415a15812ed9),
    VB_FP_CONST(0x1866c8ed336c6123, 0x1a1be54fd1d74cc4, 0xf9fb0ce4c6af5920, 0xabc5750c4bf39b48,
                0x52cfe2f7bb924883, 0x6b233d9d55535d4a),
    VB_FP_CONST(0x167a55cda70a6e1c, 0xea820597d94a8490, 0x3216f763e13d87bb, 0x5308592e7ea7d4fb,
                0xc7385ea3d529b35e, 0x346ef48bb8913f55),
    VB_FP_CONST(0x04d2f259eea405bd, 0x48f010a01ad2911d, 0x9c6dd039bb61a629, 0x0e591b36e636a5c8,
                0x71a5c29f4f830604, 0x00f8b49cba8f6aa8),
    VB_FP_CONST(0x0accbb67481d033f, 0xf5852c1e48c50c47, 0x7f94ff8aefce42d2, 0x8c0f9a88cea79135,
                0x16f968986f7ebbea, 0x9684b529e2561092),
    VB_FP_CONST(0x0ad6b9514c767fe3, 0xc3613144b45f1496, 0x543346d98adf0226, 0x7d5ceef9a00d9b86,
                0x93000763e3b90ac1, 0x1e99b138573345cc),
    VB_FP_CONST(0x02660400eb2e4f3b, 0x628bdd0d53cd76f2, 0xbf565b94e72927c1, 0xcb748df27942480e,
                0x420517bd8714cc80, 0xd1fadc1326ed06f7),
    VB_FP_CONST(0x0e0fa1d816ddc03e, 0x6b24255e0d7819c1, 0x71c40f65e273b853, 0x324efcd6356caa20,
                0x5ca2f570f1349780, 0x4415473a1d634b8f),
};
static const vb_fp_plain g2_x_num[8] = {
    VB_FP_CONST(0x05c759507e8e333e, 0xbb5b7a9a47d7ed85, 0x32c52d39fd3a042a, 0x88b58423c50ae15d,
                0x5c2638e343d9c71c, 0x6238aaaaaaaa97d6),
    VB_FP_CONST(0x05c759507e8e333e, 0xbb5b7a9a47d7ed85, 0x32c52d39fd3a042a, 0x88b58423c50ae15d,
                0x5c2638e343d9c71c, 0x6238aaaaaaaa97d6),
    VB_FP_SMALL(0),
    VB_FP_CONST(0x11560bf17baa99bc, 0x32126fced787c88f, 0x984f87adf7ae0c7f, 0x9a208c6b4f20a418,
                0x1472aaa9cb8d5555, 0x26a9ffffffffc71a),
    VB_FP_CONST(0x11560bf17baa99bc, 0x32126fced787c88f, 0x984f87adf7ae0c7f, 0x9a208c6b4f20a418,
                0x1472aaa9cb8d5555, 0x26a9ffffffffc71e),
    VB_FP_CONST(0x08ab05f8bdd54cde, 0x190937e76bc3e447, 0xcc27c3d6fbd7063f, 0xcd104635a790520c,
                0x0a395554e5c6aaaa, 0x9354ffffffffe38d),
    VB_FP_CONST(0x171d6541fa38ccfa, 0xed6dea691f5fb614, 0xcb14b4e7f4e810aa, 0x22d6108f142b8575,
                0x7098e38d0f671c71, 0x88e2aaaaaaaa5ed1),
    VB_FP_SMALL(0),
};
static const vb_fp_plain g2_x_den[4] = {VB_FP_SMALL(0), VB_FP_MINUS(72), VB_FP_SMALL(12),
                                        VB_FP_MINUS(12)};
static const vb_fp_plain g2_y_num[8] = {
    VB_FP_CONST(0x1530477c7ab4113b, 0x59a4c18b076d1193, 0x0f7da5d4a07f649b, 0xf54439d87d27e500,
                0xfc8c25ebf8c92f68, 0x12cfc71c71c6d706),
    VB_FP_CONST(0x1530477c7ab4113b, 0x59a4c18b076d1193, 0x0f7da5d4a07f649b, 0xf54439d87d27e500,
                0xfc8c25ebf8c92f68, 0x12cfc71c71c6d706),
    VB_FP_SMALL(0),
    VB_FP_CONST(0x05c759507e8e333e, 0xbb5b7a9a47d7ed85, 0x32c52d39fd3a042a, 0x88b58423c50ae15d,
                0x5c2638e343d9c71c, 0x6238aaaaaaaa97be),
    VB_FP_CONST(0x11560bf17baa99bc, 0x32126fced787c88f, 0x984f87adf7ae0c7f, 0x9a208c6b4f20a418,
                0x1472aaa9cb8d5555, 0x26a9ffffffffc71c),
    VB_FP_CONST(0x08ab05f8bdd54cde, 0x190937e76bc3e447, 0xcc27c3d6fbd7063f, 0xcd104635a790520c,
                0x0a395554e5c6aaaa, 0x9354ffffffffe38f),
    VB_FP_CONST(0x124c9ad43b6cf79b, 0xfbf7043de3811ad0, 0x761b0f37a1e26286, 0xb0e977c69aa27452,
                0x4e79097a56dc4bd9, 0xe1b371c71c718b10),
    VB_FP_SMALL(0),
};
static const vb_fp_plain g2_y_den[6] = {VB_FP_MINUS(432), VB_FP_MINUS(432), VB_FP_SMALL(0),
                                        VB_FP_MINUS(216), VB_FP_SMALL(18),  VB_FP_MINUS(18)};

/* The polynomials of an isogeny: numerator and denominator of its x, then of its y / y. */
enum { X_NUM, X_DEN, Y_NUM, Y_DEN, POLYNOMIALS };

typedef struct suite {
    const vb_fp_plain a[2], b[2], z[2]; /* the isogenous curve y^2 = x^3 + a x + b; SWU's Z */
    struct {
        const vb_fp_plain *k; /* n coefficients, each of one (G1) or two (G2) numbers */
        size_t n;
    } isogeny[POLYNOMIALS];
} suite;

static const suite suite_g1 = {
    .a = {VB_FP_CONST(0x00144698a3b8e943, 0x3d693a02c96d4982, 0xb0ea985383ee66a8,
                      0xd8e8981aefd881ac, 0x98936f8da0e0f97f, 0x5cf428082d584c1d)},
    .b = {VB_FP_CONST(0x12e2908d11688030, 0x018b12e8753eee3b, 0x2016c1f0f24f4070,
                      0xa0b9c14fcef35ef5, 0x5a23215a316ceaa5, 0xd1cc48e98e172be0)},
    .z = {VB_FP_SMALL(11)},
    .isogeny = {{g1_x_num, 12}, {g1_x_den, 10}, {g1_y_num, 16}, {g1_y_den, 15}},
};

static const suite suite_g2 = {
    .a = {VB_FP_SMALL(0), VB_FP_SMALL(240)},
    .b = {VB_FP_SMALL(1012), VB_FP_SMALL(1012)},
    .z = {VB_FP_MINUS(2), VB_FP_MINUS(1)},
    .isogeny = {{g2_x_num, 4}, {g2_x_den, 2}, {g2_y_num, 4}, {g2_y_den, 3}},
};

/* DST_prime: the tag, hashed first when it is longer than 255 bytes (section 5.3.3), and its
 * length. Returns the number of bytes. */
static size_t make_tag(const char *dst, uint8_t out[256]) {
    size_t n = strlen(dst);
    VB_ASSERT(n > 0);
    if (n > 255) {
        static const char prefix[] = "H2C-OVERSIZE-DST-";
        vb_sha256 s;
        vb_sha256_begin(&s);
        vb_sha256_update(&s, prefix, sizeof prefix - 1);
        vb_sha256_update(&s, dst, n);
        vb_sha256_end(&s, out);
        n = VB_SHA256_BYTES;
    } else {
        memcpy(out, dst, n);
    }
    out[n] = (uint8_t)n;
    return n + 1;
}

void vb_bls_expand_message(const void *msg, size_t n_msg, const char *dst, uint8_t *out,
                           size_t n_out) {
    static const uint8_t zero_block[64];
    VB_ASSERT(n_out > 0 && n_out % VB_SHA256_BYTES == 0 && n_out <= VB_BLS_EXPAND_BYTES_MAX);
    uint8_t tag[256], first[VB_SHA256_BYTES], chain[VB_SHA256_BYTES] = {0};
    const uint8_t length[3] = {(uint8_t)(n_out >> 8), (uint8_t)n_out, 0};
    const size_t n_tag = make_tag(dst, tag);
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, zero_block, sizeof zero_block);
    vb_sha256_update(&s, msg, n_msg);
    vb_sha256_update(&s, length, sizeof length);
    vb_sha256_update(&s, tag, n_tag);
    vb_sha256_end(&s, first);
    for (size_t i = 0; i < n_out / VB_SHA256_BYTES; i++) {
        const uint8_t counter = (uint8_t)(i + 1);
        for (size_t j = 0; j < VB_SHA256_BYTES; j++) {
            chain[j] ^= first[j];
        }
        vb_sha256_begin(&s);
        vb_sha256_update(&s, chain, sizeof chain);
        vb_sha256_update(&s, &counter, 1);
        vb_sha256_update(&s, tag, n_tag);
        vb_sha256_end(&s, chain);
        memcpy(out + i * VB_SHA256_BYTES, chain, sizeof chain);
    }
}

static bool field_sqrt(vb_bls_group g, vb_fp2 *out, const vb_fp2 *a) {
    return g == VB_BLS_G1 ? vb_fp_sqrt(&out->c0, &a->c0) : vb_fp2_sqrt(out, a);
}

/* RFC 9380, section 4.1; an element of Fp is one of Fp2 with the same sign. */
static int sign(const vb_fp2 *a) {
    vb_fp_plain x;
    vb_fp_to_plain(&x, vb_fp_is_zero(&a->c0) ? &a->c1 : &a->c0);
    return (int)(x.w[0] & 1);
}

/* x^3 + a x + b */
static void isogenous_right_side(vb_fp2 *out, const vb_fp2 *x, const vb_fp2 *a, const vb_fp2 *b) {
    vb_fp2 t;
    vb_fp2_square(&t, x);
    vb_fp2_add(&t, &t, a);
    vb_fp2_mul(&t, &t, x);
    vb_fp2_add(out, &t, b);
}

/* map_to_curve_simple_swu (section 6.6.2): u to a point of the isogenous curve. */
static void map_to_isogenous(vb_bls_group g, const suite *s, const vb_fp2 *u, vb_bls_affine *out) {
    vb_fp2 a, b, z, zu2, d, num, den, x, y;
    vb_fp2_from_plain(&a, s->a);
    vb_fp2_from_plain(&b, s->b);
    vb_fp2_from_plain(&z, s->z);
    vb_fp2_square(&zu2, u);
    vb_fp2_mul(&zu2, &zu2, &z);
    vb_fp2_square(&d, &zu2);
    vb_fp2_add(&d, &d, &zu2);
    if (vb_fp2_is_zero(&d)) {
        num = b;
        vb_fp2_mul(&den, &z, &a);
    } else {
        /* -b / a (1 + 1 / d) */
        vb_fp2_add(&num, &d, &vb_fp2_one);
        vb_fp2_mul(&num, &num, &b);
        vb_fp2_neg(&num, &num);
        vb_fp2_mul(&den, &a, &d);
    }
    vb_fp2_inverse(&den, &den);
    vb_fp2_mul(&x, &num, &den);
    isogenous_right_side(&y, &x, &a, &b);
    if (!field_sqrt(g, &y, &y)) {
        vb_fp2_mul(&x, &x, &zu2);
        isogenous_right_side(&y, &x, &a, &b);
        const bool square = field_sqrt(g, &y, &y);
        VB_ASSERT(square); /* of the two, one is: that is what Z is chosen for */
    }
    if (sign(u) != sign(&y)) {
        vb_fp2_neg(&y, &y);
    }
    *out = (vb_bls_affine){x, y};
}

/* Horner's rule, from leading (0 or 1), the coefficient above k's n. */
static void evaluate(vb_bls_group g, const vb_fp_plain *k, size_t n, const vb_fp2 *leading,
                     const vb_fp2 *x, vb_fp2 *out) {
    vb_fp2 sum = *leading, term = {0};
    for (size_t i = n; i-- > 0;) {
        vb_fp2_mul(&sum, &sum, x);
        vb_fp_from_plain(&term.c0, &k[i * g]);
        if (g == VB_BLS_G2) {
            vb_fp_from_plain(&term.c1, &k[i * g + 1]);
        }
        vb_fp2_add(&sum, &sum, &term);
    }
    *out = sum;
}

/* (x_num / x_den, y y_num / y_den), with z = x_den y_den; so where a denominator is zero, the
 * result is the identity, as it must be. */
static void isogeny(vb_bls_group g, const suite *s, const vb_bls_affine *p, vb_bls_point *out) {
    static const vb_fp2 zero;
    vb_fp2 v[POLYNOMIALS], t;
    for (int i = 0; i < POLYNOMIALS; i++) {
        const vb_fp2 *leading = i == X_DEN || i == Y_DEN ? &vb_fp2_one : &zero;
        evaluate(g, s->isogeny[i].k, s->isogeny[i].n, leading, &p->x, &v[i]);
    }
    vb_fp2_mul(&out->z, &v[X_DEN], &v[Y_DEN]);
    vb_fp2_mul(&t, &out->z, &v[Y_DEN]); /* x_den y_den^2 */
    vb_fp2_mul(&out->x, &v[X_NUM], &t);
    vb_fp2_square(&v[X_DEN], &v[X_DEN]);
    vb_fp2_mul(&t, &t, &v[X_DEN]); /* x_den^3 y_den^2 */
    vb_fp2_mul(&out->y, &v[Y_NUM], &t);
    vb_fp2_mul(&out->y, &out->y, &p->y);
}

void vb_bls_hash_to_curve(vb_bls_group g, const void *msg, size_t n_msg, const char *dst,
                          vb_bls_point *out) {
    const suite *s = g == VB_BLS_G1 ? &suite_g1 : &suite_g2;
    uint8_t bytes[VB_BLS_EXPAND_BYTES_MAX];
    vb_bls_point point[2];
    vb_bls_expand_message(msg, n_msg, dst, bytes, 2 * 64 * (size_t)g);
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *coordinates = bytes + 64 * i * g;
        vb_bls_affine isogenous;
        vb_fp2 u = {0};
        vb_fp_reduce(&u.c0, coordinates);
        if (g == VB_BLS_G2) {
            vb_fp_reduce(&u.c1, coordinates + 64);
        }
        map_to_isogenous(g, s, &u, &isogenous);
        isogeny(g, s, &isogenous, &point[i]);
    }
    vb_bls_point_add(out, &point[0], &point[1]);
    vb_bls_clear_cofactor(g, out, out);
}
