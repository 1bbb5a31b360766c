/*
 * BLS12-381: RFC 9380's vectors, the laws of the fields, the groups and the pairing, strict
 * decoding, signatures made by another program, and real drand rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "crypto/bls12381.h"
#include "crypto/bls12381_internal.h"
#include "crypto/sha256.h"
#include "support/bls12381_encode.h"
#include "support/testing.h"

enum { MESSAGES = 5, MESSAGE_BYTES_MAX = 520 };

/* RFC 9380, K.1 and K.2: the first 32 or all 128 bytes asked for, with the short and the long tag.
 */
static const char *const expansions[MESSAGES][4] = {
    {"68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235",
     "af84c27ccfd45d41914fdff5df25293e221afc53d8ad2ac06d5e3e29485dadbee0d121587713a3e0dd4d"
     "5e69e93eb7cd4f5df4cd103e188cf60cb02edc3edf18eda8576c412b18ffb658e3dd6ec849469b979d44"
     "4cf7b26911a08e63cf31f9dcc541708d3491184472c2c29bb749d4286b004ceb5ee6b9a7fa5b646c993f"
     "0ced",
     "e8dc0c8b686b7ef2074086fbdd2f30e3f8bfbd3bdf177f73f04b97ce618a3ed3",
     "14604d85432c68b757e485c8894db3117992fc57e0e136f71ad987f789a0abc287c47876978e2388a02a"
     "f86b1e8d1342e5ce4f7aaa07a87321e691f6fba7e0072eecc1218aebb89fb14a0662322d5edbd873f0eb"
     "35260145cd4e64f748c5dfe60567e126604bcab1a3ee2dc0778102ae8a5cfd1429ebc0fa6bf1a53c36f5"
     "5dfc"},
    {"d8ccab23b5985ccea865c6c97b6e5b8350e794e603b4b97902f53a8a0d605615",
     "abba86a6129e366fc877aab32fc4ffc70120d8996c88aee2fe4b32d6c7b6437a647e6c3163d40b76a73c"
     "f6a5674ef1d890f95b664ee0afa5359a5c4e07985635bbecbac65d747d3d2da7ec2b8221b17b0ca9dc8a"
     "1ac1c07ea6a1e60583e2cb00058e77b7b72a298425cd1b941ad4ec65e8afc50303a22c0f99b0509b4c89"
     "5f40",
     "52dbf4f36cf560fca57dedec2ad924ee9c266341d8f3d6afe5171733b16bbb12",
     "1a30a5e36fbdb87077552b9d18b9f0aee16e80181d5b951d0471d55b66684914aef87dbb3626eaabf5de"
     "d8cd0686567e503853e5c84c259ba0efc37f71c839da2129fe81afdaec7fbdc0ccd4c794727a17c0d20f"
     "f0ea55e1389d6982d1241cb8d165762dbc39fb0cee4474d2cbbd468a835ae5b2f20e4f959f56ab24cd6f"
     "e267"},
    {"eff31487c770a893cfb36f912fbfcbff40d5661771ca4b2cb4eafe524333f5c1",
     "ef904a29bffc4cf9ee82832451c946ac3c8f8058ae97d8d629831a74c6572bd9ebd0df635cd1f208e203"
     "8e760c4994984ce73f0d55ea9f22af83ba4734569d4bc95e18350f740c07eef653cbb9f87910d8337518"
     "25f0ebefa1abe5420bb52be14cf489b37fe1a72f7de2d10be453b2c9d9eb20c7e3f6edc5a60629178d94"
     "78df",
     "35387dcf22618f3728e6c686490f8b431f76550b0b2c61cbc1ce7001536f4521",
     "d2ecef3635d2397f34a9f86438d772db19ffe9924e28a1caf6f1c8f15603d4028f40891044e5c7e39ebb"
     "9b31339979ff33a4249206f67d4a1e7c765410bcd249ad78d407e303675918f20f26ce6d7027ed377451"
     "2ef5b00d816e51bfcc96c3539601fa48ef1c07e494bdc37054ba96ecb9dbd666417e3de289d4f424f502"
     "a982"},
    {"b23a1d2b4d97b2ef7785562a7e8bac7eed54ed6e97e29aa51bfe3f12ddad1ff9",
     "80be107d0884f0d881bb460322f0443d38bd222db8bd0b0a5312a6fedb49c1bbd88fd75d8b9a09486c60"
     "123dfa1d73c1cc3169761b17476d3c6b7cbbd727acd0e2c942f4dd96ae3da5de368d26b32286e32de7e5"
     "a8cb2949f866a0b80c58116b29fa7fabb3ea7d520ee603e0c25bcaf0b9a5e92ec6a1fe4e0391d1cdbce8"
     "c68a",
     "01b637612bb18e840028be900a833a74414140dde0c4754c198532c3a0ba42bc",
     "ed6e8c036df90111410431431a232d41a32c86e296c05d426e5f44e75b9a50d335b2412bc6c91e0a6dc1"
     "31de09c43110d9180d0a70f0d6289cb4e43b05f7ee5e9b3f42a1fad0f31bac6a625b3b5c50e3a8331678"
     "3b649e5ecc9d3b1d9471cb5024b7ccf40d41d1751a04ca0356548bc6e703fca02ab521b505e8e4560050"
     "8d32"},
    {"4623227bcc01293b8c130bf771da8c298dede7383243dc0993d2d94823958c4c",
     "546aff5444b5b79aa6148bd81728704c32decb73a3ba76e9e75885cad9def1d06d6792f8a7d12794e90e"
     "fed817d96920d728896a4510864370c207f99bd4a608ea121700ef01ed879745ee3e4ceef777eda6d9e5"
     "e38b90c86ea6fb0b36504ba4a45d22e86f6db5dd43d98a294bebb9125d5b794e9d2a81181066eb954966"
     "a487",
     "20cce7033cabc5460743180be6fa8aac5a103f56d481cf369a8accc0c374431b",
     "78b53f2413f3c688f07732c10e5ced29a17c6a16f717179ffbe38d92d6c9ec296502eb9889af83a1928c"
     "d162e845b0d3c5424e83280fed3d10cffb2f8431f14e7a23f4c68819d40617589e4c41169d0b56e0e353"
     "5be1fd71fbb08bb70c5b5ffed953d6c14bf7618b35fc1f4c4b30538236b4b08c9fbf90462447a8ada60b"
     "e495"},
};

