/* Who is told next while nobody has acknowledged: the steps of a route. What a group tells from its first page to its last end is one
 * alarm; its id is in links, so an old link acknowledges no later alarm. An acknowledgement stops further steps, and nothing else:
 * who was told still hears of what is new, and of the end. Steps wait while all that fires is muted,
 * and after a start until it is known to fire still. */
#include "notify/core.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "notify/text.h"
#include "tocsin/mem.h"

#define QUIET_RETRY_MS 1000
#define DAY_MS 86400000LL
#define LINK_VALID_MS (7 * DAY_MS)
#define MAX_BY_BYTES 100

/* ---- The alarm of a group. ---- */

static void record(struct core *c, const struct group *g, const char *edge, struct str reason, struct str receiver)
{
	DB_ADD(c->db, DB_ADD_EVENT, DB_I(core_now_ms(c)), DB_T(str_of(edge)), DB_T(STR("")), DB_T(STR("")),
	       DB_T(labels_get(g->labels, STR("alertname"))), DB_T(STR("")), DB_T(db_labels_text(&c->scratch, g->labels)),
	       DB_I(db_bits(0)), DB_T(reason), DB_T(receiver), DB_T(str_of(g->alarm.id)));
}

void alarm_begin(struct core *c, struct group *g)
{
	char uuid[37];

	if (g->alarm.since_ms != 0)
		return;
	core_new_uuid(uuid);
	snprintf(g->alarm.id, sizeof g->alarm.id, "%.8s%.4s%.4s", uuid, uuid + 9, uuid + 19);
	g->alarm.since_ms = core_now_ms(c);
}

/* Of two, the one that nobody has acknowledged. */
static void take_over(struct core *c, struct group *to, const struct group *from)
{
	if (to->alarm.since_ms != 0 && (to->alarm.ack_ms == 0 || from->alarm.ack_ms != 0))
		return;
	text_free(to->alarm.ack_by);
	to->alarm = from->alarm;
	to->alarm.ack_by = text_dup(from->alarm.ack_by);
	group_save(c, to);
}

void alarm_follow(struct core *c, const struct group *from, const struct page_alert *a)
{
	if (from->alarm.since_ms == 0 || a->ends_ms != 0 || a->told_by == 0)
		return;
	for (size_t i = 0; i < a->n_groups; i++)
		if (a->groups[i] != from && a->groups[i]->route != NULL)
			take_over(c, a->groups[i], from);
}

void alarm_end(struct group *g)
{
	text_free(g->alarm.ack_by);
	g->alarm = (struct alarm){ .ack_by = text_dup(STR("")) };
}

size_t alarm_receivers(const struct group *g, const struct receiver *out[1 + ROUTE_MAX_STEPS])
{
	size_t n = 0;

	if (g->route == NULL)
		return 0;
	out[n++] = g->route->receiver;
	for (size_t i = 0; i < g->route->n_steps && i < g->alarm.steps; i++) {
		bool there = false;

		for (size_t k = 0; k < n; k++)
			there = there || out[k] == g->route->steps[i].receiver;
		if (!there)
			out[n++] = g->route->steps[i].receiver;
	}
	return n;
}

int64_t alarm_next_step_ms(const struct group *g)
{
	const struct alarm *a = &g->alarm;
	int64_t due;

	if (g->route == NULL || a->since_ms == 0 || a->ack_ms != 0 || a->steps >= g->route->n_steps)
		return INT64_MAX;
	due = a->since_ms + g->route->steps[a->steps].after_ms;
	return due > a->wait_ms ? due : a->wait_ms;
}

const struct receiver *alarm_step(struct core *c, struct group *g)
{
	const struct escalation_step *step = &g->route->steps[g->alarm.steps];

	if (!group_speaks(g)) {
		g->alarm.wait_ms = core_now_ms(c) + QUIET_RETRY_MS;
		return NULL;
	}
	g->alarm.steps++;
	record(c, g, "escalated",
	       arena_printf(&c->scratch, "not acknowledged after %lld s", (long long)((core_now_ms(c) - g->alarm.since_ms) / 1000)),
	       step->receiver->name);
	group_save(c, g);
	return step->receiver;
}

