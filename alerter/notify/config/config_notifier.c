/* Entries under a receiver that are rows of notifiers.c: their tables are made of the rows. */
#include "notify/receivers/notifier.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "notify/config/config_values.h"

#define TIMEOUT_MS 30000

static const struct conf_range timeout_range = {0, 600000};

static const struct conf_key common[] = {
    CONF_KEY(struct notifier_file, "send_resolved", send_resolved, conf_bool, NULL, CONF_RELOAD, "Tell ends too."),
    CONF_KEY_ARG(struct notifier_file, "timeout", timeout_ms, config_duration_ms, "0s", CONF_RELOAD,
		 "How long a request may take; 0 for 30s.", &timeout_range),
    CONF_KEY(struct notifier_file, "http_config", http, conf_sub_ptr, NULL, CONF_RELOAD, "How to connect; by default as global."),
};

static bool not_honoured(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	return node->kind == CONF_SCALAR && node->text.n == 0 ? true : config_not_honoured(rd, key, node, to);
}

#define AWS(name, field, parse, flags, help) CONF_KEY(struct aws_settings, name, field, parse, NULL, (flags) | CONF_RELOAD, help)
static const struct conf_key aws_keys[] = {
    AWS("region", region, conf_str, 0, "Where the service is; by default of AWS_REGION."),
    AWS("access_key", access_key, conf_str, 0, "Who signs; by default of AWS_ACCESS_KEY_ID."),
    AWS("secret_key", secret_key, conf_str, CONF_SECRET, "Its secret; by default of AWS_SECRET_ACCESS_KEY."),
    AWS("profile", none, not_honoured, 0, "Not honoured."),
    AWS("role_arn", none, not_honoured, 0, "Not honoured."),
    AWS("external_id", none, not_honoured, 0, "Not honoured."),
};
static const struct conf_table aws_table = {aws_keys, ARRAY_LEN(aws_keys), sizeof(struct aws_settings), NULL, NULL};
static const struct conf_key aws_key =
    CONF_KEY_ARG(struct notifier_file, "sigv4", aws, conf_sub, NULL, CONF_RELOAD, "Who signs.", &aws_table);

static bool refuse_unless_false(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	if (node->kind == CONF_SCALAR && (str_eq(node->text, STR("false")) || str_eq(node->text, STR("0"))))
		return true;
	return config_not_honoured(rd, key, node, to);
}

static conf_parse *parser_of(const struct setting_row *row)
{
	return row->value != NULL && row->value->text != NULL ? row->value->text : conf_str;
}

/* <to>: a struct str. Secret, so that it may be in a file. */
static struct conf_key key_of(const struct setting_row *row, const char *name, unsigned flags)
{
	return (struct conf_key){
	    .name = name, .parse = parser_of(row), .flags = CONF_RELOAD | flags, .arg = row->value != NULL ? row->value->arg : NULL};
}

static struct conf_key setting_key(const struct setting_row *row, size_t i)
{
	unsigned flags = row->flags & (SETTING_SECRET | SETTING_FILE) ? CONF_SECRET : 0;
	struct conf_key key = key_of(row, row->name, flags);

	if (row->flags & (SETTING_SECRET | SETTING_LATE)) {
		key.offset = offsetof(struct notifier_file, texts) + i * sizeof(struct str);
		return key;
	}
	key.parse = row->flags & SETTING_REFUSED ? refuse_unless_false : conf_raw;
	key.offset = offsetof(struct notifier_file, nodes) + i * sizeof(struct conf_node *);
	return key;
}