/* RFC 9380, J.9.1 and J.10.1: x | y, in G2 the coefficient of u first. */
static const char *const hashes[2][MESSAGES] = {
    {"052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349"
     "612b759e79a108ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee2981"
     "3bb7994998f3eae0c9c6a265",
     "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c6"
     "8900be2f69030b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfa"
     "aa154fa6b88176c229f2885d",
     "11e0b079dea29a68f0383ee94fed1b940995272407e3bb916bbf268c263ddd57a6a27200a784cbc248e8"
     "4f357ce82d9803a87ae2caf14e8ee52e51fa2ed8eefe80f02457004ba4d486d6aa1f517c0889501dc741"
     "3753f9599b099ebcbbd2d709",
     "15f68eaa693b95ccb85215dc65fa81038d69629f70aeee0d0f677cf22285e7bf58d7cb86eefe8f2e9bc3"
     "f8cb84fac4881807a1d50c29f430b8cafc4f8638dfeeadf51211e1602a5f184443076715f91bb90a48ba"
     "1e370edce6ae1062f5e6dd38",
     "082aabae8b7dedb0e78aeb619ad3bfd9277a2f77ba7fad20ef6aabdc6c31d19ba5a6d12283553294c182"
     "5c4b3ca2dcfe05b84ae5a942248eea39e1d91030458c40153f3b654ab7872d779ad1e942856a20c438e8"
     "d99bc8abfbf74729ce1f7ac8"},
    {"05cb8437535e20ecffaef7752baddf98034139c38452458baeefab379ba13dff5bf5dd71b72418717047"
     "f5b0f37da03d0141ebfbdca40eb85b87142e130ab689c673cf60f1a3e98d69335266f30d9b8d4ac44c10"
     "38e9dcdd5393faf5c41fb78a12424ac32561493f3fe3c260708a12b7c620e7be00099a974e259ddc7d1f"
     "6395c3c811cdd19f1e8dbf3e9ecfdcbab8d60503921d7f6a12805e72940b963c0cf3471c7b2a524950ca"
     "195d11062ee75ec076daf2d4bc358c4b190c0c98064fdd92",
     "139cddbccdc5e91b9623efd38c49f81a6f83f175e80b06fc374de9eb4b41dfe4ca3a230ed250fbe3a2ac"
     "f73a41177fd802c2d18e033b960562aae3cab37a27ce00d80ccd5ba4b7fe0e7a210245129dbec7780ccc"
     "7954725f4168aff2787776e600aa65dae3c8d732d10ecd2c50f8a1baf3001578f71c694e03866e9f3d49"
     "ac1e1ce70dd94a733534f106d4cec0eddd161787327b68159716a37440985269cf584bcb1e621d3a7202"
     "be6ea05c4cfe244aeb197642555a0645fb87bf7466b2ba48",
     "190d119345b94fbd15497bcba94ecf7db2cbfd1e1fe7da034d26cbba169fb3968288b3fafb265f9ebd38"
     "0512a71c3f2c121982811d2491fde9ba7ed31ef9ca474f0e1501297f68c298e9f4c0028add35aea8bb83"
     "d53c08cfc007c1e005723cd00bb5e7572275c567462d91807de765611490205a941a5a6af3b1691bfe59"
     "6c31225d3aabdf15faff860cb4ef17c7c3be05571a0f8d3c08d094576981f4a3b8eda0a8e771fcdcc8ec"
     "ceaf1356a6acf17574518acb506e435b639353c2e14827c8",
     "0934aba516a52d8ae479939a91998299c76d39cc0c035cd18813bec433f587e2d7a4fef038260eef0cef"
     "4d02aae3eb9119a84dd7248a1066f737cc34502ee5555bd3c19f2ecdb3c7d9e24dc65d4e25e50d83f0f7"
     "7105e955d78f4762d33c17da09bcccfa036b4847c9950780733633f13619994394c23ff0b32fa6b79584"
     "4f4a0673e20282d07bc69641cee04f5e566214f81cd421617428bc3b9fe25afbb751d934a00493524bc4"
     "e065635b0555084dd54679df1536101b2c979c0152d09192",
     "11fca2ff525572795a801eed17eb12785887c7b63fb77a42be46ce4a34131d71f7a73e95fee3f812aea3"
     "de78b4d0156901a6ba2f9a11fa5598b2d8ace0fbe0a0eacb65deceb476fbbcb64fd24557c2f4b18ecfc5"
     "663e54ae16a84f5ab7f6253403a47f8e6d1763ba0cad63d6114c0accbef65707825a511b251a660a9b39"
     "94249ae4e63fac38b23da0c398689ee2ab520b6798718c8aed24bc19cb27f866f1c9effcdbf92397ad64"
     "48b5c9db90d2b9da6cbabf48adc1adf59a1a28344e79d57e"},
};

/* Made with noble-curves: the secret key is that of the draft's examples, the message "a round". */
static const struct {
    const char *key, *signature;
} synthetic[2] = {
    {"ac400b70f6f8cd35648f5c126cce5417f3be4d8eefbd42ceb4286a14df7e03135313fe5845e3a575faab"
     "3e8b949d248814856c22d8cdb2967c720e963eedc999e738373b14172f06fc915769d3cc5ab7ae0a1b9c"
     "38f48b5585fb09d4bd2733bb",
     "ab5ec81c2d30544b23b11f68388abdf5842d4f9f28079e589fff79e918f0ca21d46415000de87a1f5570"
     "c7b6f44bf564"},
    {"a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c06"
     "18f6e5a7f79a",
     "ae0250ec89bb9e405130fadafae858d7864bf339fd2a9fc5e26d59ffd647277291de7e5166132009223b"
     "c8b89eea9dc611b79e5e1f3e816dabb64e6c674e317a0c785324352699817764fea5ca2c16e92136a8d4"
     "e5c52cdeae2b40a0a32e87ae"},
};

/* Points of the curves that are not in the subgroup: of small prime orders, the generator shifted
 * by each, and one of a large order. */
