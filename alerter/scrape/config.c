/* scrape_configs, as Prometheus writes them. What we do not have yet is an error that names it and says what to use instead; what
 * changes nothing we do is a warning. */
#include "scrape/config.h"

#include "tocsin/map.h"
#include "tocsin/regex.h"

static const struct conf_range not_negative = { 0, INT64_MAX };
#define BODY_LIMIT_MAX ((int64_t)2 << 30)     /* more is taken for this */

enum { UNSET = -1, DEFAULT_INTERVAL_MS = 60000, DEFAULT_TIMEOUT_MS = 10000 };

#define LIMITS(type, fallback) \
	CONF_KEY_ARG(type, "body_size_limit", body_size_limit, conf_size, fallback, CONF_RELOAD, \
	             "Bytes of a reply, 2GB at most; 0: 64MB.", &not_negative), \
	CONF_KEY_ARG(type, "sample_limit", sample_limit, conf_int, fallback, CONF_RELOAD, \
	             "Samples of a scrape, after relabelling.", &not_negative), \
	CONF_KEY_ARG(type, "target_limit", target_limit, conf_int, fallback, CONF_RELOAD, "Targets of a job.", \
	             &not_negative), \
	CONF_KEY_ARG(type, "label_limit", label_limit, conf_int, fallback, CONF_RELOAD, "Labels of a sample.", \
	             &not_negative), \
	CONF_KEY_ARG(type, "label_name_length_limit", label_name_length_limit, conf_int, fallback, CONF_RELOAD, \
	             "Bytes of a label name.", &not_negative), \
	CONF_KEY_ARG(type, "label_value_length_limit", label_value_length_limit, conf_int, fallback, CONF_RELOAD, \
	             "Bytes of a label value.", &not_negative)

#define HISTOGRAMS(type, fallback) \
	CONF_KEY(type, "scrape_protocols", protocols, scrape_parse_protocols, NULL, CONF_RELOAD, \
	         "Formats that are asked for, the best first."), \
	CONF_KEY(type, "scrape_native_histograms", histograms.native, conf_bool, fallback, CONF_RELOAD, \
	         "Take native histograms, which the protobuf format has."), \
	CONF_KEY(type, "always_scrape_classic_histograms", histograms.classic_too, conf_bool, fallback, CONF_RELOAD, \
	         "Take the classic buckets of native histograms too."), \
	CONF_KEY(type, "convert_classic_histograms_to_nhcb", histograms.convert, conf_bool, fallback, CONF_RELOAD, \
	         "Make native histograms with custom buckets of classic ones.")

#define EXTRA(type, fallback) \
	CONF_KEY(type, "extra_scrape_metrics", extra_metrics, conf_bool, fallback, CONF_RELOAD, \
	         "Write scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes of each scrape too.")

/* Of a job and of all. */
#define INEFFECTIVE \
	NO_EFFECT("keep_dropped_targets", "dropped targets are all listed"), \
	NO_EFFECT("scrape_failure_log_file", "failures are in the log and on the page"), \
	NO_EFFECT("metric_name_validation_scheme", "UTF-8 names are taken"), \
	NO_EFFECT("metric_name_escaping_scheme", "UTF-8 names are taken")

/* ---- global ---- */

/* The default alone is never too long. */
static bool check_global(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct conf_node *timeout = conf_get(node, "scrape_timeout");
	struct scrape_defaults *d = to;

	if (d->interval_ms == 0)
		d->interval_ms = DEFAULT_INTERVAL_MS;
	if (d->timeout_ms == 0)
		d->timeout_ms = DEFAULT_TIMEOUT_MS;
	if (d->timeout_ms <= d->interval_ms)
		return true;
	if (timeout != NULL && timeout->kind != CONF_NULL)
		return conf_error(rd->report, timeout, "scrape_timeout is longer than scrape_interval: shorten it");
	d->timeout_ms = d->interval_ms;
	return true;
}

static const struct conf_key global_keys[] = {
	CONF_KEY_ARG(struct scrape_defaults, "scrape_interval", interval_ms, conf_duration_ms, "1m", CONF_RELOAD,
	             "How often a target is read; 0s: the default.", &not_negative),
	CONF_KEY_ARG(struct scrape_defaults, "scrape_timeout", timeout_ms, conf_duration_ms, "10s", CONF_RELOAD,
	             "How long a reply may take; 0s: the default.", &not_negative),
	LIMITS(struct scrape_defaults, "0"),
	HISTOGRAMS(struct scrape_defaults, "false"),
	EXTRA(struct scrape_defaults, "false"),
	NO_EFFECT("query_log_file", "what queries cost is on the page and in the metrics"),
	INEFFECTIVE,
};

