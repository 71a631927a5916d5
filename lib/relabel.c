/* Relabelling, one function for each action. A label set is kept sorted by labels_with, so a chain of rules needs no final pass. */
#include "tocsin/relabel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "tocsin/regex.h"

static struct str join_sources(const struct relabel_rule *r, struct labels l, struct arena *a)
{
	struct buf b = { 0 };
	struct str out;

	if (r->source_labels.n == 1)
		return labels_get(l, r->source_labels.v[0]);
	for (size_t i = 0; i < r->source_labels.n; i++) {
		if (i > 0)
			buf_puts(&b, r->separator);
		buf_puts(&b, labels_get(l, r->source_labels.v[i]));
	}
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static enum relabel_outcome outcome_of(enum regex_verdict v, enum regex_verdict keeps)
{
	return v == REGEX_LIMIT ? RELABEL_TOO_LONG : v == keeps ? RELABEL_KEPT : RELABEL_DROPPED;
}

static struct str expand(const struct relabel_rule *r, struct str subject, const struct regex_group *groups, struct str text,
                         struct arena *a)
{
	struct buf b = { 0 };
	struct str out;

	if (str_chr(text, '$') == text.n)
		return text;
	regex_expand(r->regex, &b, subject, groups, regex_group_count(r->regex) + 1, text);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static enum relabel_outcome replace(const struct relabel_rule *r, struct str value, struct labels *l, struct arena *a)
{
	size_t n = regex_group_count(r->regex) + 1;
	struct regex_group *groups = ARENA_ARRAY(a, n, struct regex_group);
	enum regex_verdict found = regex_find(r->regex, value, 0, groups, n);
	struct str target;

	if (found != REGEX_YES)
		return found == REGEX_LIMIT ? RELABEL_TOO_LONG : RELABEL_KEPT;
	target = expand(r, value, groups, r->target_label, a);
	if (target.n > 0 && str_is_utf8(target))
		*l = labels_with(a, *l, target, expand(r, value, groups, r->replacement, a));
	return RELABEL_KEPT;
}

/* The last eight bytes of the MD5, big-endian, as Prometheus takes them. */
static void hashmod(const struct relabel_rule *r, struct str value, struct labels *l, struct arena *a)
{
	unsigned char md5[EVP_MAX_MD_SIZE];
	uint64_t h = 0;
	int ok = EVP_Digest(value.p, value.n, md5, NULL, EVP_md5(), NULL);

	assert(ok == 1 && r->modulus > 0);
	for (size_t i = 8; i < 16; i++)
		h = h << 8 | md5[i];
	*l = labels_with(a, *l, r->target_label, arena_printf(a, "%llu", (unsigned long long)(h % (uint64_t)r->modulus)));
}

static enum relabel_outcome labelmap(const struct relabel_rule *r, struct labels *l, struct arena *a)
{
	struct labels before = *l, mapped = *l;
	size_t n = regex_group_count(r->regex) + 1;
	struct regex_group *groups = ARENA_ARRAY(a, n, struct regex_group);

	for (size_t i = 0; i < before.n; i++)
		switch (regex_find(r->regex, before.v[i].name, 0, groups, n)) {
		case REGEX_YES:
			mapped = labels_with(a, mapped, expand(r, before.v[i].name, groups, r->replacement, a), before.v[i].value);
			break;
		case REGEX_NO:
			break;
		case REGEX_LIMIT:
			return RELABEL_TOO_LONG;
		}
	*l = mapped;
	return RELABEL_KEPT;
}

static enum relabel_outcome keep_names(const struct relabel_rule *r, enum regex_verdict keeps, struct labels *l, struct arena *a)
{
	struct label *v = ARENA_ARRAY(a, l->n, struct label);
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		enum relabel_outcome of_name = outcome_of(regex_match(r->regex, l->v[i].name), keeps);

