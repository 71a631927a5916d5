/* Targets of static configurations and of discoveries, relabelled. Source: Prometheus documentation, "scrape_config" and "relabel_config". */
#include "scrape/discover.h"

#include <stdlib.h>

#include "tocsin/map.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

enum { OWNER_KEY_BITS = 48 };
#define PARAM "__param_"

static void set(struct labels *l, struct str name, struct str value, struct arena *a)
{
	*l = labels_with(a, *l, name, value);
}

static void set_default(struct labels *l, struct str name, struct str value, struct arena *a)
{
	if (!labels_has(*l, name))
		set(l, name, value, a);
}

static struct str duration_text(int64_t ms, struct arena *a)
{
	char text[NUM_MAX];

	return arena_str(a, (struct str){ text, num_format_duration(text, ms) });
}

static bool is_first_value(const struct scrape_job *job, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_eq(job->params.v[k].name, job->params.v[i].name))
			return false;
	return true;
}

/* What relabelling gets to see. */
static struct labels discovered_labels(const struct scrape_job *job, const struct scrape_static *s, struct str address,
                                       struct arena *a)
{
	struct labels l = { NULL, 0 };

	set(&l, STR("__address__"), address, a);
	for (size_t i = 0; i < s->labels.n; i++)
		if (!str_eq(s->labels.v[i].name, STR("__address__")))
			set(&l, s->labels.v[i].name, s->labels.v[i].value, a);
	set_default(&l, STR("job"), job->name, a);
	set_default(&l, STR("__scheme__"), job->scheme, a);
	set_default(&l, STR("__metrics_path__"), job->metrics_path, a);
	set_default(&l, STR("__scrape_interval__"), duration_text(job->interval_ms, a), a);
	set_default(&l, STR("__scrape_timeout__"), duration_text(job->timeout_ms, a), a);
	for (size_t i = 0; i < job->params.n; i++)
		if (is_first_value(job, i))
			set(&l, arena_printf(a, PARAM "%.*s", STR_ARG(job->params.v[i].name)), job->params.v[i].value, a);
	return l;
}

/* As Go's net/url has it: <plain> is what stands for itself there, beside letters and digits. */
static void put_encoded(struct buf *b, struct str s, const char *plain, const char *space)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c != '\0' && strchr(plain, c) != NULL)) {
			buf_putc(b, (char)c);
		} else if (c == ' ') {
			buf_putz(b, space);
		} else {
			buf_putc(b, '%');
			buf_putc(b, hex[c >> 4]);
			buf_putc(b, hex[c & 15]);
		}
	}
}

static bool is_configured(const struct scrape_job *job, struct str name)
{
	for (size_t i = 0; i < job->params.n; i++)
		if (str_eq(job->params.v[i].name, name))
			return true;
	return false;
}

/* Behind those of the same name. */
static void insert_param(struct label *v, size_t n, struct str name, struct str value)
{
	for (; n > 0 && str_cmp(v[n - 1].name, name) > 0; n--)
		v[n] = v[n - 1];
	v[n] = (struct label){ name, value };
}

/* Sorted by name, as Prometheus has them. __param_x replaces the first value of x, or adds one; without it the configured one stays. */
static struct labels params_of(const struct scrape_job *job, struct labels l, struct arena *a)
{
	struct label *v = ARENA_ARRAY(a, job->params.n + l.n, struct label);
	size_t n = 0;

	for (size_t i = 0; i < job->params.n; i++) {
		struct label p = job->params.v[i];
		struct str replaced = is_first_value(job, i) ? labels_get(l, arena_printf(a, PARAM "%.*s", STR_ARG(p.name))) : STR("");

		insert_param(v, n++, p.name, replaced.n > 0 ? replaced : p.value);
	}
	for (size_t i = 0; i < l.n; i++) {
		const struct str prefix = STR(PARAM);
		struct str name = { l.v[i].name.p + prefix.n, l.v[i].name.n - prefix.n };

		if (str_starts(l.v[i].name, prefix) && !is_configured(job, name))
			insert_param(v, n++, name, l.v[i].value);
	}
	return (struct labels){ v, n };
}

static void put_param_text(struct buf *b, struct str s)
{
	put_encoded(b, s, "-_.~", "+");
}