static const char *const outside[2][7] = {
    {"a00000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000",
     "ae9277968cb92c78d15a2a2ed855d55061c3929db43d1e53d6d13bee755ff9a91b3f577bbb2f15c6ba82"
     "06a6a81c4afd",
     "a0d1d1ffc09ffab044764f30fc9a110ca90d1d61505636cedbd76e024f03b4e562dd6beaa4b5b5435f02"
     "0bcad67a1c12",
     "8c6299f2d3b7c15e9d74021c11a5c3916cdd99ed5f5b60c9f477b25a071b3a56f2c055998b53c6377cf8"
     "78943422cc98",
     "b45cff5946df71d04ca3b740f66ecdc3f29cee6d072dceb96a2e6e1d2b37638877faff39c11c0f0f0d25"
     "8964d32a6e27",
     "af9f18f6ec31db7f858d5c79d711cfd6b9ae479c19560f7f69912531c4e4875a95f1010aacc0abc57e97"
     "012daa1e0183",
     "800000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000004"},
    {"8c4887b4f6b2fb87c7848aec92b676a145f4c4933b576de480084813d9310f630bf06f7ec2cbe9f3cc59"
     "3c0e21afd96313b7f48eb7ac95d1c7490321f40cfb2dbccb990058baf729d901f5d92520d5034a57a9ab"
     "facb90de20743480448404e4",
     "93a6e37e88299c970a7838a736a0f15f057d78ca7827221d607c704a1339635c254720c0b944f1d24416"
     "adc0655a3d3a05da5e40a828edaae7d3e45964f2025be62ac7a0f4e9fbf68671a35ee68737de94552281"
     "1e3326bd931510a3c31598b5",
     "93b414631d0bd4f0966aa7467a7293183e048df8f4c051e2f716dee84a1f08f612e5564ae512edc93f2c"
     "77d6215b74000d6fbd0e911e59c28ba6218c10b07e2012e0b232877d9d1bb30f092c63b813e59cb43234"
     "837c6307e0e2e7b89c07a58b",
     "afa4ca01e91f918026368cd281aab37e5b7b840d0596ed9f9daa82d98f42a1b85fded65724314ec41d96"
     "671acf145b8819e650a7dcf6b0a09c3dba09fb02bd559f5ffaa6b95d6d846173739db7b8867ca93bf15a"
     "bf028af5cf70a3369012e2f0",
     "9922fc3c51f0cc74638956d5c57b63aa9ad18714ddc0d6b6270f4ba7d74d873b81a3cad07e8fa230d36c"
     "7b0745d63991120da6469535b299815108040577a4ce67081b4a7c5242d0d2a8e3d6357a33c7be2e388a"
     "8c3bd55ef78701b8737eb12a",
     "ac15fda4977346181f84dca2c7ad1a20f2f2aee85e61786fe6993b582b44cd3a969ac5c055ad48dd6897"
     "d31a99bef5e908aaba5280973dbd65bee09ce5e549ee0a1f2f4267d2e64850b9f3eca5e2032b17828a37"
     "fe6552ccb49fc215e4b53df3",
     "a00000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000002"},
};

static const char modulus_hex[] = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                                  "1eabfffeb153ffffb9feffffffffaaab";
static const char order_hex[] = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

static uint64_t rng = 12381;

/* The messages of the RFC's vectors. */
static const char *message(size_t i) {
    static char text[MESSAGE_BYTES_MAX];
    static const char *const fixed[] = {"", "abc", "abcdef0123456789", "q128_", "a512_"};
    const size_t n = strlen(fixed[i]), n_more = i == 3 ? 128 : i == 4 ? 512 : 0;
    memcpy(text, fixed[i], n);
    memset(text + n, fixed[i][0], n_more);
    text[n + n_more] = 0;
    return text;
}

static void assert_bytes(const uint8_t *bytes, size_t n, const char *hex) {
    char text[1024];
    assert_true(2 * n < sizeof text);
    vb_hex_encode(bytes, n, text);
    assert_string_equal(text, hex);
}

static void decode_hex(const char *hex, uint8_t *out, size_t n) {
    assert_int_equal(strlen(hex), 2 * n);
    assert_true(vb_hex_decode(hex, out, n));
}

static vb_fp uniform_fp(void) {
    uint8_t bytes[64];
    vb_fp x;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)vb_test_random(&rng);
    }
    vb_fp_reduce(&x, bytes);
    return x;
}

/* With 0, 1, -1, and words of ones, where carries are rare or many. */
static vb_fp random_fp(void) {
    const uint64_t kind = vb_test_random(&rng) % 16;
    vb_fp x = uniform_fp();
    if (kind < 3) {
        x = kind ? vb_fp2_one.c0 : (vb_fp){{0}};
    }
    if (kind == 2) {
        vb_fp_neg(&x, &x);
    }
    if (kind == 3) {
        memset(x.w, 0xff, sizeof x.w - sizeof x.w[0]);
        x.w[5] %= 0x1a0111ea397fe69a;
    }
    return x;
}

static vb_fp2 random_fp2(void) {
    return (vb_fp2){random_fp(), random_fp()};
}

static vb_fp12 random_fp12(void) {
    vb_fp12 x;
    for (int i = 0; i < 6; i++) {
        x.c[i / 3].c[i % 3] = random_fp2();
    }
    return x;
}

static bool fp2_equal(const vb_fp2 *a, const vb_fp2 *b) {
    return vb_fp_equal(&a->c0, &b->c0) && vb_fp_equal(&a->c1, &b->c1);
}

static void assert_equal12(const vb_fp12 *a, const vb_fp12 *b) {
    assert_memory_equal(a, b, sizeof *a);
}

/* base^exponent, the exponent in big-endian hex. */
static vb_fp12 power(const vb_fp12 *base, const char *exponent) {
    vb_fp12 x;
    vb_fp12_one(&x);
    for (; *exponent; exponent++) {
        const int digit = *exponent <= '9' ? *exponent - '0' : *exponent - 'a' + 10;
        for (int bit = 3; bit >= 0; bit--) {
            vb_fp12_square(&x, &x);
            if (digit >> bit & 1) {
                vb_fp12_mul(&x, &x, base);
            }
        }
    }
    return x;
}

