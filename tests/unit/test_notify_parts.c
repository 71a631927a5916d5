/* max_alerts: what stood in a message as firing stands in a later one as ended, whatever is cut. */
#include "notify_world.h"

#include <ctype.h>

#define CONFIG(max)                                                                                                                \
	"route: { receiver: t, group_wait: 0s, group_interval: 1m, repeat_interval: 1h }\n"                                        \
	"receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/', max_alerts: " max " } ] } ]\n"

/* What happens: a letter is an instance, small ones fire, capitals end; a space is a minute. Messages are written as their alerts in
 * the same way, ':' and truncatedAlerts, '!' behind it when their status is "resolved". */
struct story {
	const char *yaml, *happens, *told;
};

static const struct story stories[] = {
	{ CONFIG("0"), "ab A B", "ab:0 Ab:0 B:0!" },
	{ CONFIG("1"), "ab A B", "a:1 A:1 b:1 B:0!" },         /* that b fires is shown before it ends */
	{ CONFIG("1"), "ab B A", "a:1 a:1 A:0!" },             /* b was never shown */
	{ CONFIG("1"), "ab AB", "a:1 A:1!" },
	{ CONFIG("1"), "b a B A", "b:0 a:1 B:1 a:1 A:0!" },    /* what is new is shown, and both end */
	{ CONFIG("1"), "b a AB", "b:0 a:1 A:1! B:1!" },
	{ CONFIG("2"), "abc d ABCD", "ab:1 ad:2 AB:2! CD:2!" },
	{ CONFIG("2"), "abcd ABCD", "ab:2 AB:2!" },
	{ CONFIG("2"), "abc A", "ab:1 Ab:1" },
	{ CONFIG("3"), "abc ABd", "abc:0 ABd:1" },
};

static void put_alerts(struct buf *b, struct str body)
{
	static const char instance[] = "\"instance\":\"", alert[] = "{\"status\":\"";
	size_t end = str_find(body, STR("\"groupLabels\"")), at;

	for (struct str rest = { body.p, end }; (at = str_find(rest, str_of(alert))) < rest.n;) {
		bool firing;

		rest = (struct str){ rest.p + at + sizeof alert - 1, rest.n - at - sizeof alert + 1 };
		firing = str_starts(rest, STR("firing"));
		at = str_find(rest, str_of(instance)) + sizeof instance - 1;
		buf_putc(b, firing ? rest.p[at] : (char)toupper(rest.p[at]));
	}
}

static void put_message(struct buf *b, struct str body)
{
	static const char cut[] = "\"truncatedAlerts\":", alerts[] = "\"alerts\":[";
	size_t from = str_find(body, str_of(alerts)) + sizeof alerts - 1;

	buf_putz(b, b->n > 0 ? " " : "");
	put_alerts(b, (struct str){ body.p + from, body.n - from });
	buf_putc(b, ':');
	buf_putc(b, body.p[str_find(body, str_of(cut)) + sizeof cut - 1]);
	buf_putz(b, has(body, "\"status\":\"resolved\",\"alerts\"") ? "!" : "");
}

static void live(struct world *w, const char *happens, bool crashes)
{
	for (const char *p = happens;; p++) {
		char instance[2] = { (char)tolower(*p), 0 };

		if (isalpha(*p)) {
			world_edge(w, "Down", instance, "critical", islower(*p) ? EDGE_FIRING : EDGE_RESOLVED, 1);
			continue;
		}
		world_run(w);
		world_pass(w, 60000);
		while (!LAST(w).answered)
			answer(w, 200, "");
		if (crashes)
			world_crash(w);
		if (*p == 0)
			return;
	}
}

static void what_was_shown_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(stories); i++) {
		const struct story *s = &stories[i / 2];
		struct world *w = world_new(s->yaml);
		struct buf told = { 0 };

		live(w, s->happens, i % 2 == 1);
		for (size_t k = 0; k < w->n; k++)
			put_message(&told, w->asked[k].body);
		if (strcmp(buf_z(&told), s->told) != 0)
			fail_msg("%s: want %s, got %s", s->happens, s->told, buf_z(&told));
		buf_fini(&told);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_shown_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
