/* The bytes of a reply, kept once however many requests are answered with them, and packed once. Raw and packed bytes are let go of
 * each for itself: when who made the body has closed it and no response sends them any more. */
#include <pthread.h>
#include <stdlib.h>

#include "http_private.h"
#include "tocsin/gzip.h"
#include "tocsin/mem.h"

enum { RAW, PACKED, FORMS };

struct form {
	struct http_body *body;
	struct buf bytes;
	size_t sending;                 /* responses */
};

struct http_body {
	pthread_mutex_t lock;
	struct form forms[FORMS];
	bool closed;
};

struct http_body *http_body_new(struct buf *b)
{
	struct http_body *body = mem_alloc(sizeof *body);

	pthread_mutex_init(&body->lock, NULL);
	body->forms[RAW].bytes = *b;
	*b = (struct buf){ 0 };
	for (size_t i = 0; i < FORMS; i++)
		body->forms[i].body = body;
	return body;
}

/* Under the lock, which it lets go. */
static void release(struct http_body *body)
{
	size_t sending = 0;
	bool closed = body->closed;

	for (size_t i = 0; i < FORMS; i++) {
		sending += body->forms[i].sending;
		if (closed && body->forms[i].sending == 0)
			buf_fini(&body->forms[i].bytes);
	}
	pthread_mutex_unlock(&body->lock);
	if (!closed || sending > 0)
		return;
	pthread_mutex_destroy(&body->lock);
	free(body);
}

void http_body_close(struct http_body *body)
{
	pthread_mutex_lock(&body->lock);
	body->closed = true;
	release(body);
}

static void on_sent(void *arg)
{
	struct form *f = arg;
	struct http_body *body = f->body;

	pthread_mutex_lock(&body->lock);
	f->sending--;
	release(body);
}

size_t http_body_size(const struct http_body *body)
{
	return body->forms[RAW].bytes.n;
}

struct MHD_Response *http_body_response(struct http_body *body, bool packed)
{
	struct form *f = &body->forms[packed ? PACKED : RAW];
	struct MHD_Response *response;

	pthread_mutex_lock(&body->lock);
	if (packed && f->bytes.n == 0)
		gzip_put(&f->bytes, buf_str(&body->forms[RAW].bytes));
	f->sending++;
	pthread_mutex_unlock(&body->lock);
	response = MHD_create_response_from_buffer_with_free_callback_cls(f->bytes.n, f->bytes.p, on_sent, f);
	if (response == NULL)
		mem_abort(f->bytes.n);
	return response;
}
