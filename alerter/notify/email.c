/* E-mail: one message of two parts, text and HTML, in a thread of its own for each episode, or as threading: says. Its Message-ID is the message's key, so
 * that a repeat can be told from a new one. Sources: RFC 5322 (message), RFC 2047 (encoded words), RFC 2046 5.1.4 (alternative). */
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>

#include "notify/notifier.h"

#define LINE_BYTES   57 /* of what becomes a line of 76 in base64 */
#define DEFAULT_PORT 25
#define TLS_PORT     465

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* No line of ours is anybody else's to begin. */
static struct str one_line(struct arena *a, struct str s)
{
	char *p = arena_strz(a, s);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = ' ';
	return (struct str){p, s.n};
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

static void put_base64(struct buf *b, struct str s, const char *between)
{
	for (size_t at = 0; at < s.n; at += LINE_BYTES) {
		unsigned char out[LINE_BYTES * 2];
		size_t n = s.n - at < LINE_BYTES ? s.n - at : LINE_BYTES;

		EVP_EncodeBlock(out, (const unsigned char *)s.p + at, (int)n);
		buf_putz(b, (const char *)out);
		buf_putz(b, between);
	}
}

/* An encoded word holds whole characters and at most 75 bytes. */
static void put_words(struct buf *b, struct str s)
{
	while (s.n > 0) {
		size_t n = 0, len;

		while (n < s.n && (len = str_utf8_len((struct str){s.p + n, s.n - n}), len = len > 0 ? len : 1, n + len <= 42))
			n += len;
		buf_putz(b, "=?utf-8?B?");
		put_base64(b, (struct str){s.p, n}, "");
		buf_putz(b, s.n > n ? "?=\r\n " : "?=");
		s = (struct str){s.p + n, s.n - n};
	}
}

static void put_header(struct buf *b, struct arena *a, struct str name, struct str value)
{
	value = one_line(a, value);
	buf_printf(b, STR_FMT ": ", STR_ARG(name));
	if (is_ascii(value) && value.n < 900)
		buf_puts(b, value);
	else
		put_words(b, value);
	buf_putz(b, "\r\n");
}

static void put_date(struct buf *b, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm t;

	gmtime_r(&s, &t);
	buf_printf(b, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[t.tm_wday], t.tm_mday, months[t.tm_mon],
		   t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

/* "Name <a@b>" is a@b. */
static struct str address(struct str s)
{
	size_t open = str_chr(s, '<'), close = str_chr(s, '>');

	return open < close && close < s.n ? str_trim((struct str){s.p + open + 1, close - open - 1}) : str_trim(s);
}

static struct str host_of(struct str address)
{
	size_t at = str_chr(address, '@');

	return at < address.n ? (struct str){address.p + at + 1, address.n - at - 1} : STR("localhost");
}

static json_t *find_header(json_t *headers, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach(headers, key,
			    value) if (str_eq_nocase(str_of(key), str_of(name)) && json_is_string(value)) return value;
	return NULL;
}

/* What mails of a thread refer to: the episode; with threading: the group, and the day unless that says otherwise. */
static struct str thread_of(struct delivery *d, json_t *texts)
{
	const struct message *m = d->message;
	json_t *threading = json_object_get(texts, "threading"), *by_date = json_object_get(threading, "thread_by_date");
	char date[32] = "";

	if (!json_is_true(json_object_get(threading, "enabled")))
		return str_of(m->episode->id);
	if (!json_is_string(by_date) || strcmp(json_string_value(by_date), "none") != 0)
		clock_format_rfc3339(date, m->created_ms);
	return arena_printf(&d->arena, "group-%016llx%s%.10s", (unsigned long long)notify_config_identity(m->integration, m->group_key),
			    date[0] != '\0' ? "-" : "", date);
}

/* Headers of one's own stand instead of ours. */
static void put_headers(struct buf *b, struct delivery *d, json_t *texts, struct str from, struct str to)
{
	const struct message *m = d->message;
	json_t *own = json_object_get(texts, "headers"), *value;
	struct str thread = arena_printf(&d->arena, "<" STR_FMT "@" STR_FMT ">", STR_ARG(thread_of(d, texts)), STR_ARG(host_of(address(from))));
	const struct label ours[] = {
	    {STR("From"), from},
	    {STR("To"), to},
	    {STR("Subject"), notifier_setting(d, texts, "_subject")},
	    {STR("Message-ID"),
	     arena_printf(&d->arena, "<" STR_FMT "@" STR_FMT ">", STR_ARG(m->key), STR_ARG(host_of(address(from))))},
	    {STR("References"), thread},
	    {STR("In-Reply-To"), json_is_true(json_object_get(json_object_get(texts, "threading"), "enabled")) ? thread : STR("")},
	    {STR("X-Tocsin-Possible-Repeat"), m->doubtful ? STR("true") : STR("")},
	};
	const char *name;

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (ours[i].value.n > 0 && find_header(own, ours[i].name.p) == NULL)
			put_header(b, &d->arena, ours[i].name, ours[i].value);
	json_object_foreach(own, name, value) if (json_is_string(value)) put_header(
	    b, &d->arena, one_line(&d->arena, str_of(name)), (struct str){json_string_value(value), json_string_length(value)});
	put_date(b, m->created_ms);
}

static void put_part(struct buf *b, const char *episode, const char *type, struct str text)
{
	if (text.n == 0)
		return;
	buf_printf(b, "--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", episode, type);
	put_base64(b, text, "\r\n");
}

static struct str compose(struct delivery *d, json_t *texts, struct str from, struct str to)
{
	const char *boundary = d->message->episode->id;
	struct buf b = {0};
	struct str out;

	put_headers(&b, d, texts, from, to);
	buf_printf(&b, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n", boundary);
	put_part(&b, boundary, "text/plain", notifier_setting(d, texts, "text"));
	put_part(&b, boundary, "text/html", notifier_setting(d, texts, "html"));
	buf_printf(&b, "--%s--\r\n", boundary);
	out = arena_str(&d->arena, buf_str(&b));
	buf_fini(&b);
	return out;
}

static struct mail *make_mail(struct delivery *d, json_t *texts, struct str from, struct str to)
{
	struct mail *mail = ARENA_NEW(&d->arena, struct mail);
	struct str *v = ARENA_ARRAY(&d->arena, to.n + 1, struct str), rest = to, one;

	while (rest.n > 0 && str_cut(&rest, ',', &one))
		if (address(one).n > 0)
			v[mail->n_to++] = arena_str(&d->arena, one_line(&d->arena, address(one)));
	mail->to = v;
	mail->from = arena_str(&d->arena, one_line(&d->arena, address(from)));
	mail->user = notifier_setting(d, texts, "auth_username");
	mail->password = notifier_setting(d, texts, "auth_password");
	if (mail->password.n == 0)
		mail->password = notifier_setting(d, texts, "auth_secret");
	mail->identity = notifier_setting(d, texts, "auth_identity");
	mail->require_tls = !str_eq(notifier_setting(d, texts, "require_tls"), STR("false"));
	return mail;
}

static struct str server_url(struct delivery *d, json_t *texts)
{
	struct str place = notifier_setting(d, texts, "smarthost"), port = place, host, hello = notifier_setting(d, texts, "hello");
	bool implicit = str_eq(notifier_setting(d, texts, "force_implicit_tls"), STR("true"));

	while (str_chr(port, ':') < port.n)
		port = (struct str){port.p + str_chr(port, ':') + 1, port.n - str_chr(port, ':') - 1};
	host = port.n < place.n ? (struct str){place.p, place.n - port.n - 1} : place;
	if (host.n == place.n)
		port = arena_printf(&d->arena, "%d", DEFAULT_PORT);
	implicit = implicit || str_eq(port, arena_printf(&d->arena, "%d", TLS_PORT));
	return arena_printf(&d->arena, "smtp%s://" STR_FMT ":" STR_FMT "/" STR_FMT, implicit ? "s" : "", STR_ARG(host),
			    STR_ARG(port), STR_ARG(hello));
}

static enum deliver_next ask(struct delivery *d)
{
	json_t *kept = json_loadb(d->message->payload.p, d->message->payload.n, JSON_ALLOW_NUL, NULL);
	json_t *texts = json_object_get(kept, "settings");
	struct str from = arena_str(&d->arena, notifier_setting(d, texts, "from")), to = arena_str(&d->arena, notifier_setting(d, texts, "to"));

	d->call = (struct http_call){.method = "MAIL",
				     .url = server_url(d, texts),
				     .body = compose(d, texts, from, to),
				     .http = &d->integration->http,
				     .timeout_ms = d->integration->timeout_ms,
				     .mail = make_mail(d, texts, from, to)};
	d->call_changes = true;
	json_decref(kept);
	if (d->call.mail->n_to > 0)
		return DELIVER_ASK;
	d->note = "nobody to send it to";
	return DELIVER_DEAD;
}

enum deliver_next email_advance(struct delivery *d, const struct http_answer *answer)
{
	return answer != NULL ? receiver_judge(d, answer) : ask(d);
}
