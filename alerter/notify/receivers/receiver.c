/* What every kind of receiver shares: the verdict on an answer. */
#include "notify/receivers/receiver.h"

const char *const notify_reason_names[6]
	= { "clientError", "serverError", "authError", "rateLimited", "contextDeadlineExceeded", "other" };

size_t receiver_reason(const struct http_answer *a)
{
	if (a->fate != HTTP_ANSWERED)
		return a->fate == HTTP_LOST ? 4 : 5;
	if (a->status == 401 || a->status == 403)
		return 2;
	if (a->status == 420 || a->status == 429)
		return 3;
	return a->status >= 500 ? 1 : a->status >= 400 ? 0 : 5;
}

static bool is_one_of(int status, const int *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == status)
			return true;
	return false;
}

enum deliver_next receiver_judge(struct delivery *d, const struct http_answer *a)
{
	static const int passing[] = { 408, 420, 425, 429 }, ours_to_mend[] = { 401, 403, 404, 407 };

	d->retry_after_ms = a->retry_after_ms;
	if (a->fate == HTTP_ANSWERED && a->status >= 200 && a->status < 300)
		return DELIVER_DONE;
	if (a->fate == HTTP_LOST)
		d->unknown = d->call_changes;
	if (a->fate != HTTP_ANSWERED || a->status >= 500 || is_one_of(a->status, passing, ARRAY_LEN(passing)))
		return DELIVER_RETRY;
	if (a->status == 401 && d->call.http->oauth2 != NULL && d->message->attempts == 1)
		return DELIVER_RETRY;   /* a token that was taken back: the next attempt fetches another */
	d->slow = is_one_of(a->status, ours_to_mend, ARRAY_LEN(ours_to_mend));
	return d->slow ? DELIVER_RETRY : DELIVER_DEAD;
}

static struct labels side(const struct page_alert *a, bool annotations)
{
	return annotations ? a->annotations : a->labels;
}

struct labels notice_common(struct arena *a, struct page_alert *const *v, size_t n, bool annotations)
{
	struct labels first = n > 0 ? side(v[0], annotations) : (struct labels){ 0 };
	struct label *out = ARENA_ARRAY(a, first.n + 1, struct label);
	size_t kept = 0;

	for (size_t i = 0; i < first.n; i++) {
		bool all = true;

		for (size_t k = 1; k < n && all; k++)
			all = labels_has(side(v[k], annotations), first.v[i].name)
			      && str_eq(labels_get(side(v[k], annotations), first.v[i].name), first.v[i].value);
		if (all)
			out[kept++] = first.v[i];
	}
	return (struct labels){ out, kept };
}

struct str notice_quoted_receiver(const struct notice *n)
{
	char *p = arena_alloc(n->arena, 2 * n->receiver.n + 1);
	size_t at = 0;

	for (size_t i = 0; i < n->receiver.n; i++) {
		if (strchr("\\.+*?()|[]{}^$", n->receiver.p[i]) != NULL)
			p[at++] = '\\';
		p[at++] = n->receiver.p[i];
	}
	return (struct str){ p, at };
}
