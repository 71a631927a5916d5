/* E-mail: one message of two parts, text and HTML, in a thread of its own for each episode, or as threading: says. Its Message-ID is the message's key, so
 * that a repeat can be told from a new one. Who was refused for now gets it later, and nobody else does again: the payload's "left" has them. Sources: RFC 5322 (message), RFC 2047 (encoded words), RFC 2046 5.1.4 (alternative). */
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>

#include "notify/receivers/notifier.h"
#include "tocsin/log.h"

#define LINE_BYTES   57 /* of what becomes a line of 76 in base64 */
#define DEFAULT_PORT 25
#define TLS_PORT     465
#define LEFT_MS      (15 * 60000LL) /* as long do those wait whom a server refused for now */

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

/* The next of a list of addresses: commas in quotes, in comments and within <> part nothing. False at its end. */
static bool cut_address(struct str *rest, struct str *one)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < rest->n; i++) {
		char c = rest->p[i];

		if (c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '(' || c == '<'))
			depth++;
		else if (!quoted && (c == ')' || c == '>'))
			depth--;
		else if (c == ',' && !quoted && depth == 0) {
			*one = str_trim((struct str){rest->p, i});
			*rest = (struct str){rest->p + i + 1, rest->n - i - 1};
			return true;
		}
	}
	if (quoted || depth != 0) /* no list at all: as well as it can be read */
		return str_cut(rest, ',', one);
	*one = str_trim(*rest);
	*rest = STR_NULL;
	return one->n > 0;
}

static struct str without_comment(struct str s)
{
	size_t open;

	s = str_trim(s);
	open = str_chr(s, '(');
	return s.n > 0 && s.p[s.n - 1] == ')' && open < s.n ? str_trim((struct str){s.p, open}) : s;
}

/* Where the address of "Name <a@b>" begins; its length: there is none in <>. */
static size_t angle_of(struct str s)
{
	size_t at = s.n;

	if (s.n == 0 || s.p[s.n - 1] != '>')
		return s.n;
	while (at > 0 && s.p[at - 1] != '<')
		at--;
	return at > 0 ? at - 1 : s.n;
}

/* "Name <a@b>" and "a@b (Name)" are a@b. */
static struct str address(struct str s)
{
	size_t at;

	s = without_comment(s);
	at = angle_of(s);
	return at < s.n ? str_trim((struct str){s.p + at + 1, s.n - at - 2}) : s;
}

/* Names beyond ASCII as encoded words, and what is an address as it is. */
static void put_addresses(struct buf *b, struct str list)
{
	struct str one;

	for (bool first = true; cut_address(&list, &one); first = false) {
		size_t at;
		struct str name;

		one = without_comment(one);
		at = angle_of(one);
		name = str_trim((struct str){one.p, at});
		buf_putz(b, first ? "" : ",\r\n ");
		if (is_ascii(one) || at == one.n) {
			(is_ascii(one) ? buf_puts : put_words)(b, one);
			continue;
		}
		if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
			name = (struct str){name.p + 1, name.n - 2};
		put_words(b, name);
		buf_printf(b, "\r\n " STR_FMT, (int)(one.n - at), one.p + at);
	}
}

static bool holds_addresses(struct str name)
{
	static const char *const names[] = {"From", "To", "Cc", "Bcc", "Reply-To", "Sender"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq_nocase(name, str_of(names[i])))
			return true;
	return false;
}

static void put_header(struct buf *b, struct arena *a, struct str name, struct str value)
{
	value = one_line(a, value);
	buf_printf(b, STR_FMT ": ", STR_ARG(name));
	if (is_ascii(value) && value.n < 900)
		buf_puts(b, value);
	else if (holds_addresses(name))
		put_addresses(b, value);
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
	if (find_header(own, "Date") == NULL)
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

	while (cut_address(&rest, &one))
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

/* Who did not get it yet, where others did; empty: nobody did. */
static struct str left_of(struct arena *a, json_t *kept)
{
	json_t *left = json_object_get(kept, "left");

	return json_is_string(left) ? arena_str(a, (struct str){json_string_value(left), json_string_length(left)}) : STR("");
}

static json_t *load(const struct message *m)
{
	return json_loadb(m->payload.p, m->payload.n, JSON_ALLOW_NUL, NULL);
}

static void keep_left(struct delivery *d, struct str addresses)
{
	json_t *kept = load(d->message);
	char *text;

	json_object_set_new(kept, "left", json_stringn(addresses.p, addresses.n));
	text = json_dumps(kept, JSON_COMPACT);
	if (text != NULL)
		outbox_set_payload(d->core, d->message, str_of(text));
	free(text);
	json_decref(kept);
}

static bool others_have_it(struct delivery *d)
{
	json_t *kept = load(d->message);
	bool they_do = left_of(&d->arena, kept).n > 0;

	json_decref(kept);
	return they_do;
}

static enum deliver_next ask(struct delivery *d)
{
	json_t *kept = load(d->message);
	json_t *texts = json_object_get(kept, "settings");
	struct str from = arena_str(&d->arena, notifier_setting(d, texts, "from")), to = arena_str(&d->arena, notifier_setting(d, texts, "to"));
	struct str left = left_of(&d->arena, kept);

	d->call = (struct http_call){.method = "MAIL",
				     .url = server_url(d, texts),
				     .body = compose(d, texts, from, to),
				     .http = &d->integration->http,
				     .timeout_ms = d->integration->timeout_ms,
				     .mail = make_mail(d, texts, from, left.n > 0 ? left : to)};
	d->call_changes = true;
	json_decref(kept);
	if (d->call.mail->n_to > 0)
		return DELIVER_ASK;
	d->note = "nobody to send it to";
	return DELIVER_DEAD;
}

static bool may_wait(const struct delivery *d)
{
	return core_now_ms(d->core) - d->message->created_ms < LEFT_MS && !outbox_is_followed(d->message);
}

enum deliver_next email_advance(struct delivery *d, const struct http_answer *answer)
{
	enum deliver_next next;

	if (answer == NULL)
		return ask(d);
	next = receiver_judge(d, answer);
	if (next == DELIVER_DONE && answer->later.n > 0 && may_wait(d)) {
		keep_left(d, answer->later);
		return DELIVER_RETRY;
	}
	if (next != DELIVER_DONE && others_have_it(d) && (next == DELIVER_DEAD || !may_wait(d)))
		next = DELIVER_DONE;
	if (next == DELIVER_DONE && (answer->fate != HTTP_ANSWERED || answer->body.n > 0))
		log_event(LOG_WARN, "a mail was taken for others, not for these", "integration", d->integration->name.p, "err",
			  arena_strz(&d->arena, outbox_describe(d, answer)), NULL);
	return next;
}