		if (of_name == RELABEL_TOO_LONG)
			return RELABEL_TOO_LONG;
		if (of_name == RELABEL_KEPT)
			v[n++] = l->v[i];
	}
	*l = (struct labels){ v, n };
	return RELABEL_KEPT;
}

static struct str with_case(struct str s, bool upper, struct arena *a)
{
	struct buf b = { 0 };
	struct str out;

	buf_put_case(&b, s, upper);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static enum relabel_outcome kept_if(bool keep)
{
	return keep ? RELABEL_KEPT : RELABEL_DROPPED;
}

static enum relabel_outcome apply(const struct relabel_rule *r, struct labels *l, struct arena *a)
{
	struct str value = join_sources(r, *l, a);

	switch ((enum relabel_action)r->action) {
	case RELABEL_REPLACE:
		return replace(r, value, l, a);
	case RELABEL_KEEP:
		return outcome_of(regex_match(r->regex, value), REGEX_YES);
	case RELABEL_DROP:
		return outcome_of(regex_match(r->regex, value), REGEX_NO);
	case RELABEL_KEEPEQUAL:
		return kept_if(str_eq(labels_get(*l, r->target_label), value));
	case RELABEL_DROPEQUAL:
		return kept_if(!str_eq(labels_get(*l, r->target_label), value));
	case RELABEL_HASHMOD:
		hashmod(r, value, l, a);
		return RELABEL_KEPT;
	case RELABEL_LABELMAP:
		return labelmap(r, l, a);
	case RELABEL_LABELDROP:
		return keep_names(r, REGEX_NO, l, a);
	case RELABEL_LABELKEEP:
		return keep_names(r, REGEX_YES, l, a);
	case RELABEL_LOWERCASE:
	case RELABEL_UPPERCASE:
		*l = labels_with(a, *l, r->target_label, with_case(value, r->action == RELABEL_UPPERCASE, a));
		return RELABEL_KEPT;
	}
	abort();
}

static bool may_change(const struct relabel_rule *r, struct str label)
{
	switch (r->action) {
	case RELABEL_KEEP:
	case RELABEL_DROP:
	case RELABEL_KEEPEQUAL:
	case RELABEL_DROPEQUAL:
		return false;
	case RELABEL_LABELMAP:
	case RELABEL_LABELDROP:
	case RELABEL_LABELKEEP:
		return true;
	default:
		return str_eq(r->target_label, label) || str_chr(r->target_label, '$') < r->target_label.n;
	}
}

bool relabel_may_change(const struct relabel_rule *r, size_t n, struct str label)
{
	for (size_t i = 0; i < n; i++)
		if (may_change(&r[i], label))
			return true;
	return false;
}

enum relabel_outcome relabel_apply(const struct relabel_rule *r, size_t n, struct labels *l, struct arena *a)
{
	enum relabel_outcome outcome = RELABEL_KEPT;

