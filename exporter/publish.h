/* Answers scrapes. A scrape suspends its request and asks its sources at once (or joins what they are collecting already); it is
 * answered by the thread of the last source to answer, or by the publisher's own when its deadline has come. No request thread
 * waits, no source waits for another. */
#ifndef TOCSIN_EXPORTER_PUBLISH_H
#define TOCSIN_EXPORTER_PUBLISH_H

#include "sources.h"
#include "tocsin/http.h"
#include "worker.h"

struct publisher;

struct publisher *publisher_new(const struct clock *clock);
/* Makes the sources those of <c>, of which references are taken. Sources whose settings are the same go on undisturbed. */
void publisher_apply(struct publisher *p, struct sources *c);
/* What became of reading the configuration; for the self metrics and the page. <message> of a failure is copied. */
void publisher_note_load(struct publisher *p, bool ok, struct str message);
/* Now and then, from the thread of publisher_apply(): lets go of targets that nobody asks for any more. */
void publisher_sweep(struct publisher *p);
/* Routes for /metrics (at <telemetry_path>) and /probe, behind those of others and before the server starts; both pointers must
 * outlive it. False when the path has a route already. */
bool publisher_add_routes(struct publisher *p, struct http_server *server, const char *telemetry_path) MUST_CHECK;
/* Answers what waits and ends the sources. Before http_server_free(). False when sources were left behind that hang, now or
 * earlier: then nothing is freed that they could come back to. */
bool publisher_free(struct publisher *p);

/* ---- For the page ---- */

struct source_state {
	struct str name, kind, address;
	bool asked;                     /* a collection has ended */
	bool up;
	struct str error;               /* of the last collection, or of a slow task */
	int64_t took_us;
	int64_t good_age_ms;            /* since one last worked; -1: never */
	size_t samples;
};

struct publisher_state {
	struct source_state *sources;
	size_t n;
	bool load_failed;
	struct str load_message;
};

/* A copy of how things stand, in <a>. */
struct publisher_state publisher_state(struct publisher *p, struct arena *a);

#endif
