/* What a mail server says, command by command: which addresses it refuses, for now or for good, and in what words. */
#ifndef NOTIFY_MAIL_TALK_H
#define NOTIFY_MAIL_TALK_H

#include <curl/curl.h>
#include <stdbool.h>

#include "notify/transport.h"
#include "tocsin/buf.h"

struct mail_talk {
	const struct mail *mail;
	size_t asked;           /* addresses so far */
	bool is_rcpt;           /* the last command is */
	bool in_answer;         /* more lines of it come */
	bool for_now;           /* the last refusal: it may be taken later */
	bool taken;             /* one address at least */
	struct buf said;        /* the last refusal */
	struct buf refusals;    /* of addresses, each with what was said */
	struct buf later;       /* those refused for now */
};

void mail_talk_begin(struct mail_talk *, CURL *, const struct mail *);
void mail_talk_fini(struct mail_talk *);
/* False: the last it said was about one address, and is no verdict on the mail. */
bool mail_talk_is_verdict(const struct mail_talk *);

#endif
