/* route, receivers and global as alertmanager.yml writes them, by table. What Alertmanager knows and we do not honour is an error
 * that names it: nobody shall believe in a silence, a time window or a receiver that is not there. */
#include "notify/config/config.h"

#include <stdlib.h>

#include "notify/matcher.h"
#include "notify/route.h"
#include "tocsin/mem.h"
#include "tocsin/regex.h"
#include "tocsin/template.h"

#define UNSET (-1) /* a duration to be inherited */

const char *const notify_config_keys[] = {"route",         "receivers",      "templates",
					  "inhibit_rules", "time_intervals", "mute_time_intervals"};
const size_t notify_config_key_count = ARRAY_LEN(notify_config_keys);
const char *const notify_own_keys[] = {"alerting", "heartbeats"};
const size_t notify_own_key_count = ARRAY_LEN(notify_own_keys);

const char *const notify_global_keys[] = {
    "resolve_timeout",
    "http_config",
    "smtp_from",
    "smtp_hello",
    "smtp_smarthost",
    "smtp_auth_username",
    "smtp_auth_password",
    "smtp_auth_password_file",
    "smtp_auth_secret",
    "smtp_auth_identity",
    "smtp_require_tls",
    "smtp_tls_config",
    "smtp_force_implicit_tls",
    "smtp_auth_secret_file",
    "slack_app_token",
    "slack_app_token_file",
    "slack_app_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
    "telegram_bot_token",
    "telegram_bot_token_file",
    "jira_api_url",
    "slack_api_url",
    "slack_api_url_file",
    "victorops_api_key",
    "victorops_api_key_file",
    "victorops_api_url",
    "pagerduty_url",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "opsgenie_api_url",
    "wechat_api_url",
    "wechat_api_secret",
    "wechat_api_secret_file",
    "wechat_api_corp_id",
    "telegram_api_url",
    "webex_api_url",
};
const size_t notify_global_key_count = ARRAY_LEN(notify_global_keys);

/* ---- Lifetime. ---- */

struct notify_config *notify_config_empty(void)
{
	struct notify_config *c = mem_alloc(sizeof *c);

	c->resolve_timeout_ms = 300000;
	return c;
}

void notify_config_set_external_labels(struct notify_config *c, struct labels external)
{
	c->external_labels = labels_copy(&c->arena, external);
}

void notify_config_free(struct notify_config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n_regexes; i++)
		regex_free(c->regexes[i]);
	while (c->n_templates > 0)
		template_free(c->templates[--c->n_templates]);
	for (size_t i = 0; i < c->n_zones; i++)
		tz_free(c->zones[i]);
	free(c->zones);
	free(c->regexes);
	free(c->templates);
	conf_release(c->held);
	arena_fini(&c->arena);
	free(c);
}

uint64_t notify_config_identity(struct str a, struct str b)
{
	const struct label v[] = {{a, b}};

	return alert_fingerprint((struct labels){v, 1});
}

const struct integration *notify_config_find(const struct notify_config *c, struct str name)
{
	for (size_t i = 0; i < c->n_receivers; i++)
		for (size_t k = 0; k < c->receivers[i].n; k++)
			if (str_eq(c->receivers[i].integrations[k].name, name))
				return &c->receivers[i].integrations[k];
	return NULL;
}

/* "team/webhook[0]" without the place in the list. */
static struct str list_of(struct str name)
{
	while (name.n > 0 && name.p[name.n - 1] != '[')
		name.n--;
	return name;
}

const struct integration *notify_config_find_place(const struct notify_config *c, struct str name, uint64_t identity, bool anywhere)
{
	const struct integration *best = NULL;
	int rank = anywhere ? 0 : 1;

	for (size_t i = 0; i < c->n_receivers; i++)
		for (size_t k = 0; k < c->receivers[i].n; k++) {
			const struct integration *in = &c->receivers[i].integrations[k];
			int fits;

			if (in->identity != identity)
				continue;
			fits = str_eq(in->name, name) ? 3 : str_eq(list_of(in->name), list_of(name)) ? 2 : 1;
			best = fits > rank ? in : best;
			rank = fits > rank ? fits : rank;
		}
	return best;
}

/* ---- Matchers. ---- */