	for (size_t i = 0; i < n && outcome == RELABEL_KEPT; i++)
		outcome = apply(&r[i], l, a);
	return outcome == RELABEL_KEPT && l->n == 0 ? RELABEL_DROPPED : outcome;
}

/* ---- As it is written. ---- */

static const struct conf_range not_negative = { 0, INT64_MAX };

static const char *const action_names[] = {
#define X(id, text) text,
	RELABEL_ACTIONS(X)
#undef X
	NULL,
};

static bool needs_target(int action)
{
	return action == RELABEL_REPLACE || action == RELABEL_HASHMOD || action == RELABEL_LOWERCASE ||
	       action == RELABEL_UPPERCASE || action == RELABEL_KEEPEQUAL || action == RELABEL_DROPEQUAL;
}

/* What an action does not use may be there with its default, as in Prometheus. */
static bool check_unused(struct conf_reader *rd, const struct conf_node *node, const struct relabel_rule *r)
{
	static const struct {
		const char *key, *usual;
		bool of_equal;          /* unused by keepequal and dropequal; the others use the regex alone */
	} unused[] = { { "source_labels", NULL, false }, { "target_label", "", false }, { "separator", ";", true }, { "replacement", "$1", true },
		       { "modulus", "0", true }, { "regex", "(.*)", true } };
	bool equal = r->action == RELABEL_KEEPEQUAL || r->action == RELABEL_DROPEQUAL;

	for (size_t i = 0; i < (equal ? ARRAY_LEN(unused) : ARRAY_LEN(unused) - 1); i++) {
		const struct conf_node *found = conf_get(node, unused[i].key);

		if (found == NULL || found->kind == CONF_NULL || (equal && !unused[i].of_equal))
			continue;
		if (found->kind != CONF_SCALAR || unused[i].usual == NULL || !str_eq(found->text, str_of(unused[i].usual)))
			return conf_error(rd->report, found, "relabel action %s takes only %s: remove %s", action_names[r->action],
			                  equal ? "source_labels and target_label" : "regex", unused[i].key);
	}
	return true;
}

static bool check_sources(struct conf_reader *rd, const struct conf_node *list)
{
	for (size_t i = 0; list != NULL && list->kind == CONF_SEQ && i < list->n; i++)
		if (list->items[i]->kind == CONF_SCALAR && list->items[i]->text.n == 0)
			return conf_error(rd->report, list->items[i], "a label of source_labels has no name: write one");
	return true;
}

static bool check_relabel(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct relabel_rule *r = to;

	if (!check_sources(rd, conf_get(node, "source_labels")))
		return false;
	if (r->target_label.n == 0 && needs_target(r->action))
		return conf_error(rd->report, node, "relabel action %s has no target_label: name the label it writes or compares",
		                  action_names[r->action]);
	if (r->action == RELABEL_HASHMOD && r->modulus == 0)
		return conf_error(rd->report, node, "relabel action hashmod has no modulus: write a number above 0");
	if ((r->action == RELABEL_LOWERCASE || r->action == RELABEL_UPPERCASE) && !str_eq(r->replacement, STR("$1")))
		return conf_error(rd->report, conf_get(node, "replacement"), "relabel action %s has no replacement: remove it", action_names[r->action]);
	if (r->action == RELABEL_LABELMAP && r->replacement.n == 0)
		return conf_error(rd->report, conf_get(node, "replacement"), "relabel action labelmap has an empty replacement: write the labels' new name");
	if (r->action == RELABEL_KEEPEQUAL || r->action == RELABEL_DROPEQUAL || r->action == RELABEL_LABELDROP || r->action == RELABEL_LABELKEEP)
		return check_unused(rd, node, r);
	return true;
}

static const struct conf_key relabel_keys[] = {
	CONF_KEY(struct relabel_rule, "source_labels", source_labels, conf_str_seq, NULL, CONF_RELOAD,
	         "Labels whose values are joined."),
	CONF_KEY(struct relabel_rule, "separator", separator, conf_str, ";", CONF_RELOAD | CONF_NULL_EMPTY, "What stands between them."),
	CONF_KEY(struct relabel_rule, "regex", regex, conf_regex, "(.*)", CONF_RELOAD,
	         "What the joined value, or a label name, must match."),
	CONF_KEY(struct relabel_rule, "target_label", target_label, conf_str, NULL, CONF_RELOAD,
	         "Label that is written or compared."),
	CONF_KEY(struct relabel_rule, "replacement", replacement, conf_str, "$1", CONF_RELOAD | CONF_NULL_EMPTY, "What is written."),
	CONF_KEY_ARG(struct relabel_rule, "modulus", modulus, conf_int, NULL, CONF_RELOAD, "For hashmod.", &not_negative),
	CONF_KEY_ARG(struct relabel_rule, "action", action, conf_enum_nocase, "replace", CONF_RELOAD | CONF_NULL_EMPTY, "What is done.", action_names),
};

const struct conf_table relabel_table = { relabel_keys, ARRAY_LEN(relabel_keys), sizeof(struct relabel_rule), NULL,
	                                         check_relabel };