const struct conf_table *config_notifier_table(struct conf_reader *rd, const struct notifier *n, const struct conf_table *http,
					       const struct conf_table *tls)
{
	struct conf_key *keys = ARENA_ARRAY(rd->arena, n->n_settings + ARRAY_LEN(common) + 1, struct conf_key);
	struct conf_table *t = ARENA_NEW(rd->arena, struct conf_table);

	memcpy(keys, common, sizeof common);
	keys[0].fallback = n->kind.ends_by_default ? "true" : "false";
	keys[ARRAY_LEN(common) - 1].arg = http;
	if (n->is_mail)
		keys[ARRAY_LEN(common) - 1] = (struct conf_key)CONF_KEY_ARG(struct notifier_file, "tls_config", tls, conf_sub, NULL,
									    CONF_RELOAD, "TLS.", tls);
	*t = (struct conf_table){keys, ARRAY_LEN(common), sizeof(struct notifier_file), NULL, NULL};
	if (n->signs_aws)
		keys[t->n++] = aws_key;
	for (size_t i = 0; i < n->n_settings; i++)
		if ((n->settings[i].flags & SETTING_HIDDEN) == 0)
			keys[t->n++] = setting_key(&n->settings[i], i);
	return t;
}

static struct str read_global(struct conf_reader *rd, const struct setting_row *row, const struct conf_node *global)
{
	const struct conf_key key = key_of(row, row->global, CONF_SECRET);
	const struct conf_table table = {&key, 1, sizeof(struct str), NULL, NULL};
	struct conf_node only = *global;
	struct str out = STR("");
	char file_key[96];

	snprintf(file_key, sizeof file_key, "%s_file", row->global);
	only.pairs = ARENA_ARRAY(rd->arena, global->n + 1, struct conf_pair);
	only.n = 0;
	for (size_t i = 0; i < global->n; i++) {
		struct conf_pair pair = global->pairs[i];
		bool unset = pair.value->kind == CONF_SCALAR && pair.value->text.n == 0 &&
			     (row->value == NULL || row->value == &value_address);

		if (!unset && (str_eq(pair.key->text, str_of(row->global)) || str_eq(pair.key->text, str_of(file_key))))
			only.pairs[only.n++] = pair;
	}
	conf_read(rd, &table, &only, &out);
	return out;
}

const struct conf_node *config_read_globals(struct conf_reader *rd, const struct conf_node *global)
{
	struct conf_node *out = ARENA_NEW(rd->arena, struct conf_node);

	if (global == NULL || global->kind != CONF_MAP)
		return NULL;
	*out = (struct conf_node){.kind = CONF_MAP};
	for (size_t k = 0; k < notifier_count; k++)
		out->n += notifiers[k].n_settings;
	out->pairs = ARENA_ARRAY(rd->arena, out->n + global->n, struct conf_pair);
	out->n = 0;
	for (size_t k = 0; k < notifier_count; k++)
		for (size_t i = 0; i < notifiers[k].n_settings; i++) {
			const struct setting_row *row = &notifiers[k].settings[i];
			struct conf_node *both = ARENA_ARRAY(rd->arena, 2, struct conf_node);

			if (row->global == NULL)
				continue;
			both[0] = (struct conf_node){.kind = CONF_SCALAR, .text = str_of(row->global)};
			both[1] = (struct conf_node){.kind = CONF_SCALAR, .text = read_global(rd, row, global)};
			out->pairs[out->n++] = (struct conf_pair){&both[0], &both[1]};
		}
	for (size_t i = 0; i < global->n; i++)
		out->pairs[out->n++] = global->pairs[i];
	return out;
}

static struct str global_text(const struct conf_node *global, const struct setting_row *row)
{
	const struct conf_node *node = row->global != NULL ? conf_get(global, row->global) : NULL;

	return node != NULL ? node->text : STR("");
}

/* ---- Settings. ---- */

/* What stands without quotes in JSON. */
static bool is_bare(const struct conf_node *node, unsigned flags)
{
	json_t *number;
	bool is_number;

	if (node->kind != CONF_SCALAR || node->quoted)
		return false;
	if (str_eq(node->text, STR("true")) || str_eq(node->text, STR("false")))
		return true;
	if ((flags & SETTING_JSON) == 0)
		return false;
	number = json_loadb(node->text.p, node->text.n, JSON_DECODE_ANY, NULL);
	is_number = json_is_number(number);
	json_decref(number);
	return is_number;
}