void alarm_shift(struct group *g, int64_t step_ms)
{
	g->alarm.since_ms += g->alarm.since_ms != 0 ? step_ms : 0;
	g->alarm.wait_ms += g->alarm.wait_ms != 0 ? step_ms : 0;
}

/* ---- Acknowledging. ---- */

static struct group *find(struct core *c, struct str id)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;) {
		struct group *g = s->value;

		if (g->alarm.since_ms != 0 && str_eq(str_of(g->alarm.id), id))
			return g;
	}
	return NULL;
}

static void acknowledge(struct core *c, struct group *g, struct str by)
{
	text_set(&g->alarm.ack_by, by);
	g->alarm.ack_ms = core_now_ms(c);
	record(c, g, "acknowledged", arena_printf(&c->scratch, "by " STR_FMT, STR_ARG(g->alarm.ack_by)), g->receiver);
	group_save(c, g);
}

static void take_back(struct group *g)
{
	text_set(&g->alarm.ack_by, STR(""));
	g->alarm.ack_ms = 0;
}

bool core_acknowledge(struct core *c, struct str id, struct str by, struct err *e)
{
	struct group **groups;
	size_t n = group_list(c, &groups), taken = 0, before = db_log_length(c->db);

	by = str_trim(by);
	by = by.n > 0 ? text_clean(&c->scratch, by, MAX_BY_BYTES) : STR("somebody");
	if (find(c, id) == NULL)
		return err_set(e, ERR_NOT_FOUND, -1, "no such alarm fires: it has ended, or it never was");
	for (size_t i = 0; i < n; i++)          /* several, where a reload has parted what one alarm told */
		if (str_eq(str_of(groups[i]->alarm.id), id) && groups[i]->alarm.ack_ms == 0) {
			acknowledge(c, groups[i], by);
			groups[taken++] = groups[i];
		}
	if (taken == 0 || core_commit_change(c, before, e))
		return true;
	for (size_t i = 0; i < taken; i++)
		take_back(groups[i]);
	return false;
}

/* ---- Links: an id, a time, and a signature over both. ---- */

static void sign(const struct core *c, struct str id, struct str until, char out[33])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char text[128];
	int n = snprintf(text, sizeof text, "ack\n" STR_FMT "\n" STR_FMT, STR_ARG(id), STR_ARG(until));

	assert(n > 0 && (size_t)n < sizeof text);
	if (HMAC(EVP_sha256(), c->link_key, sizeof c->link_key, (const unsigned char *)text, (size_t)n, mac, NULL) == NULL)
		mem_abort(0);
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

struct str core_ack_link(const struct core *c, const struct group *g, struct arena *a)
{
	struct str until;
	char signature[33];

	if (g->alarm.since_ms == 0 || g->alarm.ack_ms != 0)
		return STR("");
	/* To the day's end: a message that tells nothing new is the same message. */
	until = arena_printf(a, "%lld", (long long)((core_now_ms(c) + LINK_VALID_MS) / DAY_MS + 1) * (DAY_MS / 1000));
	sign(c, str_of(g->alarm.id), until, signature);
	return arena_printf(a, STR_FMT "/ack?id=%s&until=" STR_FMT "&sig=%s", STR_ARG(c->external_url), g->alarm.id, STR_ARG(until), signature);
}

bool core_check_link(const struct core *c, struct str id, struct str until, struct str signature, struct err *e)
{
	int64_t until_s;
	char good[33];

	if (id.n > 32 || until.n > 20 || signature.n != 32 || !str_to_int64(until, &until_s))
		return err_set(e, ERR_BAD_INPUT, -1, "this link is not one of ours");
	sign(c, id, until, good);
	if (CRYPTO_memcmp(good, signature.p, 32) != 0)
		return err_set(e, ERR_BAD_INPUT, -1, "this link is not one of ours");
	if (until_s * 1000 < core_now_ms(c))
		return err_set(e, ERR_BAD_INPUT, -1, "this link is too old");
	return true;
}

bool core_alarm(struct core *c, struct str id, struct arena *a, struct notify_group *out)
{
	struct group *g = find(c, id);

	if (g != NULL)
		*out = view_group(c, g, a);
	return g != NULL;
}
