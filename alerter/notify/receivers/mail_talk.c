/* curl tells what goes to and fro; the commands themselves, which hold passwords, are looked at for RCPT alone. One address that is
 * refused does not keep the mail from the others. */
#include "notify/receivers/mail_talk.h"

#include "tocsin/str.h"

#define MAX_SAID     512  /* bytes of one answer */
#define MAX_REFUSALS 4096 /* bytes of all about addresses */

static void note_address(struct mail_talk *t)
{
	struct str address = t->mail->to[t->asked - 1];

	if (t->refusals.n < MAX_REFUSALS)
		buf_printf(&t->refusals, "%s" STR_FMT ": " STR_FMT, t->refusals.n > 0 ? "; " : "", STR_ARG(address),
			   STR_ARG(buf_str(&t->said)));
	if (t->for_now)
		buf_printf(&t->later, "%s" STR_FMT, t->later.n > 0 ? "," : "", STR_ARG(address));
}

/* "550-5.1.1 No such user" and further lines, the last with a space behind its number. */
static void take_answer(struct mail_talk *t, struct str line)
{
	bool first = !t->in_answer, refused = line.n > 0 && (line.p[0] == '4' || line.p[0] == '5'), last = line.n < 4 || line.p[3] != '-';

	t->in_answer = !last;
	if (refused && first) {
		buf_reset(&t->said);
		t->for_now = line.p[0] == '4';
	} else if (refused && line.n >= 4) {
		line = (struct str){line.p + 3, line.n - 3};
	}
	if (line.n > MAX_SAID - t->said.n)
		line.n = MAX_SAID - t->said.n;
	if (refused)
		buf_puts(&t->said, line);
	if (!last || !t->is_rcpt || t->asked > t->mail->n_to)
		return;
	if (refused)
		note_address(t);
	t->taken = t->taken || !refused;
}

static int hear(CURL *easy, curl_infotype type, char *p, size_t n, void *ctx)
{
	struct mail_talk *t = ctx;
	struct str text = {p, n};

	(void)easy;
	if (type == CURLINFO_HEADER_OUT) {
		t->is_rcpt = str_starts(text, STR("RCPT TO:"));
		t->asked += t->is_rcpt;
		t->in_answer = false;
	} else if (type == CURLINFO_HEADER_IN) {
		take_answer(t, str_trim(text));
	}
	return 0;
}

void mail_talk_begin(struct mail_talk *t, CURL *easy, const struct mail *mail)
{
	t->mail = mail;
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, hear);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, t);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

void mail_talk_fini(struct mail_talk *t)
{
	buf_fini(&t->said);
	buf_fini(&t->refusals);
	buf_fini(&t->later);
}

bool mail_talk_is_verdict(const struct mail_talk *t)
{
	return !t->is_rcpt || (!t->taken && t->asked >= t->mail->n_to);
}
