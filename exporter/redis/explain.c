/* --explain of a Redis source. Commands go by the names that ACL rules have for them, so that the rule can be told too. */
#include "explain.h"

#include <stdio.h>

#include "redis/node.h"
#include "redis/redis.h"
#include "redis/scan.h"
#include "redis/settings.h"

static void put_command(void *user, const char *name)
{
	buf_printf(user, "%s%s", ((struct buf *)user)->n > 0 ? " " : "", name);
}

static bool has_word(struct str text, struct str word)
{
	struct str one;

	while (str_cut(&text, ' ', &one))
		if (str_eq(one, word))
			return true;
	return false;
}

/* Words that are not there yet. */
static void put_words(struct buf *out, const char *text)
{
	struct str rest = str_of(text), word;

	while (str_cut(&rest, ' ', &word)) {
		if (has_word(buf_str(out), word))
			continue;
		buf_putc(out, ' ');
		buf_puts(out, word);
	}
}

static void put_rule(void *user, const char *name)
{
	char rule[64];

	snprintf(rule, sizeof rule, "+%s", name);
	put_words(user, rule);
}

/* What an ACL must allow, and no more: a test runs with exactly this. */
static void put_rules(struct buf *out, const struct redis_settings *s)
{
	const bool keys = s->check_single_keys.n + s->check_keys.n > 0, groups = s->check_key_groups != NULL;
	const bool streams = s->check_single_streams.n + s->check_streams.n > 0;
	const bool scans = s->check_keys.n + s->count_keys.n + s->check_streams.n > 0 || groups;
	const struct {
		bool wanted;
		const char *rules;
	} parts[] = {
		{ true, "+client|setname" },
		{ s->ping_on_connect, "+ping" },
		{ s->cluster, "+cluster|info +cluster|nodes" },
		{ scans || keys || streams || s->endpoint.url.db != 0, "+select" },
		{ scans, "+scan" },
		{ keys, "+type +memory|usage +strlen +llen +scard +zcard +hlen +xlen" },
		{ keys && (s->key_values || s->key_values_as_string), "+getrange" },
		{ groups, "+memory|usage" },
		{ streams, "+type +xinfo|stream +xinfo|groups" },
		{ streams && !s->streams_exclude_consumer_metrics, "+xinfo|consumers" },
		{ s->include_search_indexes_metrics, "+ft._list +ft.info" },
		{ s->scripts.n > 0, s->lua_script_read_only ? "+eval_ro" : "+eval" },
		{ keys || groups || streams, "%R~*" },
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].wanted)
			put_words(out, parts[i].rules);
		if (i == 0)
			redis_each_ask(s, put_rule, out);
	}
}

static void put_keys(struct buf *out, const char *what, const struct redis_key_specs *keys)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < keys->n; i++)
		buf_printf(&names, " %s=" STR_FMT, keys->v[i].label, STR_ARG(keys->v[i].key));
	if (keys->n > 0)
		explain_ask(out, "%s:%s", what, buf_z(&names));
	buf_fini(&names);
}

void redis_explain(struct buf *out, const void *settings)
{
	const struct redis_settings *s = settings;
	const bool scans = s->check_keys.n + s->count_keys.n + s->check_streams.n + s->scripts.n > 0 || s->check_key_groups != NULL
	                || s->include_search_indexes_metrics;
	struct buf commands = { 0 }, rules = { 0 };

	redis_each_ask(s, put_command, &commands);
	put_rules(&rules, s);
	explain_when(out, s->cluster ? "in each scrape, of every node of the cluster, in one pipeline over a connection that stays"
	                             : "in each scrape, in one pipeline over a connection that stays");
	explain_ask(out, "%s%s", buf_z(&commands), s->cluster ? " cluster|info" : "");
	put_keys(out, "type, size and value of keys (check_single_keys)", &s->check_single_keys);
	put_keys(out, "streams, their groups and consumers (check_single_streams)", &s->check_single_streams);
	if (!s->cluster && !scans && s->check_single_keys.n + s->check_single_streams.n == 0)
		explain_ask(out, "if it is a Sentinel: info sentinel|masters, and of each master sentinel|sentinels sentinel|slaves "
		                 "sentinel|ckquorum");
	if (s->cluster)
		explain_when(out, "every %s (discover_interval), and at once when a node is lost: cluster|nodes",
		             EXPLAIN_MS(s->discover_interval_ms));
	if (scans)
		explain_when(out, "every %s (scan_interval), over a second connection, at most %lld keys a second "
		    "(scan_keys_per_second): SCAN",
		             EXPLAIN_MS(s->scan_interval_ms), (long long)s->scan_keys_per_second);
	put_keys(out, "counts keys (count_keys)", &s->count_keys);
	put_keys(out, "type, size and value of what matches (check_keys)", &s->check_keys);
	if (s->check_key_groups != NULL)
		explain_ask(out, "MEMORY USAGE of every key, for groups by " STR_FMT " (check_key_groups)",
		    STR_ARG(regex_pattern(s->check_key_groups)));
	if (s->include_search_indexes_metrics)
		explain_ask(out, "FT._LIST, and FT.INFO of each index");
	for (size_t i = 0; i < s->scripts.n; i++)
		explain_ask(out, "%s " STR_FMT, s->lua_script_read_only ? "EVAL_RO" : "EVAL", STR_ARG(s->scripts.v[i]));
	put_keys(out, "streams that match (check_streams)", &s->check_streams);
	if (redis_scan_tries_databases(s))
		explain_when(out, "every %s (scan_interval), over a second connection: SELECT of each database that keys and streams name",
		             EXPLAIN_MS(s->scan_interval_ms));
	explain_note(out, "a user with -@all%s%s; what it may not is left out and shown in redis_exporter_command_allowed",
	    buf_z(&rules),
	             s->scripts.n > 0 ? ", and what the scripts do" : "");
	buf_fini(&commands);
	buf_fini(&rules);
}
