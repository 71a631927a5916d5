/* One GET after another through a curl multi handle: login (with a token fetched first where OAuth 2 wants one), TLS, proxy, a bounded
 * body. What scrapes and discovery share. Private to scrape. */
#ifndef TOCSIN_SCRAPE_REQUEST_H
#define TOCSIN_SCRAPE_REQUEST_H

#include "scrape/scrape.h"

struct request_call {                              /* lives until the answer is there */
	const struct connection_settings *http;
	struct str url, unix_socket;               /* unix_socket empty: the network */
	int64_t timeout_ms;                        /* of all of it */
	size_t limit;                              /* bytes of the body; one more and the request ends */
	struct label headers[4];                   /* those with a name */
};

/* Memory of bodies that were read. {0} is empty. */
struct request_spare {
	struct buf v[2];
	size_t n, bytes;
};
void request_spare_fini(struct request_spare *);

struct request {
	CURL *easy;
	struct connection_lists lists;
	struct connection_ports *ports; /* NULL: its connections are not kept */
	struct connection_reuse reuse;
	struct request_call call;
	struct buf body;
	struct request_spare *spare; /* where the body's memory comes from and goes to, shared by the requests of a thread; NULL: nowhere */
	bool busy, over_limit, for_token, headed;  /* headed: the headers came to their end */
	bool repeatable;                           /* the handle is set up, and nothing of it is another next time */
	int64_t started_us;
	char error[CURL_ERROR_SIZE];
};

void request_init(struct request *);
void request_fini(struct request *, CURLM *multi); /* aborts what is on its way */
/* <owner>: what CURLINFO_PRIVATE answers. */
bool request_start(struct request *, CURLM *multi, struct tokens *, const struct request_call *, void *owner, struct err *e);
/* The same call once more, if it is repeatable. */
bool request_repeat(struct request *, CURLM *multi, struct err *e);
/* After CURLMSG_DONE. True when there is more to come: only the token was fetched. Otherwise <e> says whether the request failed; over_limit
 * is no failure. */
bool request_goes_on(struct request *, CURLM *multi, struct tokens *, CURLcode code, struct err *e);
/* The body is not needed any more. */
void request_release_body(struct request *);
int request_status(const struct request *);
struct str request_content_type(const struct request *);
/* What it is to accept; into <out>. <native>: native histograms are wanted, which only protobuf has. */
struct str scrape_accept(const struct scrape_protocols *, bool native, struct buf *out);
/* By its media type. */
enum scrape_format scrape_format_of(struct str content_type);
/* Parameters behind it, and case, do not matter. */
bool request_media_type_is(struct str type, const char *name);

#endif
