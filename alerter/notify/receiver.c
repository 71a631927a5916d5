/* What every kind of receiver shares: the verdict on an answer. */
#include "notify/receiver.h"

const char *const notify_reason_names[6] = { "clientError", "serverError", "authError", "rateLimited", "contextDeadlineExceeded", "other" };

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
	d->slow = is_one_of(a->status, ours_to_mend, ARRAY_LEN(ours_to_mend));
	return d->slow ? DELIVER_RETRY : DELIVER_DEAD;
}
