/* Jira: one issue for each group, found again by a label that is made of the group's key (Alertmanager's, so issues it made are ours
 * too). Search, then create or update, then a transition where one is configured. A lost answer is no harm: the next attempt begins with the
 * search. Source: Jira REST API, version 2 and 3; Alertmanager documentation, "jira_config". */
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "notify/receivers/markup.h"
#include "notify/receivers/notifier.h"

#define MAX_SUMMARY 255         /* characters Jira takes */
#define MAX_DESCRIPTION 32767

enum step { STEP_SEARCH = 1, STEP_CREATE, STEP_UPDATE, STEP_LIST, STEP_MOVE };

struct issue {                          /* delivery.state */
	struct str key;
	bool done;                      /* its status is of the category "done" */
};

struct talk {                           /* one call of advance */
	struct delivery *d;
	json_t *texts;
	bool firing;
};

static struct str setting(const struct talk *t, const char *name)
{
	return notifier_setting(t->d, t->texts, name);
}

static enum deliver_next ask(const struct talk *t, enum step step, const char *method, struct str path, struct buf *body)
{
	struct delivery *d = t->d;
	struct label *headers = ARENA_ARRAY(&d->arena, 2, struct label);
	struct str base = setting(t, "api_url");

	headers[0] = (struct label){ STR("Content-Type"), STR("application/json") };
	headers[1] = (struct label){ STR("Accept"), STR("application/json") };
	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	d->step = (int)step;
	d->call = (struct http_call){ .method = method,
				      .url = arena_printf(&d->arena, STR_FMT "/" STR_FMT, STR_ARG(base), STR_ARG(path)),
				      .headers = headers,
				      .n_headers = 2,
				      .body = arena_str(&d->arena, buf_str(body)),
				      .http = &d->integration->http,
				      .timeout_ms = d->integration->timeout_ms };
	d->call_changes = step != STEP_SEARCH && step != STEP_LIST;
	buf_fini(body);
	return DELIVER_ASK;
}

/* ALERT{sha256 of the group's key} */
static struct str group_label(const struct talk *t)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char hex[65];

	EVP_Digest(t->d->message->group_key.p, t->d->message->group_key.n, sum, NULL, EVP_sha256(), NULL);
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return arena_printf(&t->d->arena, "ALERT{%s}", hex);
}

/* ---- The search. ---- */

static void put_quoted(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, s.p[i]);
	}
	buf_putc(b, '"');
}

static bool is_cloud(const struct talk *t)
{
	struct str type = setting(t, "api_type"), url = setting(t, "api_url");

	return str_eq(type, STR("cloud")) || (!str_eq(type, STR("datacenter")) && str_find(url, STR(".atlassian.net")) < url.n);
}

static enum deliver_next search(const struct talk *t)
{
	struct str wont_fix = setting(t, "wont_fix_resolution"), reopen = setting(t, "reopen_transition");
	struct buf jql = { 0 }, body = { 0 };
	struct json_out j = { &body, false };
	int64_t seconds = 0;

	if (wont_fix.n > 0) {
		buf_putz(&jql, "resolution != ");
		put_quoted(&jql, wont_fix);
		buf_putz(&jql, " and ");
	}
	if (!t->firing || reopen.n == 0)
		buf_putz(&jql, "statusCategory != Done and ");
	else if (str_to_int64(setting(t, "reopen_duration"), &seconds) && seconds >= 60)
		buf_printf(&jql, "(resolutiondate is EMPTY OR resolutiondate >= -%lldm) and ", (long long)(seconds / 60));
	buf_putz(&jql, "project=");
	put_quoted(&jql, setting(t, "project"));
	buf_putz(&jql, " and labels=");
	put_quoted(&jql, group_label(t));
	buf_putz(&jql, " order by status ASC,resolutiondate DESC");
	json_out_open(&j, '{');
	json_out_key(&j, "jql");
	json_out_str(&j, buf_str(&jql));
	json_out_key(&j, "fields");
	json_out_raw(&j, STR("[\"status\"]"));
	json_out_key(&j, "maxResults");
	json_out_int(&j, 2);
	json_out_close(&j, '}');
	buf_fini(&jql);
	return ask(t, STEP_SEARCH, "POST", is_cloud(t) ? STR("search/jql") : STR("search"), &body);
}

