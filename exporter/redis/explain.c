/* --explain of a Redis source. Commands go by the names that ACL rules have for them, so that the rule can be told too. */
#include "explain.h"

#include "redis/node.h"
#include "redis/redis.h"
#include "redis/settings.h"

static void put_command(void *user, const char *name)
{
	buf_printf(user, "%s%s", ((struct buf *)user)->n > 0 ? " " : "", name);
}

static void put_rule(void *user, const char *name)
{
	buf_printf(user, " +%s", name);
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
	const bool streams = s->check_single_streams.n + s->check_streams.n > 0;
	const bool keys = scans || s->check_single_keys.n > 0;
	struct buf commands = { 0 }, rules = { 0 };

	redis_each_ask(s, put_command, &commands);
	redis_each_ask(s, put_rule, &rules);
	explain_when(out, "in each scrape, in one pipeline over a connection that stays");
	explain_ask(out, "%s", buf_z(&commands));
	put_keys(out, "type, size and value of keys (check_single_keys)", &s->check_single_keys);
	put_keys(out, "streams, their groups and consumers (check_single_streams)", &s->check_single_streams);
	if (scans)
		explain_when(out, "every %s (scan_interval), over a second connection, at most %lld keys a second (scan_keys_per_second): SCAN",
		             EXPLAIN_MS(s->scan_interval_ms), (long long)s->scan_keys_per_second);
	put_keys(out, "counts keys (count_keys)", &s->count_keys);
	put_keys(out, "type, size and value of what matches (check_keys)", &s->check_keys);
	if (s->check_key_groups != NULL)
		explain_ask(out, "MEMORY USAGE of every key, for groups by " STR_FMT " (check_key_groups)", STR_ARG(regex_pattern(s->check_key_groups)));
	if (s->include_search_indexes_metrics)
		explain_ask(out, "FT._LIST, and FT.INFO of each index");
	for (size_t i = 0; i < s->scripts.n; i++)
		explain_ask(out, "%s " STR_FMT, s->lua_script_read_only ? "EVAL_RO" : "EVAL", STR_ARG(s->scripts.v[i]));
	put_keys(out, "streams that match (check_streams)", &s->check_streams);
	explain_note(out, "a user with -@all +client|setname%s%s%s; what it may not is left out and shown in redis_exporter_command_allowed",
	             buf_z(&rules), keys ? " +select +scan +type +strlen +llen +scard +zcard +hlen +xlen +getrange +memory|usage %R~*" : "",
	             streams ? " +select +type +xinfo|stream +xinfo|groups +xinfo|consumers %R~*" : "");
	buf_fini(&commands);
	buf_fini(&rules);
}