static void put_params(struct buf *b, struct labels params)
{
	for (size_t i = 0; i < params.n; i++) {
		buf_putc(b, i == 0 ? '?' : '&');
		put_param_text(b, params.v[i].name);
		buf_putc(b, '=');
		put_param_text(b, params.v[i].value);
	}
}

static struct str url_of(const struct scrape_job *job, struct labels l, struct arena *a)
{
	struct str path = labels_get(l, STR("__metrics_path__"));
	struct buf b = { 0 };
	struct str out;

	buf_put_case(&b, labels_get(l, STR("__scheme__")), false);
	buf_putz(&b, "://");
	buf_puts(&b, labels_get(l, STR("__address__")));
	if (!str_starts(path, STR("/")))
		buf_putc(&b, '/');
	put_encoded(&b, path, "-_.~$&+,/:;=@", "%20");
	put_params(&b, params_of(job, l, a));
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static struct labels without_hidden(struct labels l, struct arena *a)
{
	struct label *v = ARENA_ARRAY(a, l.n, struct label);
	size_t n = 0;

	for (size_t i = 0; i < l.n; i++)
		if (!str_starts(l.v[i].name, STR("__")))
			v[n++] = l.v[i];
	return (struct labels){ v, n };
}

static const char *check(struct target_plan *p, struct labels l)
{
	struct str scheme = labels_get(l, STR("__scheme__"));

	if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
		return "__scheme__ is neither http nor https";
	if (str_chr(labels_get(l, STR("__address__")), '/') < labels_get(l, STR("__address__")).n)
		return "__address__ is no host:port";
	if (!num_parse_duration_ms(labels_get(l, STR("__scrape_interval__")), &p->interval_ms) || p->interval_ms <= 0)
		return "__scrape_interval__ is not a duration above 0";
	if (!num_parse_duration_ms(labels_get(l, STR("__scrape_timeout__")), &p->timeout_ms) || p->timeout_ms <= 0)
		return "__scrape_timeout__ is not a duration above 0";
	if (p->timeout_ms > p->interval_ms)
		return "__scrape_timeout__ is longer than __scrape_interval__";
	return NULL;
}

/* As Prometheus knows them: relabelling may choose for each target. */
static const char *choose_histograms(struct scrape_histograms *h, struct labels l)
{
	const struct {
		struct str name;
		bool *to;
		const char *error;
	} rows[] = {
		{ STR("__scrape_native_histograms__"), &h->native, "__scrape_native_histograms__ is neither true nor false" },
		{ STR("__always_scrape_classic_histograms__"), &h->classic_too,
		  "__always_scrape_classic_histograms__ is neither true nor false" },
		{ STR("__convert_classic_histograms_to_nhcb__"), &h->convert,
		  "__convert_classic_histograms_to_nhcb__ is neither true nor false" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str v = labels_get(l, rows[i].name);

		if (v.n > 0 && !str_eq(v, STR("true")) && !str_eq(v, STR("false")))
			return rows[i].error;
		if (v.n > 0)
			*rows[i].to = str_eq(v, STR("true"));
	}
	return NULL;
}

static struct str key_of(const struct target_plan *p, struct arena *a)
{
	struct buf b = { 0 };
	struct str out;

	buf_puts(&b, p->job->name);
	buf_putc(&b, '\n');
	buf_puts(&b, p->url);
	buf_putc(&b, '\n');
	buf_puts(&b, p->unix_socket);
	buf_putc(&b, '\n');
	labels_print(&b, p->labels);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static struct target_plan plan(const struct scrape_job *job, const struct scrape_static *s, struct str address, struct arena *a)
{
	struct target_plan p = { .job = job, .discovered = discovered_labels(job, s, address, a) };
	struct labels l = p.discovered;
	enum relabel_outcome outcome = relabel_apply(job->relabel.v, job->relabel.n, &l, a);

	p.dropped = outcome == RELABEL_DROPPED || labels_get(l, STR("__address__")).n == 0;
	if (p.dropped)
		return p;
	set_default(&l, STR("instance"), labels_get(l, STR("__address__")), a);
	p.histograms = job->histograms;
	p.error = outcome == RELABEL_TOO_LONG ? "relabel_configs: " RELABEL_TOO_LONG_TEXT : check(&p, l);
	if (p.error == NULL)
		p.error = choose_histograms(&p.histograms, l);
	if (p.error != NULL) {
		p.interval_ms = job->interval_ms;
		p.timeout_ms = job->timeout_ms;
	}
	p.url = url_of(job, l, a);
	p.unix_socket = labels_get(l, STR("__unix_socket__"));
	p.labels = without_hidden(l, a);
	p.key = key_of(&p, a);
	return p;
}

/* The same target named twice is one. */
static void add(struct target_list *list, struct map *keys, struct target_plan p)
{
	if (p.key.n > 0 && map_put(keys, p.key, list) != NULL)
		return;
	list->v = arena_grow(&list->arena, list->v, list->n, &list->cap, list->n + 1, sizeof *list->v);
	list->v[list->n++] = p;
}

/* Where a job's groups go. */
struct taking {
	struct target_list *list;
	struct map *keys;
	const struct scrape_job *job;
};

static void take_group(void *ctx, const struct scrape_static *group)
{
	struct taking *t = ctx;

	for (size_t i = 0; i < group->targets.n; i++)
		add(t->list, t->keys, plan(t->job, group, group->targets.v[i], &t->list->arena));
}

/* The discovery may forget a group before the list does. */
static void take_found(void *ctx, const struct scrape_static *group)
{
	struct taking *t = ctx;
	struct arena *a = &t->list->arena;
	struct str *targets = ARENA_ARRAY(a, group->targets.n, struct str);
	struct label *labels = ARENA_ARRAY(a, group->labels.n, struct label);
	const struct scrape_static copy = { { targets, group->targets.n }, { labels, group->labels.n } };

	for (size_t i = 0; i < group->targets.n; i++)
		targets[i] = arena_str(a, group->targets.v[i]);
	for (size_t i = 0; i < group->labels.n; i++)
		labels[i] = (struct label){ arena_str(a, group->labels.v[i].name), arena_str(a, group->labels.v[i].value) };
	take_group(t, &copy);
}

static void add_job(struct target_list *list, struct map *keys, const struct scrape_job *job, const struct discovery *discovery)
{
	const struct scrape_static *statics = job->statics.v;
	struct taking t = { list, keys, job };
	size_t before = list->n, kept = 0;
	const char *error;

	for (size_t i = 0; i < job->statics.n; i++)
		take_group(&t, &statics[i]);
	if (!discovery_groups(discovery, job, take_found, &t)) {
		list->waiting = arena_grow(&list->arena, list->waiting, list->n_waiting, &list->waiting_cap, list->n_waiting + 1,
		                           sizeof(struct scrape_job *));
		list->waiting[list->n_waiting++] = job;
	}
	for (size_t i = before; i < list->n; i++)
		kept += !list->v[i].dropped;
	if (job->target_limit == 0 || (int64_t)kept <= job->target_limit)
		return;
	error = arena_strz(&list->arena, arena_printf(&list->arena, "target_limit exceeded (number of targets: %zu, limit: %lld)", kept,
	                                              (long long)job->target_limit));
	for (size_t i = before; i < list->n; i++)
		if (!list->v[i].dropped)
			list->v[i].error = error;
}

static uint64_t job_bits(struct str job)
{
	return str_hash(job) << OWNER_KEY_BITS;
}

int64_t target_offset_ms(uint64_t hash, int64_t interval_ms, size_t n_targets)
{
	enum { AT_ONCE = 8, MOMENTS = 16 }; /* at most, in the mean; at least */
	uint64_t interval = (uint64_t)interval_ms, step = 1;

	while (step * 2 * MOMENTS <= interval && step * 2 * n_targets <= AT_ONCE * interval)
		step *= 2;
	return (int64_t)(hash % interval / step * step);
}

uint64_t target_owner(struct str job, struct str key)
{
	return job_bits(job) | (str_hash(key) & ((UINT64_C(1) << OWNER_KEY_BITS) - 1)) | 1;
}

bool target_owner_is_of(uint64_t owner, struct str job)
{
	return owner >> OWNER_KEY_BITS == job_bits(job) >> OWNER_KEY_BITS;
}

struct target_list *target_list_new(const struct scrape_config *config, const struct discovery *discovery)
{
	struct target_list *list = mem_alloc(sizeof *list);
	struct map keys = { 0 };

	list->config = config;
	for (size_t i = 0; i < config->n; i++)
		add_job(list, &keys, &config->jobs[i], discovery);
	map_fini(&keys);
	return list;
}

void target_list_free(struct target_list *list)
{
	if (list == NULL)
		return;
	arena_fini(&list->arena);
	free(list);
}
