/* Tokens of OAuth 2, fetched with client credentials (RFC 6749, 4.4) and kept until shortly before they end. */
#include "tocsin/connection.h"

#include <jansson.h>
#include <stdlib.h>

#include "tocsin/clock.h"
#include "tocsin/http.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"

#define EARLY_MS 10000          /* before its end a token is not used any more */
#define UNSAID_MS 300000        /* how long one lasts that does not say */

struct token {
	struct str key, text;           /* empty: none, or it is over */
	int64_t until_mono_ms;
	bool in_body;                   /* its giver wants to see who asks there; it refused a header */
};

struct tokens {
	struct map by_key;
};

struct tokens *tokens_new(void)
{
	return mem_alloc(sizeof(struct tokens));
}

static void forget(struct token *t)
{
	if (t->text.n > 0)
		explicit_bzero((void *)(uintptr_t)t->text.p, t->text.n);
	free((void *)(uintptr_t)t->text.p);
	t->text = STR_NULL;
}

void tokens_free(struct tokens *ts)
{
	for (struct map_slot *s = NULL; (s = map_next(&ts->by_key, s)) != NULL;) {
		struct token *t = s->value;

		forget(t);
		free((void *)(uintptr_t)t->key.p);
		free(t);
	}
	map_fini(&ts->by_key);
	free(ts);
}

static struct str dup(struct str s)
{
	return (struct str){ mem_strndup(s.p, s.n), s.n };
}

/* Whoever asks the same for the same gets the same. */
static struct str key_of(const struct oauth2_settings *o, struct buf *b)
{
	buf_printf(b, STR_FMT "\n" STR_FMT "\n" STR_FMT, STR_ARG(o->token_url), STR_ARG(o->client_id), STR_ARG(o->client_secret));
	for (size_t i = 0; i < o->scopes.n; i++)
		buf_printf(b, "\n" STR_FMT, STR_ARG(o->scopes.v[i]));
	for (size_t i = 0; i < o->params.n; i++)
		buf_printf(b, "\n" STR_FMT "=" STR_FMT, STR_ARG(o->params.v[i].name), STR_ARG(o->params.v[i].value));
	return buf_str(b);
}

/* NULL: it was never asked for. */
static struct token *find(const struct tokens *ts, const struct oauth2_settings *o)
{
	struct buf b = { 0 };
	struct token *t = map_get(&ts->by_key, key_of(o, &b));

	explicit_bzero(b.p, b.n);
	buf_fini(&b);
	return t;
}

static struct token *find_or_add(struct tokens *ts, const struct oauth2_settings *o)
{
	struct token *t = find(ts, o);
	struct buf b = { 0 };

	if (t != NULL)
		return t;
	t = mem_alloc(sizeof *t);
	t->key = dup(key_of(o, &b));
	map_put(&ts->by_key, t->key, t);
	explicit_bzero(b.p, b.n);
	buf_fini(&b);
	return t;
}

struct str tokens_get(struct tokens *ts, const struct oauth2_settings *o)
{
	const struct token *t = find(ts, o);

	return t != NULL && clock_mono_ms(&clock_system) < t->until_mono_ms ? t->text : STR("");
}

void tokens_drop(struct tokens *ts, const struct oauth2_settings *o)
{
	struct token *t = find(ts, o);

	if (t != NULL)
		forget(t);
}

static void put_field(struct buf *b, const char *name, struct str value)
{
	if (b->n > 0)
		buf_putc(b, '&');
	http_encode(b, str_of(name));
	buf_putc(b, '=');
	http_encode(b, value);
}

/* Encoded before they are joined: RFC 6749, 2.3.1. */
static void ask_in_header(CURL *easy, const struct oauth2_settings *o)
{
	struct buf id = { 0 }, secret = { 0 };

	http_encode(&id, o->client_id);
	http_encode(&secret, o->client_secret);
	connection_set_text(easy, CURLOPT_USERNAME, buf_str(&id));
	connection_set_text(easy, CURLOPT_PASSWORD, buf_str(&secret));
	if (secret.n > 0)
		explicit_bzero(secret.p, secret.n);
	buf_fini(&id);
	buf_fini(&secret);
}

void tokens_ask(CURL *easy, const struct tokens *ts, const struct oauth2_settings *o, struct connection_lists *l)
{
	const struct token *t = find(ts, o);
	struct buf body = { 0 }, scopes = { 0 };

	put_field(&body, "grant_type", STR("client_credentials"));
	for (size_t i = 0; i < o->scopes.n; i++)
		buf_printf(&scopes, "%s" STR_FMT, i > 0 ? " " : "", STR_ARG(o->scopes.v[i]));
	if (scopes.n > 0)
		put_field(&body, "scope", buf_str(&scopes));
	for (size_t i = 0; i < o->params.n; i++)
		put_field(&body, o->params.v[i].name.p, o->params.v[i].value);
	connection_apply(easy, o->token_url, &o->http, l);
	if (t == NULL || !t->in_body) {
		ask_in_header(easy, o);
	} else {
		put_field(&body, "client_id", o->client_id);
		put_field(&body, "client_secret", o->client_secret);
	}
	connection_add_header(l, STR("Accept"), STR("application/json"));
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, l->headers);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.p);
	explicit_bzero(body.p, body.n);
	buf_fini(&scopes);
	buf_fini(&body);
}

static void keep(struct token *t, struct str text, double seconds)
{
	int64_t ms = seconds >= 1 && seconds < 1e9 ? (int64_t)(seconds * 1000) : UNSAID_MS;

	forget(t);
	t->text = dup(text);
	t->until_mono_ms = clock_mono_ms(&clock_system) + (ms > 2 * EARLY_MS ? ms - EARLY_MS : ms / 2);
}

/* Who asks is refused: the next time the other way is tried. Whether that is in the body, and so at once. */
static bool try_in_body(struct token *t, int status)
{
	if (status != 400 && status != 401 && status != 403)
		return false;
	t->in_body = !t->in_body;
	return t->in_body;
}

bool tokens_take(struct tokens *ts, const struct oauth2_settings *o, int status, struct str body, struct err *e)
{
	json_t *answer = json_loadb(body.n > 0 ? body.p : "", body.n, 0, NULL);
	json_t *token = json_object_get(answer, "access_token"), *seconds = json_object_get(answer, "expires_in");
	struct str text = json_is_string(token) ? (struct str){ json_string_value(token), json_string_length(token) } : STR("");
	struct token *t = find_or_add(ts, o);
	bool ok = status == 200 && text.n > 0 && str_chr(text, '\n') == text.n && str_chr(text, '\r') == text.n;

	if (ok)
		keep(t, text, json_is_string(seconds) ? strtod(json_string_value(seconds), NULL) : json_number_value(seconds));
	else if (try_in_body(t, status))
		ok = true;
	else
		err_set(e, ERR_UPSTREAM, -1, "oauth2: no token: the token's giver answered HTTP %d", status);
	json_decref(answer);
	return ok;
}