/* [n] base, n in big-endian hex. */
static vb_bls_point times(const vb_bls_point *base, const char *n) {
    vb_bls_point x = {0};
    for (; *n; n++) {
        const int digit = *n <= '9' ? *n - '0' : *n - 'a' + 10;
        for (int bit = 3; bit >= 0; bit--) {
            vb_bls_point_double(&x, &x);
            if (digit >> bit & 1) {
                vb_bls_point_add(&x, &x, base);
            }
        }
    }
    return x;
}

static bool is_identity(const vb_bls_point *a) {
    return vb_fp2_is_zero(&a->z);
}

static bool point_equal(const vb_bls_point *a, const vb_bls_point *b) {
    vb_bls_point minus = *b;
    vb_fp2_neg(&minus.y, &minus.y);
    vb_bls_point_add(&minus, &minus, a);
    return is_identity(&minus);
}

/* Any point of the curve, by the first x from a random one that has a y; a y that is not a root of
 * x^3 + b would fail the tests of orders. */
static vb_bls_point curve_point(vb_bls_group g) {
    vb_bls_affine a = {0};
    vb_bls_point p;
    vb_fp2 b, t;
    vb_fp2_add(&b, &vb_fp2_one, &vb_fp2_one);
    vb_fp2_add(&b, &b, &b);
    if (g == VB_BLS_G2) {
        vb_fp2_mul_xi(&b, &b);
    }
    a.x.c0 = uniform_fp();
    if (g == VB_BLS_G2) {
        a.x.c1 = uniform_fp();
    }
    for (;; vb_fp2_add(&a.x, &a.x, &vb_fp2_one)) {
        vb_fp2_square(&t, &a.x);
        vb_fp2_mul(&t, &t, &a.x);
        vb_fp2_add(&t, &t, &b);
        if (g == VB_BLS_G1 ? vb_fp_sqrt(&a.y.c0, &t.c0) : vb_fp2_sqrt(&a.y, &t)) {
            vb_bls_point_from_affine(&p, &a);
            return p;
        }
    }
}

static vb_bls_point generator(vb_bls_group g) {
    vb_bls_affine a;
    vb_bls_point p;
    vb_bls_generator(g, &a);
    vb_bls_point_from_affine(&p, &a);
    return p;
}

static void expand_message_of_the_rfc(void **state) {
    static const char short_tag[] = "QUUX-V01-CS02-with-expander-SHA256-128";
    char long_tag[257];
    uint8_t out[128];
    (void)state;
    snprintf(long_tag, sizeof long_tag, "%s-long-DST-%.*d", short_tag, 208, 0);
    for (size_t i = strlen(long_tag) - 208; long_tag[i]; i++) {
        long_tag[i] = '1';
    }
    assert_int_equal(strlen(long_tag), 256);
    for (size_t i = 0; i < MESSAGES; i++) {
        for (int k = 0; k < 4; k++) {
            const size_t n = k % 2 ? 128 : 32;
            vb_bls_expand_message(message(i), strlen(message(i)), k < 2 ? short_tag : long_tag, out,
                                  n);
            assert_bytes(out, n, expansions[i][k]);
        }
    }
}

static void hashes_of_the_rfc(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * MESSAGES; i++) {
        const vb_bls_group g = i < MESSAGES ? VB_BLS_G1 : VB_BLS_G2;
        const char *msg = message(i % MESSAGES);
        vb_bls_point p;
        vb_bls_affine a;
        uint8_t out[4 * VB_FP_BYTES];
        vb_bls_hash_to_curve(g, msg, strlen(msg),
                             g == VB_BLS_G1 ? "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
                                            : "QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_",
                             &p);
        assert_true(vb_bls_point_to_affine(&a, &p));
        const vb_fp *in_order[] = {&a.x.c1, &a.x.c0, &a.y.c1, &a.y.c0};
        for (int k = 0, at = 0; k < 4; k++) {
            if (g == VB_BLS_G2 || k % 2) {
                vb_test_encode_fp(out + VB_FP_BYTES * at++, in_order[k]);
            } else {
                assert_true(vb_fp_is_zero(in_order[k]));
            }
        }
        assert_bytes(out, 2 * VB_FP_BYTES * (size_t)g, hashes[g - 1][i % MESSAGES]);
    }
}

static void numbers_in_and_out(void **state) {
    uint8_t p[VB_FP_BYTES], bytes[VB_FP_BYTES], wide[64] = {0};
    vb_fp x, y;
    (void)state;
    decode_hex(modulus_hex, p, sizeof p);
    assert_false(vb_fp_from_bytes(&x, p));
    p[47]++;
    assert_false(vb_fp_from_bytes(&x, p));
    p[47] -= 2;
    assert_true(vb_fp_from_bytes(&x, p)); /* p - 1, which is -1 */
    vb_fp_neg(&y, &vb_fp2_one.c0);
    assert_true(vb_fp_equal(&x, &y));
    vb_test_encode_fp(bytes, &x);
    assert_memory_equal(bytes, p, sizeof p);
    memset(bytes, 0xff, sizeof bytes);
    assert_false(vb_fp_from_bytes(&x, bytes));
    for (int bit = 0; bit < 8 * VB_FP_BYTES; bit++) {
        memset(bytes, 0, sizeof bytes);
        bytes[47 - bit / 8] = (uint8_t)(1 << bit % 8);
        assert_int_equal(vb_fp_from_bytes(&x, bytes), bit < 381);
    }
    /* 64 bytes modulo p, against Horner's rule on bytes. */
    for (int i = 0; i < 200; i++) {
        vb_fp2 sum = {0}, digit = {0};
        for (size_t k = 0; k < sizeof wide; k++) {
            wide[k] = i == 0 ? 0xff : (uint8_t)vb_test_random(&rng);
            memset(bytes, 0, sizeof bytes);
            bytes[47] = wide[k];
            assert_true(vb_fp_from_bytes(&digit.c0, bytes));
            for (int twice = 0; twice < 8; twice++) {
                vb_fp2_add(&sum, &sum, &sum);
            }
            vb_fp2_add(&sum, &sum, &digit);
        }
        vb_fp_reduce(&x, wide);
        assert_true(vb_fp_equal(&x, &sum.c0));
    }
}