static bool add_text(struct conf_reader *rd, struct matcher_list *l, const struct conf_node *node)
{
	struct err e = {0};

	if (node->kind != CONF_SCALAR)
		return conf_error(rd->report, node, "a matcher is %s: write one such as severity=\"critical\"",
				  conf_kind_name(node->kind));
	if (matcher_parse(l, node->text, &e))
		return true;
	return e.pos >= 0 ? conf_error_at(rd->report, node, (size_t)e.pos, "%s", e.msg) : conf_error(rd->report, node, "%s", e.msg);
}

/* match and match_re: a map of labels to values. */
static bool add_map(struct conf_reader *rd, struct matcher_list *l, const struct conf_node *map, enum match_op op)
{
	bool ok = true;

	if (map == NULL || map->kind == CONF_NULL)
		return true;
	if (map->kind != CONF_MAP)
		return conf_error(rd->report, map, "match is %s: write a map of labels and values", conf_kind_name(map->kind));
	for (size_t i = 0; i < map->n; i++) {
		const struct conf_node *value = map->pairs[i].value;
		struct str text;
		struct err e = {0};

		text = op == MATCH_RE ? arena_printf(l->arena, "^(?:" STR_FMT ")$", STR_ARG(value->text)) /* as in its group keys */
				      : arena_str(l->arena, value->text);
		if (!matcher_add(l, op, arena_str(l->arena, map->pairs[i].key->text), text, &e))
			ok = conf_error(rd->report, value, "%s", e.msg);
	}
	return ok;
}

static bool add_list(struct conf_reader *rd, struct matcher_list *l, const struct conf_node *node)
{
	bool ok = true;

	if (node == NULL || node->kind == CONF_NULL)
		return true;
	if (node->kind == CONF_MAP)
		return conf_error(rd->report, node, "matchers is a map: write a list such as [ severity=\"critical\" ]");
	if (node->kind == CONF_SCALAR)
		return conf_error(rd->report, node, "matchers is a single value: write a list such as [ severity=\"critical\" ]");
	for (size_t i = 0; i < node->n; i++)
		ok = add_text(rd, l, node->items[i]) && ok;
	return ok;
}

static void keep_regexes(struct notify_config *c, struct matcher_list *l)
{
	for (size_t i = 0; i < l->n_regexes; i++) {
		c->regexes = mem_grow(c->regexes, &c->cap_regexes, c->n_regexes + 1, sizeof *c->regexes);
		c->regexes[c->n_regexes++] = l->regexes[i];
	}
	free(l->regexes);
}

bool config_read_match(struct conf_reader *rd, const struct conf_node *const forms[3], struct matchers *out)
{
	struct matcher_list l = {.arena = rd->arena};
	bool ok = add_map(rd, &l, forms[0], MATCH_EQ);

	ok = add_map(rd, &l, forms[1], MATCH_RE) && ok;
	ok = add_list(rd, &l, forms[2]) && ok;
	matcher_sort(&l);
	keep_regexes(rd->user, &l);
	*out = (struct matchers){l.v, l.n};
	return ok;
}

bool config_read_matchers(struct conf_reader *rd, const struct conf_node *list, const struct matcher **v, size_t *n)
{
	struct matchers m;
	bool ok = config_read_match(rd, (const struct conf_node *const[]){NULL, NULL, list}, &m);

	*v = m.v;
	*n = m.n;
	return ok;
}

/* ---- Routes. ---- */

struct step_file {
	int64_t after_ms;
	struct str receiver;
};

struct route_file { /* a route as written */
	struct str receiver;
	const struct conf_node *group_by, *match[3], *labels;
	struct conf_strs mute, active;
	bool go_on;
	int64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
	struct conf_list routes, steps;
};

static const struct conf_range any_wait = {0, 366 * 86400000LL}, some_wait = {1, 366 * 86400000LL};

bool config_not_honoured(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	(void)to;
	if ((node->kind == CONF_SEQ || node->kind == CONF_MAP) && node->n == 0)
		return true;
	return conf_error(
	    rd->report, node,
	    "%s is a setting of Alertmanager that is not honoured yet: remove it, or keep Alertmanager for what needs it",
	    key->name);
}

static void route_init(void *to)
{
	struct route_file *r = to;

	r->group_wait_ms = r->group_interval_ms = r->repeat_interval_ms = UNSET;
}

#define STEP(name, field, parse, arg, help)                                                                                        \
	CONF_KEY_ARG(struct step_file, name, field, parse, NULL, CONF_RELOAD | CONF_REQUIRED, help, arg)