/* ---- An issue's fields. ---- */

/* Version 3 takes documents: a paragraph a line. */
static void put_document(struct json_out *j, struct str text)
{
	struct str line;

	json_out_open(j, '{');
	json_out_key(j, "type");
	json_out_strz(j, "doc");
	json_out_key(j, "version");
	json_out_int(j, 1);
	json_out_key(j, "content");
	json_out_open(j, '[');
	while (str_cut(&text, '\n', &line)) {
		json_out_open(j, '{');
		json_out_key(j, "type");
		json_out_strz(j, "paragraph");
		json_out_key(j, "content");
		json_out_open(j, '[');
		if (line.n > 0) {
			json_out_open(j, '{');
			json_out_key(j, "type");
			json_out_strz(j, "text");
			json_out_key(j, "text");
			json_out_str(j, line);
			json_out_close(j, '}');
		}
		json_out_close(j, ']');
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
	json_out_close(j, '}');
}

static void put_named(struct json_out *j, const char *key, const char *name, struct str value)
{
	json_out_key(j, key);
	json_out_open(j, '{');
	json_out_key(j, name);
	json_out_str(j, value);
	json_out_close(j, '}');
}

/* The text with <other> for each of <these>, which Jira refuses there. */
static struct str with(const struct talk *t, struct str s, const char *these, char other)
{
	char *p = arena_strz(&t->d->arena, s);

	for (size_t i = 0; i < s.n; i++)
		if (p[i] != '\0' && strchr(these, p[i]) != NULL)
			p[i] = other;
	return (struct str){ p, s.n };
}

static void put_labels(struct json_out *j, const struct talk *t)
{
	json_t *one;
	size_t i;

	json_out_key(j, "labels");
	json_out_open(j, '[');
	json_array_foreach(json_object_get(t->texts, "labels"), i, one) if (json_string_length(one) > 0)
		json_out_str(j, with(t, (struct str){ json_string_value(one), json_string_length(one) }, " \t\r\n", '_'));
	json_out_str(j, group_label(t));
	json_out_close(j, ']');
}

/* Fields of one's own, as they are. */
static void put_others(struct json_out *j, const struct talk *t)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(t->texts, "fields"), name, value)
	{
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		json_out_key(j, name);
		json_out_raw(j, str_of(text != NULL ? text : "null"));
		free(text);
	}
}

static void put_fields(struct buf *body, const struct talk *t, bool creates)
{
	struct json_out j = { body, false };
	const struct markup_limit line = { .max = MAX_SUMMARY }, text = { .max = MAX_DESCRIPTION };
	struct str description = markup_cut(&t->d->arena, setting(t, "description"), &text), priority = setting(t, "priority"), url = setting(t, "api_url");

	json_out_open(&j, '{');
	json_out_key(&j, "fields");
	json_out_open(&j, '{');
	if (creates) {
		put_named(&j, "project", "key", setting(t, "project"));
		put_named(&j, "issuetype", "name", setting(t, "issue_type"));
	}
	json_out_key(&j, "summary");
	json_out_str(&j, markup_cut(&t->d->arena, with(t, setting(t, "summary"), "\r\n", ' '), &line));
	json_out_key(&j, "description");
	if (str_find(url, STR("/rest/api/3")) < url.n)
		put_document(&j, description);
	else
		json_out_str(&j, description);
	put_labels(&j, t);
	if (priority.n > 0)
		put_named(&j, "priority", "name", priority);
	put_others(&j, t);
	json_out_close(&j, '}');
	json_out_close(&j, '}');
}