static void make_tree(struct conf_reader *rd, const char *name, const struct value_rule *rule, const struct conf_node *node,
		      unsigned flags, struct setting_tree *t)
{
	bool single = rule != NULL && rule->text != NULL, bare = single ? rule->bare : is_bare(node, flags);
	struct str text = node->text;

	t->json = (flags & SETTING_JSON) != 0;
	t->kind = node->kind;
	t->n = node->n;
	if (single && node->kind == CONF_SCALAR)
		rule->text(rd, &(struct conf_key){.name = name, .arg = rule->arg}, node, &text);
	t->plain = node->kind == CONF_SCALAR && bare ? arena_str(rd->arena, text) : single && !bare ? STR("\"\"") : STR("null");
	if (node->kind == CONF_SCALAR && !bare)
		t->text = config_template(rd, node, str_of(name), text);
	t->items = ARENA_ARRAY(rd->arena, node->n + 1, struct setting_tree);
	t->names = ARENA_ARRAY(rd->arena, node->n + 1, struct str);
	for (size_t i = 0; i < node->n; i++) {
		const struct conf_node *below = node->kind == CONF_MAP ? node->pairs[i].value : node->items[i];

		if (node->kind == CONF_MAP)
			t->names[i] = arena_str(rd->arena, node->pairs[i].key->text);
		make_tree(rd, name, config_value_below(rule, t->names[i]), below, flags, &t->items[i]);
	}
}

struct setting_tree *config_setting_tree(struct conf_reader *rd, const char *name, const struct value_rule *rule,
					 const struct conf_node *node, unsigned flags)
{
	struct setting_tree *t = ARENA_NEW(rd->arena, struct setting_tree);

	make_tree(rd, name, rule, node, flags, t);
	return t;
}

/* What stands for a value that is not written, as it is used. */
static struct str unwritten(struct conf_reader *rd, const struct setting_row *row, struct str text)
{
	const struct conf_key key = key_of(row, row->name, 0);
	const struct conf_node node = {.kind = CONF_SCALAR, .text = text};
	struct str out = text;

	if (text.n > 0)
		key.parse(rd, &key, &node, &out);
	return out;
}

static void make_plain(struct conf_reader *rd, const struct setting_row *row, const struct conf_node *node, struct str fallback,
		       struct setting *s)
{
	const struct conf_key key = key_of(row, row->name, 0);

	if (node == NULL)
		s->plain = unwritten(rd, row, fallback);
	else if (!key.parse(rd, &key, node, &s->plain))
		s->plain = STR("");
	s->given = row->value == &value_bool ? str_eq(s->plain, STR("true")) : s->given;
}

static void make_setting(struct conf_reader *rd, const struct setting_row *row, const struct conf_node *node,
			 const struct conf_node *global, struct setting *s)
{
	struct str shared = global_text(global, row), own = row->fallback != NULL ? str_of(row->fallback) : STR("");
	struct str fallback = shared.n > 0 ? shared : own;

	if (node != NULL && node->kind == CONF_SCALAR && node->text.n == 0 && shared.n > 0)
		node = NULL;
	s->given = (node != NULL && (node->kind != CONF_SCALAR || node->text.n > 0)) || shared.n > 0;
	if (row->flags & SETTING_TREE) {
		if (node != NULL && config_check_value(rd, row->name, row->value, node))
			s->tree = config_setting_tree(rd, row->name, row->value, node, row->flags);
		return;
	}
	if (row->flags & SETTING_PLAIN) {
		make_plain(rd, row, node, fallback, s);
		return;
	}
	if (node != NULL && node->kind != CONF_SCALAR) {
		conf_error(rd->report, node, "%s is %s: write a text", row->name, conf_kind_name(node->kind));
		return;
	}
	s->fallback = config_template(rd, NULL, str_of(row->name), fallback);
	s->text = node != NULL ? config_template(rd, node, str_of(row->name), node->text) : s->fallback;
}

