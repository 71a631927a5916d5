/* history: why something fired, ended or did not arrive, from the alerter's own database, whether it runs or not. Oldest first, as a
 * log; with --json an object a line. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "notify/notify.h"
#include "tocsin/arena.h"
#include "tocsin/clock.h"
#include "tocsin/flags.h"
#include "tocsin/json.h"

static void put_labels(struct buf *b, struct labels all)
{
	const char *sep = "{";

	for (size_t i = 0; i < all.n; i++) {
		if (str_eq(all.v[i].name, STR("alertname")))
			continue;
		buf_printf(b, "%s" STR_FMT "=\"", sep, STR_ARG(all.v[i].name));
		labels_escape(b, all.v[i].value);
		buf_putz(b, "\"");
		sep = ", ";
	}
	if (*sep == ',')
		buf_putz(b, "}");
}

/* 2026-11-22T21:52:08.988Z  firing     Keys{db="db0"}: returned 4: redis_db_keys > 2 */
static void put_line(struct buf *b, const struct notify_history_entry *h)
{
	char at[32];

	clock_format_rfc3339(at, h->at_ms);
	buf_printf(b, "%s  %-9.*s  ", at, (int)h->edge.n, h->edge.p);
	buf_puts(b, h->alertname.n > 0 ? h->alertname : STR("-"));
	put_labels(b, h->labels);
	if (h->integration.n > 0)
		buf_printf(b, " to " STR_FMT, STR_ARG(h->integration));
	if (h->reason.n > 0)
		buf_printf(b, ": " STR_FMT, STR_ARG(h->reason));
	buf_putz(b, "\n");
}

static void print(const struct notify_history_entry *v, size_t n, bool json)
{
	struct buf b = { 0 };

	while (n-- > 0) {
		struct json_out j = { &b, false };

		if (json) {
			notify_history_put_json(&j, &v[n]);
			buf_putz(&b, "\n");
		} else
			put_line(&b, &v[n]);
		fwrite(b.p, 1, b.n, stdout);
		buf_reset(&b);
	}
	buf_fini(&b);
}

struct wishes {
	struct str storage, limit;
	int64_t since_ms;
	bool json, help;
	struct notify_history_query query;
};

static void print_usage(const struct flag *flags, size_t n)
{
	struct buf b = { 0 };

	buf_putz(&b, "tocsin-alerter history [flags] [MATCHER...]      for example: history --since=24h 'instance=\"db1\"' severity=critical\n\n");
	flags_print_help(&b, flags, n);
	fputs(buf_z(&b), stdout);
	buf_fini(&b);
}

static bool read_wishes(int argc, char **argv, struct wishes *w, struct flag_list *matchers, struct err *e)
{
	const struct flag flags[] = {
		{ "storage.path", FLAG_TEXT, &w->storage, "data", "DIR", "Where the alerter keeps its data." },
		{ "alertname", FLAG_TEXT, &w->query.alertname, "", "NAME", "Only of this alert." },
		{ "event", FLAG_TEXT, &w->query.event, "", "EVENT", "Only firing, resolved, delivered, dead …" },
		{ "receiver", FLAG_TEXT, &w->query.receiver, "", "NAME", "Only attempts to reach it." },
		{ "since", FLAG_DURATION, &w->since_ms, "0s", "DURATION", "Only what is not older; 0s: all that is kept." },
		{ "limit", FLAG_TEXT, &w->limit, "100", "N", "The newest N, at most 1000." },
		{ "json", FLAG_SWITCH, &w->json, NULL, NULL, "An object a line." },
		{ "help", FLAG_SWITCH, &w->help, NULL, NULL, "Prints this." },
	};
	long limit;

	if (!flags_parse(flags, ARRAY_LEN(flags), argc + 1, argv - 1, matchers, e))
		return false;
	limit = strtol(w->limit.p, NULL, 10);
	if (w->help)
		print_usage(flags, ARRAY_LEN(flags));
	if (limit < 1 || limit > 1000)
		return err_set(e, ERR_BAD_INPUT, -1, "--limit=" STR_FMT ": a number from 1 to 1000", STR_ARG(w->limit));
	w->query.limit = (size_t)limit;
	if (w->since_ms > 0)
		w->query.from_ms = clock_now_ms(&clock_system) - w->since_ms;
	return true;
}

int history_command(int argc, char **argv)
{
	struct flag_list matchers = { 0 };
	struct notify_history_entry *v;
	struct arena a = { 0 };
	struct wishes w = { 0 };
	struct err e = { 0 };
	size_t n;
	int status = 0;

	if (!read_wishes(argc, argv, &w, &matchers, &e))
		status = 2;
	else if (w.help)
		status = 0;
	else if (!notify_history_read(arena_printf(&a, STR_FMT "/alerts.db", STR_ARG(w.storage)).p, &w.query, matchers.v, matchers.n, &a,
				      &v, &n, &e))
		status = 1;
	else
		print(v, n, w.json);
	if (status != 0)
		fprintf(stderr, "tocsin-alerter history: %s\n", e.msg);
	arena_fini(&a);
	return status;
}
