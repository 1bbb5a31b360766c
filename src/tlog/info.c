#include "tlog/info.h"

#include <string.h>

#include "receipt/build.h"
#include "json/json.h"

vb_err vb_tlog_info_encode(const vb_tlog_info *info, vb_buf *out, vb_error *e) {
    char key[VB_TLOG_VKEY_BYTES_MAX + 1];
    vb_build b = {VB_OK, e};
    json_t *tree = json_object();
    vb_tlog_key_print(&info->key, key);
    vb_build_put(&b, tree, "format", json_string(VB_TLOG_INFO_FORMAT));
    vb_build_put(&b, tree, "key", json_string(key));
    vb_build_put(&b, tree, "origin", json_string(info->key.name));
    vb_build_put(&b, tree, "publish_within_s", vb_build_number(info->publish_within_s));
    vb_build_put(&b, tree, "settle_within_s", vb_build_number(info->settle_within_s));
    return vb_build_write(&b, tree, out);
}

vb_err vb_tlog_info_decode(const void *bytes, size_t n_bytes, vb_tlog_info *out, vb_error *e) {
    static const char *const names[] = {"format",          "key", "origin", "publish_within_s",
                                        "settle_within_s", NULL};
    char format[sizeof VB_TLOG_INFO_FORMAT + 16], key[VB_TLOG_VKEY_BYTES_MAX + 1];
    char origin[VB_TLOG_ORIGIN_BYTES_MAX + 1];
    vb_tlog_info info;
    json_t *tree;
    if (n_bytes > VB_TLOG_INFO_BYTES_MAX) {
        return vb_fail(e, VB_EFORMAT, "more than %d bytes", VB_TLOG_INFO_BYTES_MAX);
    }
    vb_err err = vb_json_parse(bytes, n_bytes, &tree, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(tree, "", names, e);
    vb_field_name(&f, "format", 1, format, sizeof format);
    if (!f.err && strcmp(format, VB_TLOG_INFO_FORMAT) != 0) {
        vb_field_fail(&f, VB_EUNSUPPORTED, "format", "expected " VB_TLOG_INFO_FORMAT);
    }
    vb_field_name(&f, "key", 1, key, sizeof key);
    vb_field_name(&f, "origin", 1, origin, sizeof origin);
    vb_field_u32(&f, "publish_within_s", 1, VB_TLOG_WITHIN_S_MAX, &info.publish_within_s);
    vb_field_u32(&f, "settle_within_s", 1, VB_TLOG_WITHIN_S_MAX, &info.settle_within_s);
    err = f.err;
    json_decref(tree);
    if (err || (err = vb_tlog_key_parse(key, &info.key, e))) {
        return err;
    }
    if (info.key.type != VB_TLOG_SIGNER_LOG || strcmp(info.key.name, origin) != 0) {
        return vb_fail(e, VB_EFORMAT, "key: expected a log's key, with the origin as its name");
    }
    *out = info;
    return VB_OK;
}
