/* heartbeats: signs of life we send, and those we expect. */
#include "notify/config/config.h"

#define MAX_HEARTBEATS 1000

struct out_file {
	struct str name, url;
	int method;
	int64_t interval_ms, timeout_ms;
	struct connection_settings *http;
};

struct in_file {
	struct str name, token, summary, description;
	int64_t every_ms, grace_ms;
	struct conf_labels labels;
};

struct heartbeats_file {
	struct conf_list out, in;
};

static const char *const methods[] = { "GET", "POST", NULL };
static const struct conf_range interval_range = { 1000, 366 * 86400000LL }, timeout_range = { 1, 60000 };

#define OUT(name, field, parse, fallback, flags, arg, help)                                                                        \
	CONF_KEY_ARG(struct out_file, name, field, parse, fallback, (flags) | CONF_RELOAD, help, arg)
static const struct conf_key out_keys[] = {
	OUT("name", name, conf_str, NULL, CONF_REQUIRED, NULL, "What it is called."),
	OUT("url", url, conf_url, NULL, CONF_SECRET | CONF_REQUIRED, NULL, "Where to."),
	OUT("method", method, conf_enum, "GET", 0, methods, "GET or POST."),
	OUT("interval", interval_ms, conf_duration_ms, "1m", 0, &interval_range, "How often."),
	OUT("timeout", timeout_ms, conf_duration_ms, "10s", 0, &timeout_range, "How long a request may take."),
	OUT("http_config", http, conf_sub_ptr, NULL, 0, &connection_table, "How to connect; by default as global."),
};
static const struct conf_table out_table = { out_keys, ARRAY_LEN(out_keys), sizeof(struct out_file), NULL, NULL };

#define IN(name, field, parse, fallback, flags, arg, help)                                                                         \
	CONF_KEY_ARG(struct in_file, name, field, parse, fallback, (flags) | CONF_RELOAD, help, arg)
static const struct conf_key in_keys[] = {
	IN("name", name, conf_str, NULL, CONF_REQUIRED, NULL, "What is expected to live."),
	IN("token", token, conf_str, NULL, CONF_SECRET | CONF_REQUIRED, NULL, "What it shows."),
	IN("every", every_ms, conf_duration_ms, NULL, CONF_REQUIRED, &interval_range, "How often it is expected."),
	IN("grace", grace_ms, conf_duration_ms, "1m", 0, NULL, "How late it may be."),
	IN("labels", labels, conf_labels, NULL, 0, NULL, "Labels of the alert; severity is critical unless it is here."),
	IN("summary", summary, conf_str, NULL, 0, NULL, "Its summary."),
	IN("description", description, conf_str, NULL, 0, NULL, "Its description."),
};

/* Both stand in an address. */
static bool check_in(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct in_file *f = to;

	for (size_t i = 0; i < f->name.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", f->name.p[i]) == NULL)
			return conf_error(rd->report, conf_get(node, "name"), "\"" STR_FMT "\" is no name of a heartbeat: letters, digits, '-', '_', '.'",
					  STR_ARG(f->name));
	if (f->token.n < 8)
		return conf_error(rd->report, conf_get(node, "token"), "the token is shorter than 8 characters: make it longer");
	return true;
}

static const struct conf_table in_table = { in_keys, ARRAY_LEN(in_keys), sizeof(struct in_file), NULL, check_in };

static const struct conf_key heartbeats_keys[] = {
	CONF_KEY_ARG(struct heartbeats_file, "send", out, conf_sub_list, NULL, CONF_RELOAD, "Ours, while rules are evaluated.", &out_table),
	CONF_KEY_ARG(struct heartbeats_file, "expect", in, conf_sub_list, NULL, CONF_RELOAD, "Others': one that is missed is an alert.", &in_table),
};
static const struct conf_table heartbeats_table
	= { heartbeats_keys, ARRAY_LEN(heartbeats_keys), sizeof(struct heartbeats_file), NULL, NULL };

static void make_out(struct conf_reader *rd, const struct conf_list *l, const struct connection_settings *fallback)
{
	struct notify_config *c = rd->user;

	c->beats_out = ARENA_ARRAY(rd->arena, l->n + 1, struct heartbeat_out);
	for (size_t i = 0; i < l->n; i++) {
		const struct out_file *f = (const struct out_file *)l->v + i;

		for (size_t k = 0; k < i; k++)
			if (str_eq(c->beats_out[k].name, f->name))
				conf_error(rd->report, l->nodes[i], "heartbeat \"" STR_FMT "\" is sent twice: give it another name", STR_ARG(f->name));
		c->beats_out[c->n_beats_out++] = (struct heartbeat_out){ f->name, f->url, f->method == 1, f->interval_ms, f->timeout_ms,
									 f->http != NULL ? *f->http : *fallback };
	}
}

static void make_in(struct conf_reader *rd, const struct conf_list *l)
{
	struct notify_config *c = rd->user;
	struct str twice;

	c->beats_in = ARENA_ARRAY(rd->arena, l->n + 1, struct heartbeat_in);
	for (size_t i = 0; i < l->n; i++) {
		const struct in_file *f = (const struct in_file *)l->v + i;
		struct heartbeat_in *in = &c->beats_in[c->n_beats_in];

		for (size_t k = 0; k < c->n_beats_in; k++)
			if (str_eq(c->beats_in[k].name, f->name))
				conf_error(rd->report, l->nodes[i], "heartbeat \"" STR_FMT "\" is expected twice: give it another name", STR_ARG(f->name));
		*in = (struct heartbeat_in){ .name = f->name, .token = f->token, .every_ms = f->every_ms, .grace_ms = f->grace_ms,
					     .summary = f->summary, .description = f->description };
		if (!labels_from(f->labels.v, f->labels.n, &in->labels, &twice))
			conf_error(rd->report, l->nodes[i], "label " STR_FMT " is given twice: keep one", STR_ARG(twice));
		c->n_beats_in++;
	}
}

void config_read_heartbeats(struct conf_reader *rd, const struct conf_node *node, const struct connection_settings *fallback)
{
	struct heartbeats_file f = { 0 };

	if (node == NULL || node->kind == CONF_NULL || !conf_read(rd, &heartbeats_table, node, &f))
		return;
	if (f.out.n + f.in.n > MAX_HEARTBEATS) {
		conf_error(rd->report, node, "more than %d heartbeats (limit MAX_HEARTBEATS)", MAX_HEARTBEATS);
		return;
	}
	make_out(rd, &f.out, fallback);
	make_in(rd, &f.in);
}
