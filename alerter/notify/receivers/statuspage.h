/* Between statuspage.c (incidents, components) and statuspage_maintenance.c: one conversation a delivery, over the same key. */
#ifndef NOTIFY_STATUSPAGE_H
#define NOTIFY_STATUSPAGE_H

#include <jansson.h>

#include "notify/receivers/receiver.h"

#define STATUSPAGE_PER_PAGE 100
#define STATUSPAGE_MAX_PAGES 20
#define STATUSPAGE_LOOK_AGAIN_MS 5000
#define STATUSPAGE_NAME_CHARS 255
#define STATUSPAGE_BODY_CHARS 25000
#define STATUSPAGE_MAINTENANCE 100      /* delivery.step from here on: statuspage_maintenance.c's */

/* The next request. <changes>: it is not safe to repeat blindly. */
enum deliver_next statuspage_ask(struct delivery *, int step, bool changes, const char *method, struct str path, struct str body);
struct str statuspage_text(json_t *object, const char *key);
/* Appends the template's text as a JSON string of at most <max> characters; <fallback> when it fails or is empty. */
void statuspage_expand(const struct integration *, const struct template *, struct template_value, struct str fallback, size_t max,
		       struct arena *, struct json_out *);

/* A page of its list of components: which of those that are configured it has. <on_page>: room for one each. */
void statuspage_mark_present(const struct delivery *, json_t *list, bool *on_page);
/* Says which it has not: the page would refuse a whole call for one of them, so they are left out. */
void statuspage_note_missing(struct delivery *, const bool *on_page);

/* <message> is what the outbox kept; NULL and false: it is no maintenance. */
bool statuspage_maintenance_begin(struct delivery *, json_t *message, enum deliver_next *next);
enum deliver_next statuspage_maintenance_answer(struct delivery *, json_t *answer);

#endif