const struct conf_table scrape_global_table = { global_keys, ARRAY_LEN(global_keys), sizeof(struct scrape_defaults), NULL,
	                                        check_global };

/* ---- Parts of a job ---- */

static const struct conf_key static_keys[] = {
	CONF_KEY(struct scrape_static, "targets", targets, conf_str_seq, NULL, CONF_RELOAD, "host:port of each."),
	CONF_KEY(struct scrape_static, "labels", labels, conf_labels, NULL, CONF_RELOAD, "Labels they get."),
};
static bool check_static(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct scrape_static *s = to;

	for (size_t i = 0; i < s->labels.n; i++)
		if (s->labels.v[i].name.n == 0)
			return conf_error(rd->report, conf_get(node, "labels"), "a label has no name: write one");
	return true;
}

const struct conf_table scrape_static_table = { static_keys, ARRAY_LEN(static_keys), sizeof(struct scrape_static), NULL, check_static };

/* A map of names to lists of texts. */
static bool parse_params(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	struct conf_labels *out = to;
	size_t cap = 0;
	bool ok = true;

	if (node->kind != CONF_MAP)
		return conf_error(rd->report, node, "%s is %s: write a map of names to lists", key->name,
		                  conf_kind_name(node->kind));
	for (size_t i = 0; i < node->n; i++) {
		struct conf_strs values = { NULL, 0 };

		ok &= conf_str_seq(rd, key, node->pairs[i].value, &values);
		for (size_t k = 0; k < values.n; k++) {
			out->v = arena_grow(rd->arena, out->v, out->n, &cap, out->n + 1, sizeof *out->v);
			out->v[out->n++] = (struct label){ node->pairs[i].key->text, values.v[k] };
		}
	}
	return ok;
}

bool scrape_unsupported(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	(void)to;
	return conf_error(rd->report, node, "%s is not supported yet: %s", key->name, (const char *)key->arg);
}

bool scrape_no_effect(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	(void)to;
	conf_warn(rd->report, node, "%s has no effect here: %s", key->name, (const char *)key->arg);
	return true;
}

#define SD(name) NOT_YET(name "_sd_configs", "use file_sd_configs, http_sd_configs or static_configs")

/* ---- A job ---- */

static void init_job(void *to)
{
	struct scrape_job *j = to;

	j->interval_ms = j->timeout_ms = UNSET;
	j->body_size_limit = j->sample_limit = j->target_limit = UNSET;
	j->label_limit = j->label_name_length_limit = j->label_value_length_limit = UNSET;
}

static void default_histograms(const struct conf_node *node, struct scrape_job *j, const struct scrape_defaults *d)
{
	if (j->protocols.n == 0)
		j->protocols = d->protocols;
	if (conf_get(node, "scrape_native_histograms") == NULL)
		j->histograms.native = d->histograms.native;
	if (conf_get(node, "always_scrape_classic_histograms") == NULL && conf_get(node, "scrape_classic_histograms") == NULL)
		j->histograms.classic_too = d->histograms.classic_too;
	if (conf_get(node, "convert_classic_histograms_to_nhcb") == NULL)
		j->histograms.convert = d->histograms.convert;
}

/* Relabelling may yet make an address of what is none: a URL to probe, say. */
static void check_addresses(struct conf_reader *rd, const struct scrape_job *j)
{
	const struct scrape_static *groups = j->statics.v;

	for (size_t i = 0; i < j->statics.n && j->relabel.n == 0; i++)
		for (size_t k = 0; k < groups[i].targets.n; k++) {
			struct str t = groups[i].targets.v[k];

			if (t.n == 0)
				conf_error(rd->report, j->statics.nodes[i], "a target is empty: write host:port");
			else if (str_chr(t, '/') < t.n)
				conf_error(rd->report, j->statics.nodes[i], "target \"" STR_FMT "\" is no host:port: scheme and path have keys of their own",
				           STR_ARG(t));
		}
}