static const struct conf_key step_keys[] = {
    STEP("after", after_ms, conf_duration_ms, &some_wait, "How long after the first page."),
    STEP("receiver", receiver, conf_str, NULL, "Who is told then."),
};
#undef STEP
static const struct conf_table step_table = {step_keys, ARRAY_LEN(step_keys), sizeof(struct step_file), NULL, NULL};

#define F(name, field, parse, arg, help) CONF_KEY_ARG(struct route_file, name, field, parse, NULL, CONF_RELOAD, help, arg)
#define LIST(name, field, help) CONF_KEY(struct route_file, name, field, conf_str_seq, NULL, CONF_RELOAD, help)
static const struct conf_table route_table;
static const struct conf_key route_keys[] = {
    F("receiver", receiver, conf_str, NULL, "Who is told; by default as the route above."),
    F("group_by", group_by, conf_raw, NULL, "Labels that make a group; '...' for all."),
    F("match", match[0], conf_raw, NULL, "Labels an alert must have (old form of matchers)."),
    F("match_re", match[1], conf_raw, NULL, "The same with regular expressions."),
    F("matchers", match[2], conf_raw, NULL, "Which alerts take this route."),
    F("continue", go_on, conf_bool, NULL, "Whether routes behind this one are tried too."),
    F("group_wait", group_wait_ms, conf_duration_ms, &any_wait, "How long a new group waits for more alerts."),
    F("group_interval", group_interval_ms, conf_duration_ms, &some_wait,
      "How long before a group that has told tells what is new."),
    F("repeat_interval", repeat_interval_ms, conf_duration_ms, &some_wait, "How long before the same is told again."),
    F("routes", routes, conf_sub_list, &route_table, "Routes below this one."),
    LIST("mute_time_intervals", mute, "Nobody is told while one of these holds."),
    LIST("active_time_intervals", active, "Nobody is told while none of these holds."),
    F("escalation", steps, conf_sub_list, &step_table, "Who else is told while nobody acknowledges; not Alertmanager's."),
    F("labels", labels, conf_raw, NULL, "Labels of all it tells, templates: messages have them as .RouteLabels."),
};
#undef F
#undef LIST
static const struct conf_table route_table = {route_keys, ARRAY_LEN(route_keys), sizeof(struct route_file), route_init, NULL};

static bool read_group_by(struct conf_reader *rd, const struct conf_node *node, struct route *r)
{
	struct conf_strs names = {0};
	const struct conf_key key = {.name = "group_by"};

	if (!conf_str_seq(rd, &key, node, &names))
		return false;
	if (names.n == 0)
		return true;    /* as Alertmanager has it: that of the route above */
	r->group_by = names.v;
	r->n_group_by = names.n;
	r->group_by_all = false;
	for (size_t i = 0; i < names.n; i++) {
		if (str_eq(names.v[i], STR("...")))
			r->group_by_all = true;
		if (names.v[i].n == 0)
			return conf_error(rd->report, node, "group_by has an empty name: write the name of a label");
		for (size_t k = 0; k < i; k++)
			if (str_eq(names.v[i], names.v[k]))
				return conf_error(rd->report, node, "group_by names \"" STR_FMT "\" twice: once is enough",
						  STR_ARG(names.v[i]));
	}
	if (r->group_by_all && names.n > 1)
		return conf_error(rd->report, node, "group_by has '...' beside other labels: '...' alone means all labels");
	return true;
}

static const struct receiver *find_receiver(const struct notify_config *c, struct str name)
{
	for (size_t i = 0; i < c->n_receivers; i++)
		if (str_eq(c->receivers[i].name, name))
			return &c->receivers[i];
	return NULL;
}

static bool read_receiver_name(struct conf_reader *rd, const struct route_file *f, const struct conf_node *node, struct route *r)
{
	if (f->receiver.n == 0)
		return r->receiver != NULL || conf_error(rd->report, node, "the root route has no receiver: add receiver: <name>");
	r->receiver = find_receiver(rd->user, f->receiver);
	return r->receiver != NULL ||
	       conf_error(rd->report, conf_get(node, "receiver"), "receiver \"" STR_FMT "\" is not defined: add it under receivers",
			  STR_ARG(f->receiver));
}

static struct str route_key(struct arena *a, const struct route *parent, const struct route *r)
{
	struct buf b = {0};
	struct str key;