static void laws_of_fp2(void **state) {
    const vb_fp2 zero = {0};
    (void)state;
    for (int i = 0; i < 2000; i++) {
        vb_fp2 a = random_fp2(), b = random_fp2(), c = random_fp2(), l, r, t;
        vb_fp2_mul(&l, &a, &b);
        vb_fp2_mul(&l, &l, &c);
        vb_fp2_mul(&r, &b, &c);
        vb_fp2_mul(&r, &r, &a);
        assert_true(fp2_equal(&l, &r));
        vb_fp2_add(&l, &a, &b);
        vb_fp2_mul(&l, &l, &c);
        vb_fp2_mul(&r, &a, &c);
        vb_fp2_mul(&t, &b, &c);
        vb_fp2_add(&r, &r, &t);
        assert_true(fp2_equal(&l, &r));
        vb_fp2_sub(&l, &a, &b);
        vb_fp2_neg(&r, &b);
        vb_fp2_add(&r, &r, &a);
        assert_true(fp2_equal(&l, &r));
        vb_fp2_square(&l, &a);
        vb_fp2_mul(&r, &a, &a);
        assert_true(fp2_equal(&l, &r));
        vb_fp2_inverse(&l, &a);
        vb_fp2_mul(&l, &l, &a);
        assert_true(fp2_equal(&l, vb_fp2_is_zero(&a) ? &zero : &vb_fp2_one));
        t = vb_fp2_one;
        t.c1 = t.c0; /* xi */
        vb_fp2_mul(&l, &a, &t);
        vb_fp2_mul_xi(&r, &a);
        assert_true(fp2_equal(&l, &r));
    }
}

/* Roots of squares are roots; xi is no square, so xi a^2 has none. Also where a part is zero. */
static void square_roots(void **state) {
    (void)state;
    for (int i = 0; i < 400; i++) {
        vb_fp2 a = random_fp2(), square, root;
        if (i % 4 == 1 || i == 7) {
            memset(&a.c0, 0, sizeof a.c0);
        }
        if (i % 4 == 2 || i == 7) {
            memset(&a.c1, 0, sizeof a.c1);
        }
        vb_fp2_square(&square, &a);
        assert_true(vb_fp2_sqrt(&root, &square));
        vb_fp2_square(&root, &root);
        assert_true(fp2_equal(&root, &square));
        vb_fp2_mul_xi(&square, &square);
        assert_int_equal(vb_fp2_sqrt(&root, &square), vb_fp2_is_zero(&a));
        /* Every element of Fp is a square of Fp2; in Fp itself just one of c and -c is. */
        vb_fp2 c = {random_fp(), {{0}}};
        assert_true(vb_fp2_sqrt(&root, &c));
        vb_fp2_square(&root, &root);
        assert_true(fp2_equal(&root, &c));
        vb_fp minus;
        vb_fp_neg(&minus, &c.c0);
        assert_int_equal(vb_fp_sqrt(&root.c0, &c.c0) + vb_fp_sqrt(&root.c0, &minus),
                         vb_fp_is_zero(&c.c0) ? 2 : 1);
    }
}

static void laws_of_fp12(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        vb_fp12 a = random_fp12(), b = random_fp12(), c = random_fp12(), l, r;
        vb_fp12_mul(&l, &a, &b);
        vb_fp12_mul(&l, &l, &c);
        vb_fp12_mul(&r, &b, &c);
        vb_fp12_mul(&r, &r, &a);
        assert_equal12(&l, &r);
        vb_fp12_square(&l, &a);
        vb_fp12_mul(&r, &a, &a);
        assert_equal12(&l, &r);
        vb_fp12_inverse(&l, &a);
        vb_fp12_mul(&l, &l, &a);
        assert_true(vb_fp12_is_one(&l));
        vb_fp12 line = {0};
        line.c[0].c[0] = random_fp2();
        line.c[0].c[1] = random_fp2();
        line.c[1].c[1] = random_fp2();
        vb_fp12_mul(&l, &a, &line);
        vb_fp12_mul_line(&r, &a, &line.c[0].c[0], &line.c[0].c[1], &line.c[1].c[1]);
        assert_equal12(&l, &r);
    }
}

/* w^2 = v, v^3 = xi, u^2 = -1: the tower is the one that the header says. */
static void the_tower(void **state) {
    vb_fp12 w = {0}, x, xi = {0};
    vb_fp2 u = {0}, minus;
    (void)state;
    w.c[1].c[0] = vb_fp2_one;
    xi.c[0].c[0] = (vb_fp2){vb_fp2_one.c0, vb_fp2_one.c0};
    x = power(&w, "2");
    assert_true(fp2_equal(&x.c[0].c[1], &vb_fp2_one));
    x = power(&w, "6");
    assert_equal12(&x, &xi);
    u.c1 = vb_fp2_one.c0;
    vb_fp2_square(&u, &u);
    vb_fp2_neg(&minus, &vb_fp2_one);
    assert_true(fp2_equal(&u, &minus));
}

static void frobenius_is_the_power_of_p(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        const vb_fp12 a = random_fp12();
        const vb_fp12 expected = power(&a, modulus_hex);
        vb_fp12 x, conjugate;
        vb_fp12_frobenius(&x, &a);
        assert_equal12(&x, &expected);
        for (int k = 1; k < 12; k++) {
            if (k == 6) {
                vb_fp12_conjugate(&conjugate, &a);
                assert_equal12(&x, &conjugate);
            }
            vb_fp12_frobenius(&x, &x);
        }
        assert_equal12(&x, &a);
    }
}

static void cyclotomic_squares(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        vb_fp12 a = random_fp12(), x, y;
        vb_fp12_inverse(&x, &a);
        vb_fp12_conjugate(&a, &a);
        vb_fp12_mul(&a, &a, &x); /* the power of p^6 - 1 */
        vb_fp12_frobenius(&x, &a);
        vb_fp12_frobenius(&x, &x);
        vb_fp12_mul(&a, &a, &x); /* of p^2 + 1 */
        vb_fp12_square(&x, &a);
        vb_fp12_cyclotomic_square(&y, &a);
        assert_equal12(&x, &y);
        vb_fp12_cyclotomic_square(&a, &a);
        assert_equal12(&x, &a);
    }
}