static bool check_job(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	struct scrape_job *j = to;
	const struct scrape_defaults *d = rd->user;

	if (j->interval_ms <= 0)
		j->interval_ms = d->interval_ms;
	if (j->timeout_ms <= 0)
		j->timeout_ms = d->timeout_ms < j->interval_ms ? d->timeout_ms : j->interval_ms;
#define DEFAULT(field) j->field = j->field == UNSET ? d->field : j->field
	DEFAULT(body_size_limit);
	if (j->body_size_limit > BODY_LIMIT_MAX)
		j->body_size_limit = BODY_LIMIT_MAX;
	DEFAULT(sample_limit);
	DEFAULT(target_limit);
	DEFAULT(label_limit);
	DEFAULT(label_name_length_limit);
	DEFAULT(label_value_length_limit);
#undef DEFAULT
	default_histograms(node, j, d);
	if (conf_get(node, "extra_scrape_metrics") == NULL)
		j->extra_metrics = d->extra_metrics;
	if (j->name.n == 0 && conf_get(node, "job_name") != NULL)
		conf_error(rd->report, conf_get(node, "job_name"), "job_name is empty: give the job a name");
	check_addresses(rd, j);
	if (j->timeout_ms > j->interval_ms)
		conf_error(rd->report, conf_get(node, "scrape_timeout"),
		           "scrape_timeout is longer than scrape_interval: shorten it");
	if (j->scheme.n == 0)
		j->scheme = STR("http");
	if (!str_eq_nocase(j->scheme, STR("http")) && !str_eq_nocase(j->scheme, STR("https")))
		conf_warn(rd->report, conf_get(node, "scheme"), "\"" STR_FMT "\" is no scheme: no target is read whose __scheme__ is neither http nor https",
		          STR_ARG(j->scheme));
	if (!str_starts(j->metrics_path, STR("/")))
		conf_warn(rd->report, conf_get(node, "metrics_path"), "metrics_path begins without a slash: \"/" STR_FMT "\" is asked for",
		          STR_ARG(j->metrics_path));
	return connection_check(rd, node, &j->http);
}

static const struct conf_key job_keys[] = {
	CONF_KEY(struct scrape_job, "job_name", name, conf_str, NULL, CONF_RELOAD | CONF_REQUIRED, "The label job."),
	CONF_KEY_ARG(struct scrape_job, "scrape_interval", interval_ms, conf_duration_ms, NULL, CONF_RELOAD, "How often; 0s: as globally.",
	             &not_negative),
	CONF_KEY_ARG(struct scrape_job, "scrape_timeout", timeout_ms, conf_duration_ms, NULL, CONF_RELOAD,
	             "How long a reply may take; 0s: as globally.", &not_negative),
	CONF_KEY(struct scrape_job, "metrics_path", metrics_path, conf_str, "/metrics", CONF_RELOAD, "Path of the URL."),
	CONF_KEY(struct scrape_job, "scheme", scheme, conf_str, "http", CONF_RELOAD, "http or https."),
	CONF_KEY(struct scrape_job, "params", params, parse_params, NULL, CONF_RELOAD, "Parameters of the URL."),
	CONF_KEY(struct scrape_job, "honor_labels", honor_labels, conf_bool, "false", CONF_RELOAD, "Scraped labels win."),
	CONF_KEY(struct scrape_job, "honor_timestamps", honor_timestamps, conf_bool, "true", CONF_RELOAD,
	         "Scraped timestamps win."),
	CONF_KEY(struct scrape_job, "track_timestamps_staleness", track_timestamps_staleness, conf_bool, "false", CONF_RELOAD,
	         "Series with timestamps of their own end too."),
	CONF_KEY(struct scrape_job, "enable_compression", enable_compression, conf_bool, "true", CONF_RELOAD, "Ask for gzip."),
	LIMITS(struct scrape_job, NULL),
	HISTOGRAMS(struct scrape_job, NULL),
	EXTRA(struct scrape_job, NULL),
	CONF_KEY(struct scrape_job, "scrape_classic_histograms", histograms.classic_too, conf_bool, NULL, CONF_RELOAD,
	         "The older name of always_scrape_classic_histograms."),
	CONF_KEY_ARG(struct scrape_job, "native_histogram_bucket_limit", bucket_limit, conf_int, "0", CONF_RELOAD,
	             "Buckets of a native histogram: more are put together.", &not_negative),
	CONF_KEY(struct scrape_job, "native_histogram_min_bucket_factor", bucket_factor, conf_double, "0", CONF_RELOAD,
	         "Native histograms whose buckets grow by less are made coarser."),
	CONF_KEY(struct scrape_job, "fallback_scrape_protocol", fallback_format, scrape_parse_fallback, NULL, CONF_RELOAD,
	         "How a reply without a known content type is read."),
	CONF_KEY_ARG(struct scrape_job, "static_configs", statics, conf_sub_list, NULL, CONF_RELOAD, "The targets.", &scrape_static_table),
	CONF_KEY_ARG(struct scrape_job, "file_sd_configs", file_sds, conf_sub_list, NULL, CONF_RELOAD, "Targets that files name.",
	             &scrape_file_sd_table),
	CONF_KEY(struct scrape_job, "http_sd_configs", http_sds, scrape_parse_http_sds, NULL, CONF_RELOAD, "Targets that a URL names."),
	CONF_KEY_ARG(struct scrape_job, "dns_sd_configs", dns_sds, conf_sub_list, NULL, CONF_RELOAD, "Targets that DNS names.",
	             &scrape_dns_sd_table),
	CONF_KEY_ARG(struct scrape_job, "relabel_configs", relabel, conf_sub_list, NULL, CONF_RELOAD, "Changes targets.",
	             &relabel_table),
	CONF_KEY_ARG(struct scrape_job, "metric_relabel_configs", metric_relabel, conf_sub_list, NULL, CONF_RELOAD,
	             "Changes samples.", &relabel_table),
	SD("azure"),
	SD("aws"),
	SD("consul"),
	SD("digitalocean"),
	SD("docker"),
	SD("dockerswarm"),
	SD("ec2"),
	SD("eureka"),
	SD("gce"),
	SD("hetzner"),
	SD("ionos"),
	SD("kubernetes"),
	SD("kuma"),
	SD("lightsail"),
	SD("linode"),
	SD("marathon"),
	SD("nerve"),
	SD("nomad"),
	SD("openstack"),
	SD("ovhcloud"),
	SD("puppetdb"),
	SD("scaleway"),
	SD("serverset"),
	SD("stackit"),
	SD("triton"),
	SD("uyuni"),
	SD("vultr"),
	INEFFECTIVE,
};

