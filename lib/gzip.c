/* zlib around whole texts, and around texts in pieces. */
#include "tocsin/gzip.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "tocsin/mem.h"

enum { GZIP_WRAPPER = 16, ANY_WRAPPER = 32, QUICK = 1, CHUNK = 64 * 1024, MAX_WINDOW = 15 };

/* zlib's own type for input lacks const unless asked; the bytes are only read. */
static void set_input(z_stream *z, struct str in)
{
	memcpy(&z->next_in, &in.p, sizeof in.p);
	z->avail_in = (uInt)in.n;
}

void gzip_put(struct buf *out, struct str in)
{
	z_stream z = { 0 };
	char *to;
	int rc;

	assert(in.n <= UINT32_MAX);
	if (deflateInit2(&z, QUICK, Z_DEFLATED, MAX_WINDOW + GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		mem_abort(0);
	set_input(&z, in);
	to = buf_reserve(out, deflateBound(&z, in.n));
	if (to != NULL) {
		z.next_out = (Bytef *)to;
		z.avail_out = (uInt)deflateBound(&z, in.n);
		rc = deflate(&z, Z_FINISH);
		assert(rc == Z_STREAM_END);
		out->n += z.total_out;
	}
	deflateEnd(&z);
}

struct gzip_pieces {
	z_stream z;
};

struct gzip_pieces *gzip_pieces_new(void)
{
	struct gzip_pieces *g = mem_alloc(sizeof *g);

	if (deflateInit2(&g->z, QUICK, Z_DEFLATED, MAX_WINDOW + GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		mem_abort(0);
	return g;
}

void gzip_pieces_put(struct gzip_pieces *g, struct buf *out, struct str in, bool last)
{
	int rc;

	assert(in.n <= UINT32_MAX);
	set_input(&g->z, in);
	do {
		char *to = buf_reserve(out, CHUNK);

		assert(to != NULL);
		g->z.next_out = (Bytef *)to;
		g->z.avail_out = CHUNK;
		rc = deflate(&g->z, last ? Z_FINISH : Z_NO_FLUSH);
		assert(rc != Z_STREAM_ERROR);
		out->n += CHUNK - g->z.avail_out;
	} while (g->z.avail_out == 0);
}

void gzip_pieces_free(struct gzip_pieces *g)
{
	if (g == NULL)
		return;
	deflateEnd(&g->z);
	free(g);
}

/* One member; false and <e> when it is damaged or too large. */
static bool read_member(z_stream *z, struct buf *out, size_t end, size_t max, struct err *e)
{
	int rc = Z_OK;

	while (rc != Z_STREAM_END) {
		size_t room = end - out->n < CHUNK ? end - out->n + 1 : CHUNK;
		char *to = buf_reserve(out, room);

		if (to == NULL)
			return err_set(e, ERR_LIMIT, -1, "the decompressed text does not fit");
		z->next_out = (Bytef *)to;
		z->avail_out = (uInt)room;
		rc = inflate(z, Z_NO_FLUSH);
		out->n += room - z->avail_out;
		if (out->n > end)
			return err_set(e, ERR_LIMIT, -1, "the decompressed text is larger than the limit of %zu bytes", max);
		if (rc != Z_OK && rc != Z_STREAM_END)
			return err_set(e, ERR_BAD_INPUT, -1, "the compressed text is damaged: %s", z->msg ? z->msg : "it ends too early");
	}
	return true;
}

bool gzip_read(struct buf *out, struct str in, size_t max, struct err *e)
{
	size_t end = out->n + max;
	z_stream z = { 0 };
	bool ok = true;

	assert(in.n <= UINT32_MAX);
	if (inflateInit2(&z, MAX_WINDOW + ANY_WRAPPER) != Z_OK)
		mem_abort(0);
	set_input(&z, in);
	do {
		ok = read_member(&z, out, end, max, e);
	} while (ok && z.avail_in > 0 && inflateReset(&z) == Z_OK);
	inflateEnd(&z);
	return ok;
}
