/* gzip. */
#ifndef TOCSIN_GZIP_H
#define TOCSIN_GZIP_H

#include "tocsin/buf.h"
#include "tocsin/err.h"

/* Appends <in> compressed; quick rather than small. */
void gzip_put(struct buf *out, struct str in);
/* The same piece by piece; the last one ends it. */
struct gzip_pieces;
struct gzip_pieces *gzip_pieces_new(void);
void gzip_pieces_put(struct gzip_pieces *g, struct buf *out, struct str in, bool last);
void gzip_pieces_free(struct gzip_pieces *g);   /* NULL is fine */
/* Appends <in> decompressed (gzip or zlib, several members); more than <max> bytes is an error that names the limit. */
bool gzip_read(struct buf *out, struct str in, size_t max, struct err *e);

#endif
