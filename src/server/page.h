/*
 * The web page of the server, at "/": the files of web/, which are part of the program
 * (cmake/web.cmake). It is a client of the API like any other: it has no rights of its own, loads
 * nothing from elsewhere, and a policy forbids the browser to run or ask for anything else.
 * Internal to src/server.
 */
#ifndef VB_SERVER_PAGE_H
#define VB_SERVER_PAGE_H

#include "server/httpd.h"

/* Generated; names are distinct. */
typedef struct vb_page_file {
    const char *name; /* "app.js" */
    const char *type;
    const char *etag; /* quoted, of the bytes */
    const uint8_t *bytes;
    size_t n_bytes;
} vb_page_file;

extern const vb_page_file vb_page_files[];
extern const size_t vb_page_n_files;

/* Routes "/", which is index.html, and "/web/" followed by any file's name; else 404. With an
 * If-None-Match that fits: 304. user is not used. */
void vb_page_show(void *user, vb_exchange *x);

#endif
