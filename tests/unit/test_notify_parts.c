/* max_alerts: what stood in a message as firing stands in a later one as ended, whatever is cut. */
#include "notify_world.h"

#include <ctype.h>
#include <string.h>

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

/* ---- What a receiver takes at once ---- */

static void fire_many(struct world *w, size_t n, size_t note_bytes, enum alert_edge edge)
{
	struct buf long_text = { 0 };

	while (long_text.n < note_bytes)
		buf_putc(&long_text, 'x');
	for (size_t i = 0; i < n; i++)
		world_noted_edge(w, "Disk", arena_printf(&w->arena, "h%04zu", i).p, "critical", edge, 1, buf_str(&long_text));
	buf_fini(&long_text);
	world_run(w);
}

static void incidentio_gets_all_in_several(void **state)
{
	struct world *w = world_new("route: { receiver: t, group_by: [alertname], group_wait: 0s, group_interval: 1m }\n"
	                            "receivers: [ { name: t, incidentio_configs: [ { url: 'http://hook/', alert_source_token: t } ] } ]\n");
	size_t begun = 0, ended = 0;

	(void)state;
	fire_many(w, 300, 3000, EDGE_FIRING);
	world_pass(w, 60000);
	while (w->n > 0 && !LAST(w).answered)
		answer(w, 200, "");
	fire_many(w, 300, 3000, EDGE_RESOLVED);
	world_pass(w, 60000);
	while (!LAST(w).answered)
		answer(w, 200, "");
	for (size_t i = 0; i < w->n; i++) {
		struct str body = w->asked[i].body;
		size_t from = str_find(body, STR("\"alerts\":["));
		struct buf told = { 0 };

		assert_true(body.n < 512000);
		put_alerts(&told, (struct str){ body.p + from, body.n - from });
		for (size_t k = 0; k < told.n; k++) {
			begun += told.p[k] == 'h';
			ended += told.p[k] == 'H';
		}
		buf_fini(&told);
	}
	assert_int_equal(begun, 300);
	assert_int_equal(ended, 300);
	world_free(w);
}

static void a_text_that_is_too_long_names_fewer(void **state)
{
	struct world *w = world_new("route: { receiver: t, group_by: [alertname], group_wait: 0s, group_interval: 1m }\n"
	                            "receivers: [ { name: t, pagerduty_configs: [ { routing_key: k } ] } ]\n");

	(void)state;
	fire_many(w, 600, 3000, EDGE_FIRING);
	assert_int_equal(w->n, 1);
	assert_true(w->asked[0].body.n < 512000);
	assert_true(has(w->asked[0].body, "\"num_firing\":\"600\""));
	assert_true(has(w->asked[0].body, "h0000") && has(w->asked[0].body, "h0020"));
	world_free(w);
}

/* By job, instance (who has none comes last), fewer labels first, then by name and value. */
static void alerts_stand_as_alertmanager_has_them(void **state)
{
	static const struct label sets[][3] = {
		{ { { "instance", 8 }, { "b", 1 } }, { { "job", 3 }, { "a", 1 } } },
		{ { { "job", 3 }, { "a", 1 } } },
		{ { { "job", 3 }, { "b", 1 } } },
		{ { { "instance", 8 }, { "a", 1 } } },
		{ { { "a", 1 }, { "x", 1 } }, { { "instance", 8 }, { "a", 1 } } },
		{ { { "instance", 8 }, { "b", 1 } } },
		{ { { "z", 1 }, { "a", 1 } } },
		{ { { "a", 1 }, { "x", 1 } } },
		{ { { "a", 1 }, { "y", 1 } } },
		{ { { "a", 1 }, { "x", 1 } }, { { "c", 1 }, { "x", 1 } } },
		{ { { "a", 1 }, { "x", 1 } }, { { "b", 1 }, { "x", 1 } } },
	};
	struct labels before = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct labels here = { sets[i], 1 + (sets[i][1].name.n > 0) };

		print_message("  %zu\n", i);
		assert_true(i == 0 || (order_labels_of_alerts(before, here) < 0 && order_labels_of_alerts(here, before) > 0));
		assert_int_equal(order_labels_of_alerts(here, here), 0);
		before = here;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_shown_ends),
		cmocka_unit_test(alerts_stand_as_alertmanager_has_them),
		cmocka_unit_test(incidentio_gets_all_in_several),
		cmocka_unit_test(a_text_that_is_too_long_names_fewer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