static void laws_of_points(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        const vb_bls_group g = i % 2 ? VB_BLS_G2 : VB_BLS_G1;
        const vb_bls_point a = curve_point(g), b = curve_point(g), c = curve_point(g);
        vb_bls_point l, r, minus = a, none = {0};
        vb_bls_point_add(&l, &a, &b);
        vb_bls_point_add(&l, &l, &c);
        vb_bls_point_add(&r, &c, &b);
        vb_bls_point_add(&r, &r, &a);
        assert_true(point_equal(&l, &r));
        vb_bls_point_double(&l, &a);
        vb_bls_point_add(&r, &a, &a);
        assert_true(point_equal(&l, &r));
        assert_false(point_equal(&l, &a));
        vb_fp2_neg(&minus.y, &minus.y);
        vb_bls_point_add(&l, &r, &minus); /* 2a - a, with other z */
        assert_true(point_equal(&l, &a));
        vb_bls_point_add(&l, &a, &minus);
        assert_true(is_identity(&l));
        vb_bls_point_double(&l, &l);
        assert_true(is_identity(&l));
        vb_bls_point_add(&l, &l, &a);
        assert_true(point_equal(&l, &a));
        vb_bls_point_add(&l, &a, &none);
        assert_true(point_equal(&l, &a));
        vb_bls_affine affine;
        assert_false(vb_bls_point_to_affine(&affine, &none));
    }
}

/* The quick test of membership against its definition, [r] P = O. */
static void subgroups(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        const vb_bls_group g = i % 2 ? VB_BLS_G2 : VB_BLS_G1;
        vb_bls_point p = curve_point(g), multiple;
        vb_bls_affine a;
        assert_true(vb_bls_point_to_affine(&a, &p));
        multiple = times(&p, order_hex);
        assert_int_equal(vb_bls_in_subgroup(g, &a), is_identity(&multiple));
        assert_false(is_identity(&multiple));
        vb_bls_clear_cofactor(g, &p, &p);
        assert_true(vb_bls_point_to_affine(&a, &p));
        assert_true(vb_bls_in_subgroup(g, &a));
        multiple = times(&p, order_hex);
        assert_true(is_identity(&multiple));
    }
    for (vb_bls_group g = VB_BLS_G1; g <= VB_BLS_G2; g++) {
        vb_bls_point p = generator(g);
        vb_bls_affine a;
        assert_false(is_identity(&p));
        vb_bls_generator(g, &a);
        assert_true(vb_bls_in_subgroup(g, &a));
        p = times(&p, order_hex);
        assert_true(is_identity(&p));
    }
}

static void pair(const vb_bls_point p[2], const vb_bls_point q[2], vb_fp12 *out) {
    vb_bls_affine pa[2], qa[2];
    for (int i = 0; i < 2; i++) {
        assert_true(vb_bls_point_to_affine(&pa[i], &p[i]));
        assert_true(vb_bls_point_to_affine(&qa[i], &q[i]));
    }
    vb_bls_pairing_product(pa, qa, out);
}

static void the_pairing_is_bilinear(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        char a[17], b[17];
        snprintf(a, sizeof a, "%016llx", (unsigned long long)vb_test_random(&rng));
        snprintf(b, sizeof b, "%016llx", (unsigned long long)vb_test_random(&rng));
        const vb_bls_point p = generator(VB_BLS_G1), q = generator(VB_BLS_G2);
        const vb_bls_point ap = times(&p, a), bq = times(&q, b);
        vb_bls_point abp = times(&ap, b), abq = times(&bq, a);
        vb_fp12 x, y;
        /* e(aP, bQ) / e(abP, Q) = 1, and so for abQ; without the inverse it is no 1. */
        pair((vb_bls_point[]){ap, abp}, (vb_bls_point[]){bq, q}, &x);
        assert_false(vb_fp12_is_one(&x));
        y = power(&x, order_hex);
        assert_true(vb_fp12_is_one(&y));
        vb_fp2_neg(&abp.y, &abp.y);
        pair((vb_bls_point[]){ap, abp}, (vb_bls_point[]){bq, q}, &x);
        assert_true(vb_fp12_is_one(&x));
        vb_fp2_neg(&abq.y, &abq.y);
        pair((vb_bls_point[]){ap, p}, (vb_bls_point[]){bq, abq}, &x);
        assert_true(vb_fp12_is_one(&x));
        /* e(aP, Q) e(bP, Q) = e((a + b + 1) P, Q) e(-P, Q). */
        vb_bls_point bp = times(&p, b), sum, one[2] = {p, p}, other[2] = {q, q};
        vb_bls_point_add(&sum, &ap, &bp);
        pair((vb_bls_point[]){ap, bp}, (vb_bls_point[]){q, q}, &x);
        vb_bls_point_add(&sum, &sum, &p);
        vb_fp2_neg(&one[1].y, &one[1].y);
        one[0] = sum;
        pair(one, other, &y);
        assert_equal12(&x, &y);
    }
}

/* The value itself, as noble-curves computes it: no scale or sign is lost in "product is 1". */
static void the_pairing_of_the_generators(void **state) {
    vb_bls_point p[2], q[2];
    vb_fp12 x;
    uint8_t bytes[12 * VB_FP_BYTES], digest[VB_SHA256_BYTES];
    (void)state;
    for (int i = 0; i < 2; i++) {
        p[i] = generator(VB_BLS_G1);
        q[i] = generator(VB_BLS_G2);
    }
    pair(p, q, &x);
    for (int i = 0; i < 6; i++) {
        vb_test_encode_fp(bytes + 2 * VB_FP_BYTES * i, &x.c[i / 3].c[i % 3].c0);
        vb_test_encode_fp(bytes + 2 * VB_FP_BYTES * i + VB_FP_BYTES, &x.c[i / 3].c[i % 3].c1);
    }
    vb_sha256_of(bytes, sizeof bytes, digest);
    assert_bytes(digest, sizeof digest,
                 "de1d24bbf2c663259b8c07d2e92b03f297d03067e64833c8b035050943386d1b");
}