	if (parent != NULL) {
		buf_puts(&b, parent->key);
		buf_putc(&b, '/');
	}
	matcher_print(&b, r->matchers, r->n_matchers);
	key = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return key;
}

static int64_t own_or(int64_t own, int64_t inherited)
{
	return own != UNSET ? own : inherited;
}

static bool read_refs(struct conf_reader *rd, const struct conf_strs *names, const struct conf_node *node,
		      struct interval_refs *out)
{
	bool ok = true;

	out->v = ARENA_ARRAY(rd->arena, names->n + 1, const struct named_interval *);
	out->n = names->n;
	for (size_t i = 0; i < names->n; i++) {
		out->v[i] = config_find_interval(rd->user, names->v[i]);
		ok = ok && out->v[i] != NULL;
		if (out->v[i] == NULL)
			conf_error(rd->report, node, "time interval \"" STR_FMT "\" is not defined: add it under time_intervals",
				   STR_ARG(names->v[i]));
	}
	return ok;
}

static bool read_step(struct conf_reader *rd, const struct step_file *f, const struct conf_node *node, const struct route *r,
		      struct escalation_step *steps, size_t n)
{
	steps[n] = (struct escalation_step){f->after_ms, find_receiver(rd->user, f->receiver)};
	if (steps[n].receiver == NULL)
		return conf_error(rd->report, node, "receiver \"" STR_FMT "\" is not defined: add it under receivers",
				  STR_ARG(f->receiver));
	if (n > 0 && steps[n].after_ms <= steps[n - 1].after_ms)
		return conf_error(rd->report, node, "this step is not after the one before it: write them in order");
	for (size_t i = 0; i <= n; i++)
		if (steps[n].receiver == (i < n ? steps[i].receiver : r->receiver))
			return conf_error(rd->report, node, "receiver \"" STR_FMT "\" is told before this step: name another",
					  STR_ARG(f->receiver));
	return true;
}

static bool read_steps(struct conf_reader *rd, const struct route_file *f, const struct conf_node *node, struct route *r)
{
	struct escalation_step *steps = ARENA_ARRAY(rd->arena, f->steps.n + 1, struct escalation_step);
	bool ok = true;

	if (conf_get(node, "escalation") == NULL)
		return true;
	if (f->steps.n > ROUTE_MAX_STEPS)
		return conf_error(rd->report, node, "escalation has more than %d steps (limit ROUTE_MAX_STEPS)", ROUTE_MAX_STEPS);
	for (size_t i = 0; i < f->steps.n; i++)
		ok = read_step(rd, (const struct step_file *)f->steps.v + i, f->steps.nodes[i], r, steps, i) && ok;
	r->steps = steps;
	r->n_steps = f->steps.n;
	return ok;
}

static bool add_label(struct conf_reader *rd, const struct conf_pair *pair, struct route_label *v, size_t *n)
{
	struct str name = pair->key->text;
	size_t at = 0;

	if (name.n == 0 || pair->value->kind != CONF_SCALAR)
		return conf_error(rd->report, pair->value, "labels of a route are names and texts: write name: text");
	while (at < *n && !str_eq(v[at].name, name))
		at++;
	v[at] = (struct route_label){arena_str(rd->arena, name), config_template(rd, pair->value, name, pair->value->text)};
	*n += at == *n;
	return v[at].text != NULL;
}

static bool read_labels(struct conf_reader *rd, const struct conf_node *node, struct route *r)
{
	struct route_label *v;
	bool ok = true;

	if (node == NULL || node->kind == CONF_NULL)
		return true;
	if (node->kind != CONF_MAP)
		return conf_error(rd->report, node, "labels is %s: write name: text", conf_kind_name(node->kind));
	v = ARENA_ARRAY(rd->arena, r->n_labels + node->n + 1, struct route_label);
	if (r->n_labels > 0)
		memcpy(v, r->labels, r->n_labels * sizeof *v);
	for (size_t i = 0; i < node->n; i++)
		ok = add_label(rd, &node->pairs[i], v, &r->n_labels) && ok;
	r->labels = v;
	return ok;
}

/* Fills <r>, which holds what is inherited. Below, the same again. */
static bool read_route(struct conf_reader *rd, const struct route_file *f, const struct conf_node *node, const struct route *parent,
		       struct route *r)
{
	const struct route_file *below = f->routes.v;
	bool ok = read_receiver_name(rd, f, node, r);
	struct matchers m;

