/* What each receiver is sent, to the byte: when something fires, and when it ends. The episode's id reads EPISODE, the link to
 * acknowledge ACK. */
#include "notify_world.h"

#define HEAD "route: { receiver: r, group_by: [alertname], group_wait: 0s, group_interval: 1m }\n"

struct sent {
	const char *url, *auth, *body;
};

struct service {
	const char *yaml;               /* of the receiver's entry */
	struct sent firing, ended;      /* <ended>.url NULL: no end is told */
};

static const struct service services[] = {
#include "notifier_requests.h"
};

static struct str without_id(struct world *w, struct str s)
{
	struct buf b = { 0 };
	struct str out;
	const char id_shape[] = "xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < s.n;) {
		static const struct str link = { "http://tocsin/ack?", 18 };
		size_t k = 0;

		if (str_starts((struct str){ s.p + i, s.n - i }, link)) {
			buf_putz(&b, "ACK");
			while (i < s.n && strchr("\"\\) \n", s.p[i]) == NULL)
				i++;
			continue;
		}
		while (k < 36 && i + k < s.n && (id_shape[k] == 'x' ? strchr("0123456789abcdef", s.p[i + k]) != NULL : s.p[i + k] == id_shape[k]))
			k++;
		if (k == 36)
			buf_putz(&b, "EPISODE");
		else
			buf_putc(&b, s.p[i]);
		i += k == 36 ? 36 : 1;
	}
	out = arena_str(&w->arena, buf_str(&b));
	buf_fini(&b);
	return out;
}

static int differs(struct world *w, const char *what, const struct sent *want, const struct asked *got)
{
	struct str url = without_id(w, got->url), body = without_id(w, got->body);

	if (str_eq(url, str_of(want->url)) && str_eq(got->auth, str_of(want->auth)) && str_eq(body, str_of(want->body)))
		return 0;
	print_error("%s\n  want %s [%s]\n       %s\n  got  " STR_FMT " [" STR_FMT "]\n       " STR_FMT "\n", what, want->url, want->auth,
		    want->body, STR_ARG(url), STR_ARG(got->auth), STR_ARG(body));
	return 1;
}

static void requests_to_the_byte(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		const struct service *s = &services[i];
		struct arena a = { 0 };
		struct world *w = world_new(arena_printf(&a, HEAD "receivers:\n- name: r\n  %s\n", s->yaml).p);

		fire(w, "Down", "a<b>");
		assert_int_equal(w->n, 1);
		bad += differs(w, s->yaml, &s->firing, &w->asked[0]);
		assert_true(has(w->asked[0].method, "POST"));
		answer(w, 202, "{\"ok\":true}");
		resolve(w, "Down", "a<b>");
		world_pass(w, 60000);
		assert_int_equal(w->n, s->ended.url != NULL ? 2 : 1);
		if (s->ended.url != NULL)
			bad += differs(w, s->yaml, &s->ended, &w->asked[1]);
		world_free(w);
		arena_fini(&a);
	}
	assert_int_equal(bad, 0);
}

/* What it says of its own failures goes nowhere. */
static const char slack[] = "route: { receiver: r, group_by: [alertname], group_wait: 0s, group_interval: 1m,\n"
			    "  routes: [ { matchers: ['alertname=~\"Tocsin.*\"'], receiver: own } ] }\n"
			    "receivers: [ { name: own }, { name: r, slack_configs: [ { api_url: 'http://slack/secret', channel: '#x', "
				 "title: '{{ .Nope.nope }}', text: t } ] } ]\n";

static void a_template_that_fails_stops_no_message(void **state)
{
	struct world *w = world_new(slack);

	(void)state;
	fire(w, "Down", "a");
	assert_int_equal(w->n, 1);
	assert_true(has(LAST(w).body, "\"title\":\"[FIRING:1] Down (a critical)\""));
	world_free(w);
}

struct verdict {
	const char *name;
	int status;
	const char *body;
	int64_t quiet_ms, until_ms;     /* until 0: never again */
};