static void take_late(const struct setting_row *row, struct str own, const struct conf_node *global, struct setting *s)
{
	s->plain = own.n > 0 ? own : global_text(global, row);
	s->given = s->plain.n > 0 && !(row->value == &value_whole && str_eq(s->plain, STR("0")));
	if (!s->given && row->fallback != NULL)
		s->plain = str_of(row->fallback);
}

static bool is_set(const void *settings, struct str name)
{
	const struct notifier_settings *s = settings;

	for (size_t i = 0; i < s->notifier->n_settings; i++)
		if (str_eq(str_of(s->notifier->settings[i].name), name))
			return s->v[i].given;
	return false;
}

/* What an entry must have, and what only one of. */
static void check_given(struct conf_reader *rd, const struct notifier *n, const struct notifier_settings *s,
			const struct conf_node *entry, const struct integration *in)
{
	struct str needs = str_of(n->needs), rest = str_of(n->one_of), missing, name, first = STR("");

	while (config_next_missing(&needs, is_set, s, &missing)) {
		const struct conf_node *empty = conf_get(entry, arena_strz(rd->arena, missing));

		conf_error(rd->report, empty != NULL ? empty : entry, "%s is missing " STR_FMT ": %s", n->list, STR_ARG(missing),
			   empty != NULL ? "fill it" : "add it");
	}
	while (str_cut(&rest, ' ', &name)) {
		if (is_set(s, name) && first.n > 0)
			conf_error(rd->report, conf_get(entry, arena_strz(rd->arena, name)),
				   STR_FMT " and " STR_FMT " are both there: remove one", STR_ARG(first), STR_ARG(name));
		first = is_set(s, name) ? name : first;
	}
	if (n->wants_token && in->http.auth.credentials.n + in->http.auth.credentials_file.n == 0)
		conf_error(rd->report, entry, "%s is missing a token: add http_config: { authorization: { credentials: … } }", n->list);
}

/* How many alerts the webhook's form of the message holds. */
static void make_max_alerts(const struct notifier_settings *s, struct integration *in)
{
	int64_t max;

	for (size_t i = 0; i < s->notifier->n_settings; i++)
		if (strcmp(s->notifier->settings[i].name, "max_alerts") == 0 && str_to_int64(s->v[i].plain, &max))
			in->webhook.max_alerts = max;
}

static struct template *internal(struct conf_reader *rd, const char *name, const char *text)
{
	struct notify_config *c = rd->user;
	struct err e = {0};
	struct template *t;

	if (text == NULL)
		return NULL;
	t = template_new(str_of(name), str_of(text), &notifier_template_env, NULL, &e);
	if (t == NULL)
		conf_error(rd->report, NULL, "%s: %s", name, e.msg);
	else
		config_keep_template(c, t);
	return t;
}

static struct str or_environment(struct arena *a, struct str s, const char *name)
{
	const char *z = s.n == 0 ? getenv(name) : NULL;

	return z != NULL ? arena_str(a, str_of(z)) : s;
}

static void make_aws(struct conf_reader *rd, const struct aws_settings *f, const struct conf_node *entry, struct aws_settings *aws)
{
	bool own = f->access_key.n > 0;

	aws->region = or_environment(rd->arena, f->region, "AWS_REGION");
	aws->access_key = or_environment(rd->arena, f->access_key, "AWS_ACCESS_KEY_ID");
	aws->secret_key = or_environment(rd->arena, f->secret_key, "AWS_SECRET_ACCESS_KEY");
	aws->session_token = own ? STR("") : or_environment(rd->arena, STR(""), "AWS_SESSION_TOKEN");
	if (aws->region.n == 0 || aws->access_key.n == 0 || aws->secret_key.n == 0)
		conf_error(rd->report, entry, "sigv4 is missing region, access_key or secret_key: add them, or set AWS_REGION, AWS_ACCESS_KEY_ID "
					      "and AWS_SECRET_ACCESS_KEY");
}

