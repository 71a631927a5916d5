/* A body in pieces: each is made when the one before has gone to the socket. Streams under way are on a list, each with the time
 * by which it must be sent. <lock> guards the list; a stream leaves it before its connection is closed, so the sockets on it are
 * open. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "http_private.h"
#include "tocsin/clock.h"
#include "tocsin/gzip.h"
#include "tocsin/mem.h"

enum { BLOCK_BYTES = 32 * 1024 };

struct under_way {
	struct http_streams *all;
	struct under_way *prev, *next;
	struct http_stream stream;
	struct gzip_pieces *gzip;               /* NULL: sent as it is */
	struct buf ready;                       /* made, from <sent> on not taken yet */
	size_t sent;
	bool complete;
	struct MHD_Connection *conn;
	int fd;                                 /* -1: nothing was asked of it yet */
	int64_t deadline_mono_ms;
};

struct http_streams {
	pthread_mutex_t lock;
	struct under_way *first;
};

struct http_streams *http_streams_new(void)
{
	struct http_streams *ss = mem_alloc(sizeof *ss);

	pthread_mutex_init(&ss->lock, NULL);
	return ss;
}

void http_streams_free(struct http_streams *ss)
{
	pthread_mutex_destroy(&ss->lock);
	free(ss);
}

void http_streams_expire(struct http_streams *ss)
{
	pthread_mutex_lock(&ss->lock);
	for (const struct under_way *u = ss->first; u != NULL; u = u->next)
		if (u->fd >= 0 && clock_mono_ms(&clock_system) > u->deadline_mono_ms)
			shutdown(u->fd, SHUT_RDWR);
	pthread_mutex_unlock(&ss->lock);
}

static void make_piece(struct under_way *u)
{
	struct buf plain = { 0 };

	buf_reset(&u->ready);
	u->sent = 0;
	u->complete = !u->stream.more(u->stream.arg, u->gzip != NULL ? &plain : &u->ready);
	if (u->gzip != NULL)
		gzip_pieces_put(u->gzip, &u->ready, buf_str(&plain), u->complete);
	buf_fini(&plain);
}

/* Only here the connection is known to be there. */
static void note_socket(struct under_way *u)
{
	pthread_mutex_lock(&u->all->lock);
	u->fd = MHD_get_connection_info(u->conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	pthread_mutex_unlock(&u->all->lock);
}

/* Called when the socket takes more. */
static ssize_t read_piece(void *cls, uint64_t pos, char *to, size_t most)
{
	struct under_way *u = cls;
	size_t n;

	(void)pos;
	if (u->fd < 0)
		note_socket(u);
	if (clock_mono_ms(&clock_system) > u->deadline_mono_ms)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	while (u->sent == u->ready.n && !u->complete)   /* a packed piece may come out empty */
		make_piece(u);
	if (u->sent == u->ready.n)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = u->ready.n - u->sent < most ? u->ready.n - u->sent : most;
	memcpy(to, u->ready.p + u->sent, n);
	u->sent += n;
	return (ssize_t)n;
}

static void leave(void *cls)
{
	struct under_way *u = cls;

	pthread_mutex_lock(&u->all->lock);
	*(u->prev != NULL ? &u->prev->next : &u->all->first) = u->next;
	if (u->next != NULL)
		u->next->prev = u->prev;
	pthread_mutex_unlock(&u->all->lock);
	u->stream.end(u->stream.arg);
	gzip_pieces_free(u->gzip);
	buf_fini(&u->ready);
	free(u);
}

struct MHD_Response *http_stream_response(struct http_streams *ss, struct MHD_Connection *conn,
    const struct http_stream *stream, bool packed)
{
	struct under_way *u = mem_alloc(sizeof *u);
	struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_piece, u, leave);

	if (response == NULL)
		mem_abort(BLOCK_BYTES);
	u->all = ss;
	u->stream = *stream;
	u->gzip = packed ? gzip_pieces_new() : NULL;
	u->conn = conn;
	u->fd = -1;
	u->deadline_mono_ms = clock_mono_ms(&clock_system) + stream->deadline_ms;
	http_streams_expire(ss);
	pthread_mutex_lock(&ss->lock);
	u->next = ss->first;
	if (u->next != NULL)
		u->next->prev = u;
	ss->first = u;
	pthread_mutex_unlock(&ss->lock);
	return response;
}