static void answers_are_judged(void **state)
{
	static const struct verdict cases[] = {
		{ "good", 200, "ok", 50000, 0 },
		{ "refused with 200", 200, "{\"ok\":false,\"error\":\"channel_not_found\"}", 50000, 0 },
		{ "rate with 200", 200, "{\"ok\":false,\"error\":\"ratelimited\"}", 400, 1100 },
		{ "retry_after in the body", 429, "{\"retry_after\": 20.5}", 20000, 21000 },
		{ "Telegram's", 429, "{\"ok\":false,\"parameters\":{\"retry_after\":20}}", 19000, 21000 },
		{ "accepted, not passed on", 200, "delivery failed with error: HTTP error 429", 400, 1100 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(slack);

		print_message("  %s\n", cases[i].name);
		fire(w, "Down", "a");
		answer(w, cases[i].status, cases[i].body);
		world_pass(w, cases[i].quiet_ms);
		assert_int_equal(w->n, 1);
		if (cases[i].until_ms > 0) {
			world_pass(w, cases[i].until_ms - cases[i].quiet_ms);
			assert_int_equal(w->n, 2);
			assert_string_equal(w->asked[0].body.p, w->asked[1].body.p);
		}
		world_free(w);
	}
}

/* Telegram refuses markup that it cannot read: once more without parse_mode, and then never. */
static void markup_that_is_refused_goes_out_plain(void **state)
{
	static const char refusal[] = "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: ...\"}";

	(void)state;
	for (int accepted = 0; accepted < 2; accepted++) {
		struct world *w = world_new(HEAD "receivers: [ { name: r, telegram_configs: [ { bot_token: '1:a', chat_id: -100, "
						 "parse_mode: MarkdownV2, message: 'a_b' } ] } ]\n");

		fire(w, "Down", "a");
		assert_true(has(LAST(w).body, "\"parse_mode\":\"MarkdownV2\""));
		answer(w, 400, refusal);
		world_pass(w, 1000);
		assert_int_equal(w->n, 2);
		assert_string_equal(LAST(w).body.p, "{\"chat_id\":-100,\"text\":\"a_b\",\"disable_notification\":false,\"disable_web_page_preview\":true}");
		answer(w, accepted ? 200 : 400, accepted ? "{\"ok\":true}" : refusal);
		assert_int_equal(w->core->finished[accepted ? OUTBOX_DELIVERED : OUTBOX_DEAD], 1);
		world_free(w);
	}
}

/* A limit of the service: the beginning, valid in its markup, and a mark. */
static void long_texts_are_cut(void **state)
{
#define LONG "{{ range list 1 2 3 4 5 6 7 8 9 10 }}{{ range list 1 2 3 4 5 6 7 8 9 10 }}{{ range list 1 2 3 4 5 6 7 8 9 10 }}"                     \
	     "{{ range list 1 2 3 4 5 6 7 8 9 10 }}äöü&{{ end }}{{ end }}{{ end }}{{ end }}"
	static const struct {
		const char *yaml, *has, *has_not;
	} cases[] = {
		{ "telegram_configs: [ { bot_token: '1:a', chat_id: -100, message: '<b>" LONG "</b>' } ]", "ä</b>\\n… cut: too long\"", "<b></b>" },
		{ "telegram_configs: [ { bot_token: '1:a', chat_id: -100, message: '*" LONG "*', parse_mode: MarkdownV2 } ]",
		  "*\\n… cut: too long\"", NULL },
		{ "pushover_configs: [ { user_key: u, token: t, message: '<i>{{ range list 1 2 }}" LONG "{{ end }}</i>', html: true } ]",
		  "%3C%2Fi%3E%E2%80%A6", NULL },
		{ "pagerduty_configs: [ { routing_key: K, description: \"" LONG "\", details: { x: '" LONG LONG LONG LONG "' } } ]",
		  "…\",\"source\"", "left out" },
		{ "pagerduty_configs: [ { routing_key: K, description: d, details: { x: '{{ range list 1 2 3 4 5 6 7 8 }}" LONG "{{ end }}' } } ]",
		  "\"custom_details\":{\"note\":\"The details are left out: an event takes 512 kB at most.\"}", "ä" },
		{ "opsgenie_configs: [ { api_key: k, message: '" LONG "', description: d, source: s, tags: 'a, " LONG "' } ]",
		  "…\",\"alias\"", "&ä\",\"alias\"" },
		{ "sns_configs: [ { topic_arn: a, sigv4: { region: r, access_key: a, secret_key: s }, subject: \"l\\u00f6ng\\nline " LONG "\", message: m } ]",
		  "Subject=l%3Fng%20line", "Subject=l%3Fng%20line%20%3F%3F%3F%26%3F%3F%3F%26%C3" },
		{ "discord_configs: [ { webhook_url: 'http://d/', title: '" LONG "', message: '" LONG "' } ]", "…\",\"description\"", NULL },
		{ "webex_configs: [ { room_id: R, message: '" LONG "', http_config: { authorization: { credentials: T } } } ]", "\\n… cut: too long\"", NULL },
		{ "msteamsv2_configs: [ { webhook_url: 'http://t/', text: '" LONG "' } ]", "\\n… cut: too long\"", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct world *w = world_new(arena_printf(&a, HEAD "receivers:\n- name: r\n  %s\n", cases[i].yaml).p);

		fire(w, "Down", "a");
		if (!has(LAST(w).body, cases[i].has) || (cases[i].has_not != NULL && has(LAST(w).body, cases[i].has_not)))
			fail_msg("%.60s: %.300s", cases[i].yaml, LAST(w).body.p);
		world_free(w);
		arena_fini(&a);
	}
}

/* Of three hundred alerts, the first with much to say, the link to acknowledge is among what is left. */
static void a_long_message_can_be_acknowledged(void **state)
{
	static const char *const entries[] = {
		"telegram_configs: [ { bot_token: '1:a', chat_id: -100 } ]",
		"pushover_configs: [ { token: T, user_key: U } ]",
		"slack_configs: [ { api_url: 'http://slack/' } ]",
		"webex_configs: [ { room_id: R, http_config: { authorization: { credentials: T } } } ]",
		"discord_configs: [ { webhook_url: 'http://d/' } ]",
		"msteamsv2_configs: [ { webhook_url: 'http://t/' } ]",
		"mattermost_configs: [ { webhook_url: 'http://m/' } ]",
		"rocketchat_configs: [ { api_url: 'http://r/', token: T, token_id: I } ]",
		"opsgenie_configs: [ { api_key: K } ]",
		"victorops_configs: [ { api_key: K, routing_key: R } ]",
		"sns_configs: [ { phone_number: '+1', sigv4: { region: r, access_key: a, secret_key: s } } ]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct arena a = { 0 };
		struct world *w = world_new(arena_printf(&a, HEAD "receivers:\n- name: r\n  %s\n", entries[i]).p);

		for (int k = 0; k < 300; k++)
			world_edge(w, "Down", arena_printf(&a, "host%d", k).p, "critical", EDGE_FIRING, 3);
		world_run(w);
		assert_true(has(LAST(w).body, "tocsin/ack?") || has(LAST(w).body, "tocsin%2Fack%3F"));
		assert_true(has(LAST(w).body, "Acknowledge") && (has(LAST(w).body, "…") || has(LAST(w).body, "%E2%80%A6")));
		world_free(w);
		arena_fini(&a);
	}
}

/* Telegram's markup: our text is HTML, and plain where another markup is asked for; what a broken one looks like without it. */
static void a_text_fits_its_markup(void **state)
{
	static const struct {
		const char *yaml, *has, *has_not;
	} cases[] = {
		{ "chat_id: -100", "\"text\":\"<b>a_&lt;b&gt; is bad</b>\\n", "**" },
		{ "chat_id: -100, parse_mode: MarkdownV2", "\"text\":\"a_<b> is bad\\n", "parse_mode" },
		{ "chat_id: -100, parse_mode: ''", "\"text\":\"a_<b> is bad\\n", "parse_mode" },
		{ "chat_id: -100, parse_mode: MarkdownV2, message: '*x*'", "\"text\":\"*x*\",\"parse_mode\":\"MarkdownV2\"", "bad" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct world *w
			= world_new(arena_printf(&a, HEAD "receivers: [ { name: r, telegram_configs: [ { bot_token: '1:a', %s } ] } ]\n", cases[i].yaml).p);

		fire(w, "Down", "a_<b>");
		if (!has(LAST(w).body, cases[i].has) || has(LAST(w).body, cases[i].has_not))
			fail_msg("%s: %s", cases[i].yaml, LAST(w).body.p);
		world_free(w);
		arena_fini(&a);
	}
}

static void tags_that_are_refused_are_not_shown(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, telegram_configs: [ { bot_token: '1:a', chat_id: -100, message: "
					 "'<p>{{ .CommonLabels.instance }}</p>two<br>three' } ] } ]\n");

	(void)state;
	fire(w, "Down", "a<b>");
	answer(w, 400, "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: ...\"}");
	world_pass(w, 1000);
	assert_true(has(LAST(w).body, "\"text\":\"a<b>two\\nthree\",\"disable"));
	world_free(w);
}

static void default_texts_say_since_when(void **state)
{
	static const char *const entries[] = {
		"webex_configs: [ { room_id: R, http_config: { authorization: { credentials: T } } } ]",
		"msteams_configs: [ { webhook_url: 'http://teams/1' } ]",
		"mattermost_configs: [ { webhook_url: 'http://mm/hooks/1' } ]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct arena a = { 0 };
		struct world *w = world_new(arena_printf(&a, HEAD "receivers:\n- name: r\n  %s\n", entries[i]).p);

		print_message("  %s\n", entries[i]);
		fire(w, "Down", "a");
		assert_true(has(LAST(w).body, "Since 2023-11-14 22:13:20 UTC\\n"));
		answer(w, 200, "{\"ok\":true}");
		resolve(w, "Down", "a");
		world_pass(w, 60000);
		assert_int_equal(w->n, 2);
		assert_true(has(LAST(w).body, "Since 2023-11-14 22:13:20 UTC, ended 2023-11-14 22:13:20 UTC\\n"));
		world_free(w);
		arena_fini(&a);
	}
}

/* Webex takes what stands in angle brackets for HTML, and leaves it out. */
static void webex_shows_angle_brackets(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, webex_configs: [ { room_id: R, http_config: { authorization: { credentials: T } } } ] } ]\n");

	(void)state;
	fire(w, "Down", "a<b>&");
	assert_true(has(LAST(w).body, "**a&lt;b&gt;&amp; is bad**\\n\\n[Acknowledge](http://tocsin/ack?"));
	assert_true(has(LAST(w).body, "- instance: a&lt;b&gt;&amp;\\n") && !has(LAST(w).body, "<b>"));
	world_free(w);
}

/* Who has no key to tell by gets it said. */
static void a_possible_repeat_says_so(void **state)
{
	struct world *w = world_new(slack);

	(void)state;
	fire(w, "Down", "a");
	answer_with(w, 0, HTTP_LOST, 0, -1, "");
	world_pass(w, 2000);
	assert_int_equal(w->n, 2);
	assert_false(has(w->asked[0].body, "possible repeat"));
	assert_true(has(w->asked[1].body, "(possible repeat)\""));
	world_free(w);
}

/* Mails of a group answer each other, for a day. */
static void mails_of_a_group_are_a_thread(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, email_configs: [ { to: a@b, from: t@c, smarthost: 'h:25', send_resolved: true, threading: "
					 "{ enabled: true } } ] } ]\n");
	struct str first, line = STR("In-Reply-To: <group-"), date = STR("-2023-11-14@c>\r\n");

	(void)state;
	fire(w, "Down", "a");
	first = w->asked[0].body;
	first.p += str_find(first, line);
	first.n = line.n + 16 + date.n;
	assert_true(str_starts(first, line) && has(first, date.p));
	answer(w, 200, "");
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	answer(w, 200, "");
	fire(w, "Down", "a");                           /* another episode */
	assert_int_equal(w->n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(str_find(w->asked[i].body, first) < w->asked[i].body.n);
	world_free(w);
}

/* A word that the service would refuse loses no page. */
static void what_a_service_does_not_know_is_its_default(void **state)
{
#define SENT_AS "receivers: [ { name: r, pagerduty_configs: [ { routing_key: K, severity: '{{ .CommonLabels.severity }}' } ],\n" \
		"  opsgenie_configs: [ { api_key: K, priority: '{{ .CommonLabels.severity }}' } ] } ]\n"
	static const struct {
		const char *severity, *pagerduty, *opsgenie;    /* opsgenie NULL: none is sent */
	} cases[] = {
		{ "warning", "\"severity\":\"warning\"", NULL },
		{ "page", "\"severity\":\"error\"", NULL },
		{ "P2", "\"severity\":\"error\"", "\"priority\":\"P2\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(HEAD SENT_AS);

		world_edge(w, "Down", "a", cases[i].severity, EDGE_FIRING, 3);
		world_run(w);
		assert_int_equal(w->n, 2);
		for (size_t k = 0; k < 2; k++) {
			bool pagerduty = has(w->asked[k].url, "pagerduty");
			const char *what = pagerduty ? cases[i].pagerduty : cases[i].opsgenie;

			assert_true(has(w->asked[k].body, what != NULL ? what : "\"alias\""));
			assert_int_equal(has(w->asked[k].body, "\"priority\""), !pagerduty && what != NULL);
		}
		world_free(w);
	}
}

/* Twice a Date is once too often for many a server; and a header is ASCII. */
static void headers_of_a_mail_stand_once(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, email_configs: [ { to: 'm\xc3\xbcller@x, \"M, \xc3\x9c\" <b@x> (c)', from: t@c, smarthost: 'h:25', "
					 "headers: { date: 'Mon, 01 Jan 2024 00:00:00 +0000', Cc: 'a@x, b@x' } } ] } ]\n");
	struct str head;

	(void)state;
	fire(w, "Down", "a");
	head = LAST(w).body;
	head.n = str_find(head, STR("\r\n\r\n"));
	assert_true(has(head, "\r\ndate: Mon, 01 Jan 2024") && !has(head, "Date: "));
	assert_true(has(head, "\r\nCc: a@x, b@x\r\n"));
	assert_true(has(head, "To: =?utf-8?B?bcO8bGxlckB4?=,\r\n =?utf-8?B?TSwgw5w=?=\r\n <b@x>\r\n"));
	for (size_t i = 0; i < head.n; i++)
		assert_true((unsigned char)head.p[i] < 0x80);
	world_free(w);
}

/* Who was refused for now is asked again, alone, also after a kill, until there is something newer to tell all of them. */
static void some_of_a_mail_get_it_later(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, email_configs: [ { to: 'a@x, \"B, \\\"C\" <b@x>, c@x (C, c), O\"D <d@x>, e@x', from: t@c, "
					 "smarthost: 'h:25', send_resolved: true } ] } ]\n");
	struct http_answer some = { .fate = HTTP_ANSWERED, .status = 200, .retry_after_ms = -1, .body = STR("b@x: 451 later"), .later = STR("b@x") };

	(void)state;
	fire(w, "Down", "a");
	assert_string_equal(LAST(w).to.p, "a@x b@x c@x d@x e@x");
	w->asked[0].answered = true;
	core_answer(w->core, w->asked[0].tag, &some);
	world_pass(w, 2000);
	assert_int_equal(w->n, 2);
	assert_string_equal(LAST(w).to.p, "b@x");
	answer(w, 503, "451 later");
	world_crash(w);
	world_pass(w, 60000);
	assert_int_equal(w->n, 3);
	assert_string_equal(LAST(w).to.p, "b@x");
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	answer(w, 503, "451 later");
	assert_int_equal(w->n, 4);
	assert_true(has(LAST(w).body, "Subject: [RESOLVED]"));
	assert_string_equal(LAST(w).to.p, "a@x b@x c@x d@x e@x");
	answer(w, 200, "");
	assert_null(w->core->first);
	world_free(w);
}

static void a_message_holds_as_many_alerts_as_it_may(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, incidentio_configs: [ { url: 'http://incident/', max_alerts: 1 } ] } ]\n");

	(void)state;
	world_edge(w, "Down", "a", "critical", EDGE_FIRING, 3);
	world_edge(w, "Down", "b", "critical", EDGE_FIRING, 3);
	world_run(w);
	assert_int_equal(w->n, 1);
	assert_true(has(LAST(w).body, "\"truncatedAlerts\":1"));
	world_free(w);
}

/* A route's labels: templates, those above too, one's own counts; in templates, and in the webhook's message. */
static void what_a_route_says_is_told(void **state)
{
	struct world *w = world_new("route: { receiver: r, group_by: [alertname], group_wait: 0s, labels: { team: ops, tier: '{{ .Status }}' }, routes: [\n"
				    "  { matchers: ['alertname=Down'], receiver: r, labels: { team: '{{ .GroupLabels.alertname }} {{ len .Alerts }}', "
				    "bad: '{{ .Nope }}' } } ] }\n"
				    "receivers: [ { name: r, webhook_configs: [ { url: 'http://hook/' } ], opsgenie_configs: [ { api_key: K, message: "
				    "'{{ .RouteLabels.team }}, {{ routeLabels.tier }}', description: '{{ .RouteLabels }}' } ] } ]\n");

	(void)state;
	fire(w, "Down", "a");
	assert_int_equal(w->n, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(has(w->asked[i].body, has(w->asked[i].url, "hook") ? "\"routeLabels\":{\"team\":\"Down 1\",\"tier\":\"firing\"}"
										 : "\"message\":\"Down 1, firing\""));
	fire(w, "Other", "a");
	assert_true(has(LAST(w).body, "ops") && w->n == 4);
	world_free(w);
}

/* A message of one's own: numbers and what a template makes as JSON are that, texts are texts whatever they look like. */
static void a_webhook_has_a_payload(void **state)
{
	static const struct {
		const char *yaml, *want;
	} cases[] = {
		{ "{ title: '{{ .Status }}', n: 5, half: 0.5, on: true, none: null, text: '7', list: [ '{{ len .Alerts }}', x: [] ] }",
		  "{\"title\":\"firing\",\"n\":5,\"half\":0.5,\"on\":true,\"none\":null,\"text\":\"7\",\"list\":[\"1\",{\"x\":[]}]}" },
		{ "{ labels: '{{ toJson .CommonLabels }}', names: '{{ .GroupLabels.Names | toJson }}', yaml: 'a: b', broken: '{ \"a\": ' }",
		  "{\"labels\":{\"alertname\":\"Down\",\"instance\":\"a\",\"severity\":\"critical\"},\"names\":[\"alertname\"],\"yaml\":\"a: b\","
		  "\"broken\":\"{ \\\"a\\\": \"}" },
		{ "'{ \"whole\": {{ toJson .Status }} }'", "{ \"whole\": \"firing\" }" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct world *w
			= world_new(arena_printf(&a, HEAD "receivers: [ { name: r, webhook_configs: [ { url: 'http://h/', payload: %s } ] } ]\n", cases[i].yaml).p);

		fire(w, "Down", "a");
		assert_string_equal(LAST(w).body.p, cases[i].want);
		world_free(w);
		arena_fini(&a);
	}
}

static const char posted[] = "{\"ok\":true,\"ts\":\"1700000000.000100\",\"channel\":\"C7\"}";

/* The message of an episode is edited, over a restart too; what cannot be edited any more is told anew. */
static void messages_of_an_episode_are_one(void **state)
{
	static const char *const ways[] = { "update_message: true", "message_strategy: update" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct arena a = { 0 };
		struct world *w = world_new(arena_printf(&a, HEAD "receivers: [ { name: r, slack_configs: [ { app_token: T, channel: '#x', title: t, "
							 "send_resolved: true, %s } ] } ]\n", ways[i]).p);

		fire(w, "Down", "a");
		assert_string_equal(LAST(w).url.p, "https://slack.com/api/chat.postMessage");
		assert_true(has(LAST(w).body, "\"channel\":\"#x\"") && !has(LAST(w).body, "\"ts\""));
		answer(w, 200, posted);
		world_crash(w);
		fire(w, "Down", "b");
		world_pass(w, 60000);
		assert_string_equal(LAST(w).url.p, "https://slack.com/api/chat.update");
		assert_true(has(LAST(w).body, "\"channel\":\"C7\",\"ts\":\"1700000000.000100\""));
		answer(w, 200, "{\"ok\":false,\"error\":\"message_not_found\"}");
		world_pass(w, 2000);
		assert_int_equal(w->n, 3);
		assert_string_equal(LAST(w).url.p, "https://slack.com/api/chat.postMessage");
		answer(w, 200, posted);
		resolve(w, "Down", "a");
		resolve(w, "Down", "b");
		world_pass(w, 60000);
		assert_string_equal(LAST(w).url.p, "https://slack.com/api/chat.update");
		answer(w, 200, posted);
		fire(w, "Down", "a");                   /* another episode */
		world_pass(w, 60000);
		assert_string_equal(LAST(w).url.p, "https://slack.com/api/chat.postMessage");
		world_free(w);
		arena_fini(&a);
	}
}

#define THREADED(options)                                                                                                          \
	HEAD "receivers: [ { name: r, slack_configs: [ { app_token: T, channel: '#x', title: '{{ len .Alerts.Firing }} fire', text: t, "          \
	     "color: '{{ .Status }}', send_resolved: true, message_strategy: thread" options " } ] } ]\n"

static const struct asked *before(const struct world *w)
{
	return &w->asked[w->n - 2];
}

/* Requests to one destination are a second apart. */
static void answer_in_turn(struct world *w)
{
	answer(w, 200, posted);
	world_pass(w, 1000);
}

/* A summary that is kept up to date, and what happens as answers to it; a mark at the end. */
static void messages_of_an_episode_are_a_thread(void **state)
{
	struct world *w = world_new(THREADED(", threaded_options: { resolve_emoji: done, summary_header: { resolve_color: '#0f0' } }"));

	(void)state;
	fire(w, "Down", "a");
	assert_string_equal(LAST(w).body.p, "{\"channel\":\"#x\",\"username\":\"Tocsin\",\"attachments\":[{\"title\":\"1 fire\",\"title_link\":\"http://tocsin/\","
					    "\"fallback\":\"[FIRING:1] Down (a critical) | http://tocsin/\",\"color\":\"firing\"}]}");
	answer_in_turn(w);
	assert_true(has(LAST(w).url, "chat.postMessage") && has(LAST(w).body, "\"thread_ts\":\"1700000000.000100\""));
	assert_true(has(LAST(w).body, "\"channel\":\"C7\"") && has(LAST(w).body, "\"text\":\"t\""));
	answer(w, 200, "{\"ok\":true,\"ts\":\"1700000000.000200\",\"channel\":\"C7\"}");
	world_crash(w);
	fire(w, "Down", "b");
	world_pass(w, 60000);
	assert_true(has(LAST(w).url, "chat.update") && has(LAST(w).body, "\"ts\":\"1700000000.000100\"") && has(LAST(w).body, "2 fire"));
	answer_in_turn(w);
	assert_true(has(LAST(w).body, "\"thread_ts\":\"1700000000.000100\""));
	answer(w, 200, posted);
	resolve(w, "Down", "a");
	resolve(w, "Down", "b");
	world_pass(w, 60000);
	assert_true(has(LAST(w).url, "chat.update") && has(LAST(w).body, "\"color\":\"#0f0\""));
	answer_in_turn(w);
	answer_in_turn(w);
	assert_string_equal(LAST(w).url.p, "https://slack.com/api/reactions.add");
	assert_string_equal(LAST(w).body.p, "{\"channel\":\"C7\",\"timestamp\":\"1700000000.000100\",\"name\":\"done\"}");
	assert_int_equal(w->n, 7);
	answer(w, 200, "{\"ok\":false,\"error\":\"missing_scope\"}");     /* no reason to tell anything again */
	world_pass(w, 60000);
	assert_int_equal(w->n, 7);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_unfinished, 0);
	assert_int_equal(w->core->finished[OUTBOX_DELIVERED], 2);       /* since the crash */
	world_free(w);
}

/* Without a summary the first message is the head; one that is gone is followed by another. */
static void the_first_message_heads_the_thread(void **state)
{
	struct world *w = world_new(THREADED(", threaded_options: { use_summary_header: false }"));

	(void)state;
	fire(w, "Down", "a");
	assert_true(has(LAST(w).body, "\"text\":\"t\"") && !has(LAST(w).body, "thread_ts"));
	answer(w, 200, posted);
	assert_int_equal(w->n, 1);
	fire(w, "Down", "b");
	world_pass(w, 60000);
	assert_true(has(LAST(w).url, "chat.postMessage") && has(LAST(w).body, "\"thread_ts\":\"1700000000.000100\""));
	answer(w, 200, "{\"ok\":false,\"error\":\"thread_not_found\"}");
	world_pass(w, 2000);
	assert_true(w->n == 3 && !has(LAST(w).body, "thread_ts") && has(before(w)->body, "thread_ts"));
	world_free(w);
}

/* Go's zero time, as templates of Alertmanager see it. */
static void what_fires_ends_in_the_year_1(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, opsgenie_configs: [ { api_key: K, message: m, "
					 "description: '{{ range .Alerts }}{{ .EndsAt }} {{ with .EndsAt }}{{ .IsZero }} {{ .Year }} "
					 "{{ .Weekday }} {{ .Unix }} {{ .UnixNano }} "
					 "{{ .Truncate 3600000000000 }} {{ since . }} {{ toJson . }}{{ end }} "
					 "{{ .StartsAt.IsZero }} {{ .EndsAt.Sub .StartsAt }}{{ end }}' } ] } ]\n");

	(void)state;
	fire(w, "Down", "a");
	assert_true(has(LAST(w).body, "0001-01-01 00:00:00 +0000 UTC true 1 Monday -62135596800 -6795364578871345152 "
				      "0001-01-01 00:00:00 +0000 UTC 2562047h47m16.854775807s \\\"0001-01-01T00:00:00Z\\\" "
				      "false -2562047h47m16.854775808s"));
	world_free(w);
}

/* What is there already is counted by a second alert of its alias, and changed by two further requests. */
static void an_alert_is_updated(void **state)
{
	struct world *w = world_new(HEAD "receivers: [ { name: r, opsgenie_configs: [ { api_key: K, message: '{{ len .Alerts }} of them', description: d, "
					 "update_alerts: true, responders: [ { type: teams, name: 'x, y' }, { type: '{{ .CommonLabels.no }}', name: '{{ .CommonLabels.no }}' } ] } ] } ]\n");

	(void)state;
	fire(w, "Down", "a");
	assert_true(has(LAST(w).body, "\"responders\":[{\"name\":\"x\",\"type\":\"team\"},{\"name\":\"y\",\"type\":\"team\"}]"));
	answer(w, 202, "{}");
	assert_int_equal(w->n, 1);
	fire(w, "Down", "b");
	world_pass(w, 60000);
	answer(w, 202, "{}");
	assert_int_equal(w->n, 3);
	assert_string_equal(LAST(w).method.p, "PUT");
	assert_true(has(LAST(w).url, "/message?identifierType=alias"));
	assert_string_equal(LAST(w).body.p, "{\"message\":\"2 of them\"}");
	answer(w, 202, "{}");
	assert_true(has(LAST(w).url, "/description?identifierType=alias"));
	assert_string_equal(LAST(w).body.p, "{\"description\":\"d\"}");
	answer(w, 500, "");                             /* all of it again */
	world_pass(w, 2000);
	assert_int_equal(w->n, 5);
	assert_true(has(LAST(w).url, "/v2/alerts") && !has(LAST(w).url, "alias"));
	for (int i = 0; i < 3; i++)
		answer(w, 202, "{}");
	assert_int_equal(w->n, 7);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_unfinished, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_to_the_byte),
		cmocka_unit_test(a_template_that_fails_stops_no_message),
		cmocka_unit_test(answers_are_judged),
		cmocka_unit_test(markup_that_is_refused_goes_out_plain),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(a_long_message_can_be_acknowledged),
		cmocka_unit_test(a_text_fits_its_markup),
		cmocka_unit_test(tags_that_are_refused_are_not_shown),
		cmocka_unit_test(default_texts_say_since_when),
		cmocka_unit_test(webex_shows_angle_brackets),
		cmocka_unit_test(a_possible_repeat_says_so),
		cmocka_unit_test(mails_of_a_group_are_a_thread),
		cmocka_unit_test(headers_of_a_mail_stand_once),
		cmocka_unit_test(what_a_service_does_not_know_is_its_default),
		cmocka_unit_test(some_of_a_mail_get_it_later),
		cmocka_unit_test(a_message_holds_as_many_alerts_as_it_may),
		cmocka_unit_test(what_a_route_says_is_told),
		cmocka_unit_test(a_webhook_has_a_payload),
		cmocka_unit_test(messages_of_an_episode_are_one),
		cmocka_unit_test(messages_of_an_episode_are_a_thread),
		cmocka_unit_test(the_first_message_heads_the_thread),
		cmocka_unit_test(what_fires_ends_in_the_year_1),
		cmocka_unit_test(an_alert_is_updated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