	ok = ok && read_steps(rd, f, node, r);
	ok = (f->group_by == NULL || read_group_by(rd, f->group_by, r)) && ok;
	ok = read_labels(rd, f->labels, r) && ok;
	ok = config_read_match(rd, f->match, &m) && ok;
	ok = read_refs(rd, &f->mute, conf_get(node, "mute_time_intervals"), &r->mute) && ok;
	ok = read_refs(rd, &f->active, conf_get(node, "active_time_intervals"), &r->active) && ok;
	r->matchers = m.v;
	r->n_matchers = m.n;
	r->go_on = f->go_on;
	r->group_wait_ms = own_or(f->group_wait_ms, r->group_wait_ms);
	r->group_interval_ms = own_or(f->group_interval_ms, r->group_interval_ms);
	r->repeat_interval_ms = own_or(f->repeat_interval_ms, r->repeat_interval_ms);
	r->key = route_key(rd->arena, parent, r);
	r->n_routes = f->routes.n;
	r->routes = ARENA_ARRAY(rd->arena, f->routes.n + 1, struct route);
	for (size_t i = 0; i < f->routes.n; i++) {
		r->routes[i] = *r;
		ok = read_route(rd, &below[i], f->routes.nodes[i], r, &r->routes[i]) && ok;
	}
	return ok;
}

static bool read_root(struct conf_reader *rd, struct notify_config *c, const struct conf_node *node)
{
	struct route_file file = {0};

	c->root = ARENA_NEW(rd->arena, struct route);
	*c->root = (struct route){.group_wait_ms = 30000, .group_interval_ms = 300000, .repeat_interval_ms = 4 * 3600000};
	if (!conf_read(rd, &route_table, node, &file))
		return false;
	if (!read_route(rd, &file, node, NULL, c->root))
		return false;
	if (c->root->n_matchers > 0)
		return conf_error(rd->report, node,
				  "the root route has matchers: it must take every alert; put them on a route below");
	if (c->root->mute.n + c->root->active.n > 0)
		return conf_error(rd->report, node, "the root route has time intervals: put them on a route below");
	return c->root->go_on ? conf_error(rd->report, node, "the root route says continue: nothing stands behind it") : true;
}

/* ---- The whole. ---- */

static void read_resolve_timeout(struct conf_reader *rd, const struct conf_node *global)
{
	const struct conf_key key = {.name = "resolve_timeout", .arg = &some_wait};
	const struct conf_node *node = conf_get(global, "resolve_timeout");
	struct notify_config *c = rd->user;

	if (node != NULL && node->kind != CONF_NULL)
		conf_duration_ms(rd, &key, node, &c->resolve_timeout_ms);
}

struct notify_config *notify_config_parse(const struct conf_node *root, struct conf_report *report)
{
	struct notify_config *c = notify_config_empty();
	struct conf_reader rd = {.arena = &c->arena, .report = report, .user = c};
	size_t errors = report->n_errors;
	struct connection_settings http = {0};
	const struct conf_node *route = conf_get(root, "route"), *receivers = conf_get(root, "receivers");

	read_resolve_timeout(&rd, conf_get(root, "global"));
	config_read_intervals(&rd, root);
	config_read_alerting(&rd, conf_get(root, "alerting"));
	config_read_inhibition(&rd, conf_get(root, "inhibit_rules"));
	config_read_templates(&rd, conf_get(root, "templates"));
	conf_read(&rd, &connection_table, conf_get(conf_get(root, "global"), "http_config"), &http);
	config_read_heartbeats(&rd, conf_get(root, "heartbeats"), &http);
	config_read_receivers(&rd, c, receivers, conf_get(root, "global"), &http);
	if (route != NULL && route->kind != CONF_NULL)
		read_root(&rd, c, route);
	else if (c->n_receivers > 0)
		conf_error(report, receivers, "there are receivers and no route: add route: with a receiver");
	c->held = rd.held;
	if (report->n_errors == errors)
		return c;
	notify_config_free(c);
	return NULL;
}

struct str notify_config_route(const struct notify_config *c, struct arena *a, struct labels labels)
{
	struct route_list routes = route_match(c->root, labels);
	struct str text = STR("");

	for (size_t i = 0; i < routes.n; i++)
		text = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(text), i > 0 ? "," : "", STR_ARG(routes.v[i]->receiver->name));
	free(routes.v);
	return text;
}