static vb_err check(vb_bls_group g, const uint8_t *key, const void *msg, size_t n_msg,
                    const uint8_t *signature, vb_error *e) {
    return g == VB_BLS_G1 ? vb_bls_verify_g1(key, msg, n_msg, VB_BLS_DST_G1, signature, e)
                          : vb_bls_verify_g2(key, msg, n_msg, VB_BLS_DST_G2, signature, e);
}

typedef struct signed_message {
    uint8_t key[VB_BLS_G2_BYTES], msg[7], signature[VB_BLS_G2_BYTES];
    size_t n_key, n_signature;
} signed_message;

static signed_message load_synthetic(vb_bls_group g) {
    signed_message s = {.n_key = 144 - 48 * (size_t)g, .n_signature = 48 * (size_t)g};
    decode_hex(synthetic[g - 1].key, s.key, s.n_key);
    decode_hex(synthetic[g - 1].signature, s.signature, s.n_signature);
    memcpy(s.msg, "a round", 7);
    return s;
}

static void signatures_of_another_program(void **state) {
    (void)state;
    for (vb_bls_group g = VB_BLS_G1; g <= VB_BLS_G2; g++) {
        signed_message s = load_synthetic(g);
        vb_error e = {0};
        assert_int_equal(check(g, s.key, s.msg, 7, s.signature, &e), VB_OK);
        assert_int_equal(check(g, s.key, s.msg, 6, s.signature, &e), VB_EMISMATCH);
        assert_non_null(strstr(e.msg, "signature"));
        assert_int_equal(check(g, s.key, NULL, 0, s.signature, NULL), VB_EMISMATCH);
        /* The other tag. */
        assert_int_equal(g == VB_BLS_G1
                             ? vb_bls_verify_g1(s.key, s.msg, 7, VB_BLS_DST_G2, s.signature, NULL)
                             : vb_bls_verify_g2(s.key, s.msg, 7, VB_BLS_DST_G1, s.signature, NULL),
                         VB_EMISMATCH);
        /* Both negated: the key's negation signs so. */
        s.key[0] ^= 0x20;
        s.signature[0] ^= 0x20;
        assert_int_equal(check(g, s.key, s.msg, 7, s.signature, NULL), VB_OK);
    }
}

