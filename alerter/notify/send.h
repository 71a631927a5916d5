/* The transport that is real: HTTP over curl's multi interface, in one thread of its own. */
#ifndef NOTIFY_SEND_H
#define NOTIFY_SEND_H

#include "notify/transport.h"

struct sender;

/* Called on the sender's thread; <answer> is only valid during the call. */
typedef void sender_done(void *ctx, void *tag, const struct http_answer *answer);

struct sender *sender_new(sender_done *, void *ctx);
struct transport *sender_transport(struct sender *);
/* Breaks off what is under way; no call of <done> afterwards. */
void sender_free(struct sender *);

#endif