static struct str place_part(const struct setting_row *row, const struct setting *s, const struct conf_node *written)
{
	unsigned late = row->flags & (SETTING_SECRET | SETTING_LATE | SETTING_ACCESS);

	if (late == SETTING_SECRET || late == SETTING_LATE)
		return s->plain;
	if ((row->flags & SETTING_ADDRESS) == 0)
		return STR("");
	return written != NULL ? written->text : str_of(row->fallback != NULL ? row->fallback : "");
}

/* A change of address is a change of place, a change of key is not; integrations with the same secrets share a rate. */
static void identify(struct conf_reader *rd, const struct notifier *n, const struct notifier_settings *s,
		     const struct notifier_file *f, struct integration *in)
{
	struct buf secrets = {0}, place = {0};

	buf_printf(&secrets, STR_FMT ";", STR_ARG(in->aws.access_key));
	buf_printf(&place, STR_FMT ";", STR_ARG(in->aws.region));
	for (size_t i = 0; i < n->n_settings; i++) {
		struct str part = place_part(&n->settings[i], &s->v[i], f->nodes[i]);

		if (n->settings[i].flags & (SETTING_SECRET | SETTING_LATE))
			buf_printf(&secrets, "%zu:" STR_FMT ";", s->v[i].plain.n, STR_ARG(s->v[i].plain));
		if (part.n > 0)
			buf_printf(&place, "%s:%zu:" STR_FMT ";", n->settings[i].name, part.n, STR_ARG(part));
	}
	in->destination = arena_printf(rd->arena, "%s/%016llx", n->kind.name,
				       (unsigned long long)notify_config_identity(str_of(n->kind.name), buf_str(&secrets)));
	in->identity = notify_config_identity(str_of(n->kind.name), buf_str(&place));
	buf_fini(&secrets);
	buf_fini(&place);
}

void config_make_notifier(struct conf_reader *rd, const struct notifier *n, const struct notifier_file *f,
			  const struct conf_node *entry, const struct conf_node *global, struct integration *in)
{
	struct notifier_settings *s = ARENA_NEW(rd->arena, struct notifier_settings);

	in->send_resolved = f->send_resolved;
	in->timeout_ms = f->timeout_ms > 0 ? f->timeout_ms : TIMEOUT_MS;
	in->notifier = s;
	if (n->signs_aws)
		make_aws(rd, &f->aws, entry, &in->aws);
	s->notifier = n;
	for (size_t i = 0; i < n->n_settings; i++) {
		const struct setting_row *row = &n->settings[i];

		if (row->flags & SETTING_REFUSED)
			continue;
		if (row->flags & (SETTING_SECRET | SETTING_LATE))
			take_late(row, f->texts[i], global, &s->v[i]);
		else
			make_setting(rd, row, f->nodes[i], global, &s->v[i]);
	}
	check_given(rd, n, s, entry, in);
	if (n->wants_webhook)
		make_max_alerts(s, in);
	if (n->check != NULL)
		n->check(rd, s, entry);
	s->url = internal(rd, "url", n->url);
	s->body = internal(rd, "body", n->body);
	s->html = internal(rd, "html", n->html);
	s->edits = internal(rd, "edits", n->edits);
	for (size_t i = 0; i < NOTIFIER_MAX_MORE; i++) {
		s->more_urls[i] = internal(rd, "url", n->more[i].url);
		s->more_bodies[i] = internal(rd, "body", n->more[i].body);
	}
	for (size_t i = 0; i < NOTIFIER_MAX_HEADERS; i++)
		s->headers[i] = internal(rd, "header", n->headers[i].value);
	identify(rd, n, s, f, in);
}