/* A changed x is no point of the subgroup; the one bit that chooses y gives another good point. */
static void any_change_is_refused(void **state) {
    (void)state;
    for (vb_bls_group g = VB_BLS_G1; g <= VB_BLS_G2; g++) {
        signed_message s = load_synthetic(g);
        struct {
            uint8_t *bytes;
            size_t n;
            const char *name;
        } parts[] = {{s.key, s.n_key, "the public key: "},
                     {s.signature, s.n_signature, "the signature: "},
                     {s.msg, sizeof s.msg, NULL}};
        for (size_t k = 0; k < 3; k++) {
            for (size_t bit = 0; bit < 8 * parts[k].n; bit++) {
                vb_error e = {0};
                const bool is_format = parts[k].name && bit != 5;
                parts[k].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(check(g, s.key, s.msg, 7, s.signature, &e),
                                 is_format ? VB_EFORMAT : VB_EMISMATCH);
                assert_true(!is_format || strstr(e.msg, parts[k].name) == e.msg);
                parts[k].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
        }
        assert_int_equal(check(g, s.key, s.msg, 7, s.signature, NULL), VB_OK);
    }
}

static void encodings_come_back(void **state) {
    (void)state;
    for (uint8_t i = 0; i < 60; i++) {
        const vb_bls_group g = i % 2 ? VB_BLS_G2 : VB_BLS_G1;
        uint8_t bytes[VB_BLS_G2_BYTES];
        vb_bls_affine a, back;
        vb_bls_point p;
        vb_bls_hash_to_curve(g, &i, 1, "encodings", &p);
        for (int sign = 0; sign < 2; sign++) {
            assert_true(vb_bls_point_to_affine(&a, &p));
            vb_test_encode_point(g, &p, bytes);
            assert_int_equal(vb_bls_decode(g, bytes, "x", &back, NULL), VB_OK);
            assert_memory_equal(&a, &back, sizeof a);
            vb_fp2_neg(&p.y, &p.y);
        }
    }
}

static void assert_no_point(vb_bls_group g, const uint8_t *bytes, const char *why) {
    vb_bls_affine a;
    vb_error e = {0};
    assert_int_equal(vb_bls_decode(g, bytes, "x", &a, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, why));
    /* And in either place of a signature that is good otherwise. */
    signed_message s = load_synthetic(g);
    assert_int_equal(check(g, s.key, s.msg, 7, bytes, NULL), VB_EFORMAT);
    s = load_synthetic(g == VB_BLS_G1 ? VB_BLS_G2 : VB_BLS_G1);
    assert_int_equal(
        check(g == VB_BLS_G1 ? VB_BLS_G2 : VB_BLS_G1, bytes, s.msg, 7, s.signature, NULL),
        VB_EFORMAT);
}

static void strict_decoding(void **state) {
    (void)state;
    for (vb_bls_group g = VB_BLS_G1; g <= VB_BLS_G2; g++) {
        const size_t n = 48 * (size_t)g;
        uint8_t good[VB_BLS_G2_BYTES], bytes[VB_BLS_G2_BYTES], again[VB_BLS_G2_BYTES];
        vb_bls_affine a;
        vb_bls_point p = generator(g);
        vb_test_encode_point(g, &p, good);
        assert_int_equal(vb_bls_decode(g, good, "x", &a, NULL), VB_OK);
        vb_bls_point_from_affine(&p, &a);
        vb_test_encode_point(g, &p, again);
        assert_memory_equal(good, again, n);
        memcpy(bytes, good, n);
        bytes[0] &= 0x7f;
        assert_no_point(g, bytes, "flag 0x80");
        bytes[0] = good[0] | 0x40;
        assert_no_point(g, bytes, "identity");
        memset(bytes, 0, n);
        bytes[0] = 0xc0;
        assert_no_point(g, bytes, "identity");
        bytes[0] = 0xe0;
        assert_no_point(g, bytes, "identity");
        bytes[0] = 0x40;
        assert_no_point(g, bytes, "flag 0x80");
        memcpy(bytes, good, n);
        decode_hex(modulus_hex, bytes, 48);
        bytes[0] |= 0x80;
        assert_no_point(g, bytes, "modulus");
        memset(bytes, 0xff, 48);
        bytes[0] = 0x9f;
        assert_no_point(g, bytes, "modulus");
        memset(bytes, 0, n);
        bytes[0] = 0x80;
        bytes[n - 1] = 1;
        assert_no_point(g, bytes, "no point of the curve");
    }
    /* The second coefficient of G2 has no flags and its own bound. */
    uint8_t bytes[VB_BLS_G2_BYTES];
    vb_bls_point p = generator(VB_BLS_G2);
    vb_test_encode_point(VB_BLS_G2, &p, bytes);
    for (int flag = 0x20; flag <= 0x80; flag *= 2) {
        bytes[48] |= (uint8_t)flag;
        assert_no_point(VB_BLS_G2, bytes, "modulus");
        bytes[48] &= (uint8_t)~flag;
    }
    decode_hex(modulus_hex, bytes + 48, 48);
    assert_no_point(VB_BLS_G2, bytes, "modulus");
}

/* With the identity as key and signature the equation holds for every message. */
static void the_identity_is_refused(void **state) {
    uint8_t identity[VB_BLS_G2_BYTES] = {0xc0};
    (void)state;
    for (vb_bls_group g = VB_BLS_G1; g <= VB_BLS_G2; g++) {
        const signed_message s = load_synthetic(g);
        assert_int_equal(check(g, identity, s.msg, 7, identity, NULL), VB_EFORMAT);
        assert_int_equal(check(g, s.key, s.msg, 7, identity, NULL), VB_EFORMAT);
        assert_int_equal(check(g, identity, s.msg, 7, s.signature, NULL), VB_EFORMAT);
    }
}

static void points_outside_the_subgroup_are_refused(void **state) {
    (void)state;
    for (vb_bls_group g = VB_BLS_G1; g <= VB_BLS_G2; g++) {
        for (size_t i = 0; i < 7; i++) {
            uint8_t bytes[VB_BLS_G2_BYTES];
            decode_hex(outside[g - 1][i], bytes, 48 * (size_t)g);
            assert_no_point(g, bytes, "not in the subgroup");
            bytes[0] ^= 0x20;
            assert_no_point(g, bytes, "not in the subgroup");
        }
    }
}

static void drand_rounds(void **state) {
    size_t n, i;
    uint8_t *text = vb_test_read(vb_test_data("beacons/drand.json"), &n);
    json_t *root = json_loadb((const char *)text, n, 0, NULL), *round;
    (void)state;
    for (vb_bls_group g = VB_BLS_G1; g <= VB_BLS_G2; g++) {
        const char *chain = g == VB_BLS_G1 ? "quicknet" : "default";
        const char *key_hex = json_string_value(
            json_object_get(json_object_get(json_object_get(root, "chains"), chain), "public_key"));
        const json_t *rounds = json_object_get(json_object_get(root, "beacons"), chain);
        uint8_t key[VB_BLS_G2_BYTES];
        decode_hex(key_hex, key, 144 - 48 * (size_t)g);
        assert_true(json_array_size(rounds) > 0);
        json_array_foreach(rounds, i, round) {
            const char *previous = json_string_value(json_object_get(round, "previous_signature"));
            uint8_t signature[VB_BLS_G2_BYTES], before[VB_BLS_G2_BYTES], msg[32],
                hm[2 * VB_FP_BYTES];
            const size_t n_before = previous ? strlen(previous) / 2 : 0;
            const uint64_t number = (uint64_t)json_integer_value(json_object_get(round, "round"));
            vb_sha256 s;
            assert_true(n_before <= sizeof before);
            decode_hex(json_string_value(json_object_get(round, "signature")), signature,
                       48 * (size_t)g);
            decode_hex(previous ? previous : "", before, n_before);
            vb_sha256_begin(&s);
            vb_sha256_update(&s, before, n_before);
            vb_sha256_u64be(&s, number);
            vb_sha256_end(&s, msg);
            assert_int_equal(check(g, key, msg, sizeof msg, signature, NULL), VB_OK);
            if (g == VB_BLS_G1) {
                vb_bls_point p;
                vb_bls_affine a;
                vb_bls_hash_to_curve(g, msg, sizeof msg, VB_BLS_DST_G1, &p);
                assert_true(vb_bls_point_to_affine(&a, &p));
                vb_test_encode_fp(hm, &a.x.c0);
                vb_test_encode_fp(hm + VB_FP_BYTES, &a.y.c0);
                assert_bytes(hm, VB_FP_BYTES, json_string_value(json_object_get(round, "hm_x")));
                assert_bytes(hm + VB_FP_BYTES, VB_FP_BYTES,
                             json_string_value(json_object_get(round, "hm_y")));
            }
            msg[31] ^= 1; /* the message is a hash: of another round, or of another predecessor */
            assert_int_equal(check(g, key, msg, sizeof msg, signature, NULL), VB_EMISMATCH);
        }
    }
    json_decref(root);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expand_message_of_the_rfc),
        cmocka_unit_test(hashes_of_the_rfc),
        cmocka_unit_test(numbers_in_and_out),
        cmocka_unit_test(laws_of_fp2),
        cmocka_unit_test(square_roots),
        cmocka_unit_test(laws_of_fp12),
        cmocka_unit_test(the_tower),
        cmocka_unit_test(frobenius_is_the_power_of_p),
        cmocka_unit_test(cyclotomic_squares),
        cmocka_unit_test(laws_of_points),
        cmocka_unit_test(subgroups),
        cmocka_unit_test(the_pairing_is_bilinear),
        cmocka_unit_test(the_pairing_of_the_generators),
        cmocka_unit_test(signatures_of_another_program),
        cmocka_unit_test(any_change_is_refused),
        cmocka_unit_test(encodings_come_back),
        cmocka_unit_test(strict_decoding),
        cmocka_unit_test(the_identity_is_refused),
        cmocka_unit_test(points_outside_the_subgroup_are_refused),
        cmocka_unit_test(drand_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
