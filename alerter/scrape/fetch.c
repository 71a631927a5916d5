/* A scrape's request: what it asks for, and its body unpacked. Bodies are bounded while they are received. */
#include "scrape/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tocsin/gzip.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

enum { BODY_MAX = 64 << 20 };

struct fetch {
	struct request request;
	void *owner;
	struct fetch_room *room;
	struct buf accept; /* these two go out with the request, perhaps only after one for a token */
	char seconds[NUM_MAX];
	size_t limit; /* of the plain text */
	char error[CURL_ERROR_SIZE];
};

void fetch_room_init(struct fetch_room *room, CURLM *multi)
{
	enum { MOST = 1 << 20, KEPT = 128 }; /* KEPT: a fourth, or so many if that is less: store, receivers, whoever asks us */
	struct rlimit limit;
	size_t files = getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MOST ? MOST : (size_t)limit.rlim_cur;

	room->most_busy = files - (files / 4 < KEPT ? files / 4 : KEPT);
	curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)room->most_busy);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)room->most_busy); /* curl keeps four for each scrape under way, that is four in all */
}

void fetch_room_fini(struct fetch_room *room)
{
	request_spare_fini(&room->bodies);
	connection_ports_fini(&room->ports);
	buf_fini(&room->plain);
}

struct fetch *fetch_new(void *owner, struct fetch_room *room)
{
	struct fetch *f = mem_alloc(sizeof *f);

	request_init(&f->request);
	f->request.spare = &room->bodies;
	f->request.ports = &room->ports;
	f->room = room;
	f->owner = owner;
	return f;
}

void fetch_free(struct fetch *f, CURLM *multi)
{
	f->room->n_busy -= f->request.busy;
	request_fini(&f->request, multi);
	buf_fini(&f->accept);
	free(f);
}

bool fetch_is_busy(const struct fetch *f)
{
	return f->request.busy;
}

bool fetch_change(struct fetch *f, const struct scrape_job *job)
{
	struct request *q = &f->request;

	q->repeatable = false;
	if (q->busy && q->call.http->oauth2 != NULL)
		return false;
	q->call.http = &job->http;
	return true;
}

/* What gzip makes of a text of the largest size allowed, if it cannot be compressed. */
static size_t largest_gzip(size_t plain)
{
	enum { HEADERS = 64 << 10 };

	return plain + plain / 1000 + HEADERS;
}

static bool ask(struct fetch *f, CURLM *multi, struct tokens *tokens, const struct target *t, struct err *e)
{
	const struct request_call call = {
		.http = &t->job->http,
		.url = t->url,
		.unix_socket = t->unix_socket,
		.timeout_ms = t->timeout_ms,
		.limit = largest_gzip(f->limit),
		.headers = { { STR("X-Prometheus-Scrape-Timeout-Seconds"), { f->seconds, num_format_seconds(f->seconds, t->timeout_ms) } },
		             { STR("Accept"), scrape_accept(&t->job->protocols, t->histograms.native, &f->accept) },
		             { STR("Accept-Encoding"), t->job->enable_compression ? STR("gzip") : STR("identity") } },
	};

	return request_start(&f->request, multi, tokens, &call, f->owner, e);
}

bool fetch_start(struct fetch *f, CURLM *multi, struct tokens *tokens, const struct target *t, struct err *e)
{
	f->error[0] = '\0';
	f->limit = t->job->body_size_limit > 0 ? (size_t)t->job->body_size_limit : BODY_MAX;
	if (f->room->n_busy >= f->room->most_busy)
		return err_set(e, ERR_LIMIT, -1, "not asked: %zu scrapes are under way, and there are no files for more (LimitNOFILE, ulimit -n)",
		               f->room->n_busy);
	if (f->request.repeatable ? !request_repeat(&f->request, multi, e) : !ask(f, multi, tokens, t, e))
		return false;
	f->room->n_busy++;
	return true;
}

/* NULL: it is plain. */
static const char *content_coding(const struct fetch *f)
{
	struct curl_header *coding = NULL;
	struct str name;

	if (curl_easy_header(f->request.easy, "Content-Encoding", 0, CURLH_HEADER, -1, &coding) != CURLHE_OK)
		return NULL;
	name = str_trim(str_of(coding->value));
	return name.n == 0 || str_eq_nocase(name, STR("identity")) ? NULL : coding->value;
}

size_t fetch_plain_bytes(const struct fetch *f, const struct scrape_reply *r)
{
	enum { PACKED_TO = 16 }; /* a text of metrics repeats itself */

	return content_coding(f) != NULL ? r->body.n * PACKED_TO : r->body.n;
}

/* By ourselves: to curl a compressed body that ends too early is a whole one, and what it lacks would be gone. */
static struct str decompress(struct fetch *f, struct buf *plain, struct scrape_reply *r)
{
	const char *coding = content_coding(f);
	struct err e = { 0 };

	if (coding == NULL)
		return r->body;
	buf_reset(plain);
	if (!str_eq_nocase(str_of(coding), STR("gzip"))) {
		snprintf(f->error, sizeof f->error, "Content-Encoding \"%.100s\" was not asked for", coding);
		r->transport_error = f->error;
	} else if (!gzip_read(plain, r->body, f->limit, &e)) {
		f->request.over_limit = e.code == ERR_LIMIT;
		snprintf(f->error, sizeof f->error, "%.255s", e.msg);
		r->transport_error = f->request.over_limit ? NULL : f->error;
	}
	(void)buf_z(plain);
	return buf_str(plain);
}

bool fetch_finish(struct fetch *f, CURLM *multi, struct tokens *tokens, CURLcode code, struct scrape_reply *r)
{
	struct request *q = &f->request;
	struct err e = { 0 };

	if (request_goes_on(q, multi, tokens, code, &e))
		return false;
	f->room->n_busy--;
	*r = (struct scrape_reply){ .duration_s = (double)(clock_mono_us() - q->started_us) * 1e-6, .http_status = request_status(q) };
	r->content_type = request_content_type(q);
	if (e.code != ERR_NONE) {
		snprintf(f->error, sizeof f->error, "%.255s", e.msg);
		r->transport_error = f->error;
	}
	(void)buf_z(&q->body);
	r->body = buf_str(&q->body);
	return true;
}

void fetch_unpack(struct fetch *f, struct buf *plain, struct scrape_reply *r)
{
	if (r->transport_error == NULL && !f->request.over_limit)
		r->body = decompress(f, plain, r);
	if (f->limit == BODY_MAX && (f->request.over_limit || r->body.n > BODY_MAX)) {
		snprintf(f->error, sizeof f->error, "the reply is larger than %d bytes: set body_size_limit, or split the target", BODY_MAX);
		r->transport_error = f->error;
	}
}

void fetch_release(struct fetch *f)
{
	request_release_body(&f->request);
}