static const struct conf_table job_table = { job_keys, ARRAY_LEN(job_keys), sizeof(struct scrape_job), init_job, check_job };

static bool check_names(struct conf_reader *rd, const struct conf_list *list)
{
	const struct scrape_job *jobs = list->v;
	struct map names = { 0 };
	bool ok = true;

	for (size_t i = 0; i < list->n; i++)
		if (jobs[i].name.n > 0 && map_put(&names, jobs[i].name, &names) != NULL)
			ok = conf_error(rd->report, list->nodes[i], "job_name " STR_FMT " occurs twice: give each job its own",
			                STR_ARG(jobs[i].name));
	map_fini(&names);
	return ok;
}

bool scrape_config_read(struct conf_reader *rd, const struct conf_node *list, const struct scrape_defaults *defaults,
                        struct scrape_config *out)
{
	const struct conf_table table = connection_table_with(rd, &job_table);
	const struct conf_key row = { "scrape_configs", conf_sub_list, 0, NULL, CONF_RELOAD, NULL, &table };
	size_t errors = rd->report->n_errors;
	struct scrape_defaults d = *defaults;
	struct conf_reader own = *rd;
	struct conf_list jobs = { 0 };

	*out = (struct scrape_config){ 0 };
	if (list == NULL || list->kind == CONF_NULL)
		return true;
	own.user = &d;
	(void)!conf_sub_list(&own, &row, list, &jobs);
	(void)!check_names(&own, &jobs);
	rd->held = own.held;
	*out = (struct scrape_config){ .jobs = jobs.v, .n = jobs.n };
	return rd->report->n_errors == errors;
}

/* ---- Comparing ---- */

static bool same_rule(const struct relabel_rule *a, const struct relabel_rule *b)
{
	if (a->action != b->action || a->source_labels.n != b->source_labels.n || !str_eq(a->separator, b->separator) ||
	    !str_eq(a->target_label, b->target_label) || !str_eq(a->replacement, b->replacement) ||
	    !str_eq(regex_pattern(a->regex), regex_pattern(b->regex)) || a->modulus != b->modulus)
		return false;
	for (size_t i = 0; i < a->source_labels.n; i++)
		if (!str_eq(a->source_labels.v[i], b->source_labels.v[i]))
			return false;
	return true;
}

static bool same_rules(const struct conf_list *a, const struct conf_list *b)
{
	const struct relabel_rule *rules_a = a->v, *rules_b = b->v;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_rule(&rules_a[i], &rules_b[i]))
			return false;
	return true;
}

bool scrape_jobs_read_alike(const struct scrape_job *a, const struct scrape_job *b)
{
	return a->honor_labels == b->honor_labels && a->label_limit == b->label_limit &&
	       a->label_name_length_limit == b->label_name_length_limit &&
	       a->label_value_length_limit == b->label_value_length_limit && same_rules(&a->metric_relabel, &b->metric_relabel);
}

bool scrape_same_texts(struct conf_strs a, struct conf_strs b)
{
	for (size_t i = 0; i < a.n && a.n == b.n; i++)
		if (!str_eq(a.v[i], b.v[i]))
			return false;
	return a.n == b.n;
}
