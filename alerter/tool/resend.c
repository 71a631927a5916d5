/* tocsin-alerter resend: asks a running alerter to send messages again that were given up, or to discard them; without an id, lists them. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/connection.h"
#include "tocsin/err.h"
#include "tocsin/flags.h"

#define MAX_REPLY_BYTES (64u << 20)
#define TIMEOUT_S 30L

struct wishes {
	struct str url;
	bool discard, help;
};

static size_t take(char *p, size_t size, size_t n, void *to)
{
	struct buf *b = to;

	if (b->n + size * n > MAX_REPLY_BYTES)
		return 0;
	buf_put(b, p, size * n);
	return size * n;
}

/* GET, or POST of a form. False and <e> unless it answers 200. */
static bool ask(const struct wishes *w, const char *path, const char *form, struct buf *reply, struct err *e)
{
	CURL *easy = curl_easy_init();
	struct buf url = { 0 };
	long status = 0;
	CURLcode code;

	buf_printf(&url, STR_FMT "%s", STR_ARG(w->url), path);
	curl_easy_setopt(easy, CURLOPT_URL, buf_z(&url));
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, TIMEOUT_S);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply);
	connection_guard_lookup(easy);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	if (form != NULL)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, form);
	code = curl_easy_perform(easy);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(easy);
	if (code != CURLE_OK)
		err_set(e, ERR_UPSTREAM, -1, "%s: %s", buf_z(&url), curl_easy_strerror(code));
	else if (status != 200)
		err_set(e, ERR_UPSTREAM, -1, "%s answers %ld: %.*s", buf_z(&url), status, (int)(reply->n < 200 ? reply->n : 200), buf_z(reply));
	buf_fini(&url);
	return e->code == ERR_NONE;
}

static const char *text(const json_t *o, const char *key)
{
	const char *z = json_string_value(json_object_get(o, key));

	return z != NULL ? z : "";
}

static bool list(const struct wishes *w, struct err *e)
{
	struct buf reply = { 0 };
	json_t *answer = NULL, *one;
	size_t i;

	if (ask(w, "/api/v1/outbox", NULL, &reply, e)) {
		answer = json_loadb(buf_z(&reply), reply.n, 0, NULL);
		json_array_foreach(json_object_get(json_object_get(answer, "data"), "dead"), i, one)
			printf("%lld\t%s\t%s\t%s\t%s\n", (long long)json_integer_value(json_object_get(one, "id")), text(one, "createdAt"),
			       text(one, "integration"), json_is_true(json_object_get(one, "resolved")) ? "end" : "firing", text(one, "lastError"));
	}
	json_decref(answer);
	buf_fini(&reply);
	return e->code == ERR_NONE;
}

static bool resend(const struct wishes *w, struct str id, struct err *e)
{
	struct buf reply = { 0 }, form = { 0 };
	int64_t number;

	if (!str_to_int64(id, &number) || number < 1)
		return err_set(e, ERR_BAD_INPUT, -1, "\"" STR_FMT "\" is no id: without one this lists them", STR_ARG(id));
	buf_printf(&form, "id=%lld", (long long)number);
	if (ask(w, w->discard ? "/api/v1/outbox/discard" : "/api/v1/outbox/resend", buf_z(&form), &reply, e))
		printf("%lld is %s\n", (long long)number, w->discard ? "discarded" : "queued again");
	buf_fini(&form);
	buf_fini(&reply);
	return e->code == ERR_NONE;
}

int resend_command(int argc, char **argv)
{
	struct wishes w = { 0 };
	struct flag_list ids = { 0 };
	const struct flag flags[] = {
		{ "url", FLAG_TEXT, &w.url, "http://127.0.0.1:9978", "URL", "Where the alerter answers; user and password from ~/.netrc." },
		{ "discard", FLAG_SWITCH, &w.discard, NULL, NULL, "Forgets them instead." },
		{ "help", FLAG_SWITCH, &w.help, NULL, NULL, "Prints this." },
	};
	struct err e = { 0 };
	struct buf b = { 0 };

	if (!flags_parse(flags, ARRAY_LEN(flags), argc + 1, argv - 1, &ids, &e)) {
		fprintf(stderr, "tocsin-alerter resend: %s\n", e.msg);
		return 2;
	}
	if (w.help) {
		buf_putz(&b, "tocsin-alerter resend [--url=URL] [--discard] [ID...]      without an id: lists what was given up\n\n");
		flags_print_help(&b, flags, ARRAY_LEN(flags));
		fputs(buf_z(&b), stdout);
		buf_fini(&b);
		return 0;
	}
	if (ids.n == 0)
		list(&w, &e);
	for (size_t i = 0; i < ids.n && e.code == ERR_NONE; i++)
		resend(&w, ids.v[i], &e);
	if (e.code != ERR_NONE)
		fprintf(stderr, "tocsin-alerter resend: %s\n", e.msg);
	return e.code != ERR_NONE;
}