/* ---- From answer to question. ---- */

static enum deliver_next found(const struct talk *t, json_t *o)
{
	json_t *one = json_array_get(json_object_get(o, "issues"), 0);
	const char *key = json_string_value(json_object_get(one, "key"));
	const char *category = json_string_value(json_object_get(
		json_object_get(json_object_get(json_object_get(one, "fields"), "status"), "statusCategory"), "key"));
	struct issue *issue = ARENA_NEW(&t->d->arena, struct issue);
	struct buf body = { 0 };

	if (!json_is_array(json_object_get(o, "issues"))) {
		t->d->note = "the answer lists no issues";
		return DELIVER_RETRY;
	}
	if (key == NULL && !t->firing)
		return DELIVER_DONE;
	put_fields(&body, t, key == NULL);
	if (key == NULL)
		return ask(t, STEP_CREATE, "POST", STR("issue"), &body);
	issue->key = arena_str(&t->d->arena, str_of(key));
	issue->done = category != NULL && strcmp(category, "done") == 0;
	t->d->state = issue;
	return ask(t, STEP_UPDATE, "PUT", arena_printf(&t->d->arena, "issue/%s", key), &body);
}

/* Empty: it stays where it is. */
static struct str wanted_transition(const struct talk *t)
{
	const struct issue *issue = t->d->state;

	if (t->firing)
		return issue->done ? setting(t, "reopen_transition") : STR("");
	return issue->done ? STR("") : setting(t, "resolve_transition");
}

static enum deliver_next updated(const struct talk *t)
{
	const struct issue *issue = t->d->state;
	struct buf none = { 0 };

	if (wanted_transition(t).n == 0)
		return DELIVER_DONE;
	return ask(t, STEP_LIST, "GET", arena_printf(&t->d->arena, "issue/" STR_FMT "/transitions", STR_ARG(issue->key)), &none);
}

static enum deliver_next listed(const struct talk *t, json_t *o)
{
	const struct issue *issue = t->d->state;
	struct str name = wanted_transition(t);
	struct buf body = { 0 };
	struct json_out j = { &body, false };
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(o, "transitions"), i, one)
	{
		const char *its = json_string_value(json_object_get(one, "name")), *id = json_string_value(json_object_get(one, "id"));

		if (its == NULL || id == NULL || !str_eq(str_of(its), name))
			continue;
		json_out_open(&j, '{');
		put_named(&j, "transition", "id", str_of(id));
		json_out_close(&j, '}');
		return ask(t, STEP_MOVE, "POST", arena_printf(&t->d->arena, "issue/" STR_FMT "/transitions", STR_ARG(issue->key)), &body);
	}
	t->d->note = "the issue has no such transition";
	return DELIVER_DEAD;
}

static enum deliver_next next_of(const struct talk *t, const struct http_answer *answer)
{
	json_t *o = json_loadb(answer->body.n > 0 ? answer->body.p : "", answer->body.n, 0, NULL);
	enum deliver_next next = receiver_judge(t->d, answer);

	if (next == DELIVER_DONE)
		switch ((enum step)t->d->step) {
		case STEP_SEARCH:
			next = found(t, o);
			break;
		case STEP_UPDATE:
			next = updated(t);
			break;
		case STEP_LIST:
			next = listed(t, o);
			break;
		case STEP_CREATE:
		case STEP_MOVE:
			break;
		}
	json_decref(o);
	return next;
}

enum deliver_next jira_advance(struct delivery *d, const struct http_answer *answer)
{
	json_t *kept = json_loadb(d->message->payload.p, d->message->payload.n, JSON_ALLOW_NUL, NULL);
	const char *status = json_string_value(json_object_get(kept, "status"));
	const struct talk t = { d, json_object_get(kept, "settings"), status != NULL && strcmp(status, "firing") == 0 };
	enum deliver_next next = answer == NULL ? search(&t) : next_of(&t, answer);

	json_decref(kept);
	return next;
}
