/* A target's request, and what its answer says. Private to scrape; belongs to the loop thread. */
#ifndef TOCSIN_SCRAPE_FETCH_H
#define TOCSIN_SCRAPE_FETCH_H

#include "scrape/request.h"
#include "scrape/target.h"

struct fetch;

/* Memory that all targets of a loop share: few replies are on their way at a time. */
struct fetch_room {
	struct request_spare bodies;
	struct connection_ports ports;
	struct buf plain; /* decompressed */
	size_t n_busy, most_busy; /* requests under way, each of which may hold a file open */
};
/* No more at once, and no more connections, than leave files to the rest of the process. */
void fetch_room_init(struct fetch_room *, CURLM *multi);
void fetch_room_fini(struct fetch_room *);

struct fetch *fetch_new(void *owner, struct fetch_room *); /* <owner>: what CURLINFO_PRIVATE answers */
/* Aborts what is on its way. */
void fetch_free(struct fetch *f, CURLM *multi);
/* False and <e> when it cannot even begin. */
bool fetch_start(struct fetch *f, CURLM *multi, struct tokens *, const struct target *t, struct err *e);
/* The target's job is another one, and the one before goes. False when what is on its way cannot do without it: then only fetch_free is
 * left. */
bool fetch_change(struct fetch *f, const struct scrape_job *job);
bool fetch_is_busy(const struct fetch *f);
/* After CURLMSG_DONE. False when there is more to come. The reply's texts stay until fetch_release; its body is as it was sent. */
bool fetch_finish(struct fetch *f, CURLM *multi, struct tokens *, CURLcode code, struct scrape_reply *);
/* How long the body may be once it is unpacked, about. */
size_t fetch_plain_bytes(const struct fetch *f, const struct scrape_reply *);
/* The body is as it is meant, perhaps in <plain>. */
void fetch_unpack(struct fetch *f, struct buf *plain, struct scrape_reply *);
void fetch_release(struct fetch *f);

#endif
