/* Lua scripts of the user's, run on the server each round: a flat list of names and numbers is what they return. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>

#include "redis/families.h"
#include "redis/info.h"
#include "redis/scanner.h"

#define SCRIPT_BYTES 65536
#define VALUES_MAX 1000         /* of one script */

static bool read_script(struct arena *a, const char *path, struct str *out, struct err *e)
{
	char *text = arena_alloc_raw(a, SCRIPT_BYTES);
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return err_set(e, ERR_IO, -1, "%s: %s", path, strerror(errno));
	*out = (struct str){ text, fread(text, 1, SCRIPT_BYTES, f) };
	fclose(f);
	return out->n < SCRIPT_BYTES || err_set(e, ERR_LIMIT, -1, "%s: %d bytes or more", path, SCRIPT_BYTES);
}

static double show_values(struct redis_scanner *s, const struct resp_reply *reply, struct str file)
{
	double v;

	if (reply->type != RESP_ARRAY)
		return reply->type == RESP_ERROR ? 0 : 2;
	for (size_t i = 0; i + 1 < reply->n_items && i < 2 * VALUES_MAX; i += 2) {
		const struct resp_reply *value = reply->items[i + 1];
		v = (double)value->integer;
		if (value->type == RESP_INTEGER || info_number(value->text, &v))
			EXPO_EMIT(s->set, &redis_families[RF_SCRIPT_VALUES], v, { STR("key"), reply->items[i]->text }, { STR("filename"),
			    file });
	}
	return reply->n_items > 0 ? 1 : 2;
}

bool redis_scan_scripts(struct redis_scanner *s, struct err *e)
{
	for (size_t i = 0; i < s->settings->scripts.n; i++) {
		const char *path = arena_strz(&s->arena, s->settings->scripts.v[i]);
		const struct str file = str_of(basename(arena_strz(&s->arena, s->settings->scripts.v[i])));
		const struct resp_reply *reply;
		struct str text;

		if (!read_script(&s->arena, path, &text, e))
			return false;
		redis_conn_send(s->conn, (struct str[]){ s->settings->lua_script_read_only ? STR("EVAL_RO")
		    : STR("EVAL"), text, STR("0") }, 3);
		if (!redis_conn_reply(s->conn, &s->arena, redis_scanner_wait(s), &reply, e))
			return err_context(e, "EVAL");
		EXPO_EMIT(s->set, &redis_families[RF_SCRIPT_RESULT], show_values(s, reply, file), { STR("filename"), file });
	}
	return true;
}
