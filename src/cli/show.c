#include "cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/limits.h"

void vb_show_time(uint64_t unix_ms, char out[VB_SHOW_TIME_BYTES]) {
    static const uint64_t last_s = 253402300799u; /* of the year 9999 */
    const time_t s = (time_t)(unix_ms / 1000);
    struct tm tm;
    char date[VB_SHOW_TIME_BYTES / 2];
    if (unix_ms / 1000 > last_s || !gmtime_r(&s, &tm) ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        snprintf(out, VB_SHOW_TIME_BYTES, "%" PRIu64 " ms", unix_ms);
    } else if (unix_ms % 1000) {
        snprintf(out, VB_SHOW_TIME_BYTES, "%s.%03uZ", date, (unsigned)(unix_ms % 1000));
    } else {
        snprintf(out, VB_SHOW_TIME_BYTES, "%sZ", date);
    }
}

void vb_show_path(const char *path) {
    char text[VB_PATH_BYTES_MAX];
    snprintf(text, sizeof text, "%s", path);
    vb_make_printable(text);
    fputs(text, stdout);
}
