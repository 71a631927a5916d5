/* gzip, whole texts at once. */
#ifndef TOCSIN_GZIP_H
#define TOCSIN_GZIP_H

#include "tocsin/buf.h"
#include "tocsin/err.h"

/* Appends <in> compressed; quick rather than small. */
void gzip_put(struct buf *out, struct str in);
/* Appends <in> decompressed (gzip or zlib, several members); more than <max> bytes is an error that names the limit. */
bool gzip_read(struct buf *out, struct str in, size_t max, struct err *e);

#endif
