/* alerting: of prometheus.yml: Alertmanagers that get every alert of our own rules. Targets are static, or found by whoever reads the
 * *_sd_configs; they and alerts are relabelled as Prometheus does it. Source: Prometheus documentation, "alertmanager_config". */
#include "notify/config/config.h"
#include "tocsin/relabel.h"

#define API_PATH "/api/v2/alerts"

struct target_file {
	struct conf_strs targets;
	struct conf_labels labels;
};

struct manager_file {
	struct connection_settings http;      /* first: its rows stand beside ours */
	struct str scheme, path_prefix;
	int api_version;
	int64_t timeout_ms;
	struct conf_list targets, relabel, alert_relabel;
	const struct conf_node *found[3];
	struct str none;
};

struct alerting_file {
	struct conf_list managers, relabel;
};

static const char *const versions[] = { "v2", NULL }, *const schemes[] = { "http", "https", NULL };
static const struct conf_range timeout_range = { 1, 600000 };

static bool read_scheme(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	struct conf_key names = *key;
	int i = 0;

	names.arg = schemes;
	if (!conf_enum(rd, &names, node, &i))
		return false;
	*(struct str *)to = str_of(schemes[i]);
	return true;
}

static bool refuse(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	(void)to;
	if (node->kind == CONF_SEQ && node->n == 0)
		return true;
	return conf_error(rd->report, node, "%s is not supported: use %s", key->name, (const char *)key->arg);
}

#define TARGET(name, field, parse, help) CONF_KEY(struct target_file, name, field, parse, NULL, CONF_RELOAD, help)
static const struct conf_key target_keys[] = {
	TARGET("targets", targets, conf_str_seq, "host:port of each."),
	TARGET("labels", labels, conf_labels, "Labels relabelling sees."),
};
static const struct conf_table target_table = { target_keys, ARRAY_LEN(target_keys), sizeof(struct target_file), NULL, NULL };

#define MANAGER(name, field, parse, fallback, arg, help)                                                                           \
	CONF_KEY_ARG(struct manager_file, name, field, parse, fallback, CONF_RELOAD, help, arg)
#define NO(name, instead) MANAGER(name, none, refuse, NULL, instead, "Not supported.")
#define NO_SD(name) NO(name "_sd_configs", "file_sd_configs, http_sd_configs, dns_sd_configs or static_configs")
#define FOUND(name, i) MANAGER(name, found[i], conf_raw, NULL, NULL, "Alertmanagers, as targets of scrape_configs are found.")
static const struct conf_key manager_keys[] = {
	MANAGER("static_configs", targets, conf_sub_list, NULL, &target_table, "Alertmanagers."),
	FOUND("file_sd_configs", 0),
	FOUND("http_sd_configs", 1),
	FOUND("dns_sd_configs", 2),
	MANAGER("scheme", scheme, read_scheme, "http", NULL, "http or https."),
	MANAGER("path_prefix", path_prefix, conf_str, "", NULL, "What stands before /api/v2/alerts."),
	MANAGER("timeout", timeout_ms, conf_duration_ms, "10s", &timeout_range, "How long a request may take."),
	MANAGER("api_version", api_version, conf_enum, "v2", versions, "v2: there is no other any more."),
	MANAGER("relabel_configs", relabel, conf_sub_list, NULL, &relabel_table, "Changes targets."),
	MANAGER("alert_relabel_configs", alert_relabel, conf_sub_list, NULL, &relabel_table, "Changes alerts for these."),
	NO("sigv4", "another way to authenticate"),
	NO("google_iam", "another way to authenticate"),
	NO("azuread", "another way to authenticate"),
	NO_SD("azure"),
	NO_SD("consul"),
	NO_SD("digitalocean"),
	NO_SD("docker"),
	NO_SD("dockerswarm"),
	NO_SD("ec2"),
	NO_SD("eureka"),
	NO_SD("gce"),
	NO_SD("hetzner"),
	NO_SD("ionos"),
	NO_SD("kubernetes"),
	NO_SD("kuma"),
	NO_SD("lightsail"),
	NO_SD("linode"),
	NO_SD("marathon"),
	NO_SD("nerve"),
	NO_SD("nomad"),
	NO_SD("openstack"),
	NO_SD("ovhcloud"),
	NO_SD("puppetdb"),
	NO_SD("scaleway"),
	NO_SD("serverset"),
	NO_SD("stackit"),
	NO_SD("triton"),
	NO_SD("uyuni"),
	NO_SD("vultr"),
};

static bool check_manager(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct manager_file *f = to;

	if (!connection_check(rd, node, to))
		return false;
	return str_chr(f->path_prefix, '?') == f->path_prefix.n || conf_error(rd->report, conf_get(node, "path_prefix"), "path_prefix holds a '?': write a path");
}

static const struct conf_table *manager_table(struct conf_reader *rd)
{
	static const struct conf_table own = { manager_keys, ARRAY_LEN(manager_keys), sizeof(struct manager_file), NULL, check_manager };
	struct conf_table *t = ARENA_NEW(rd->arena, struct conf_table);

	*t = connection_table_with(rd, &own);
	return t;
}

static struct str trim_slashes(struct str s)
{
	while (s.n > 0 && s.p[0] == '/')
		s = (struct str){ s.p + 1, s.n - 1 };
	while (s.n > 0 && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

bool config_is_address(struct str s)
{
	return s.n > 0 && str_chr(s, '/') == s.n;
}

bool config_manager_url(const struct manager_source *m, struct arena *a, struct str address, const struct label *labels, size_t n,
			struct str *url)
{
	struct str prefix = trim_slashes(m->path_prefix);
	struct labels l = { 0 };

	l = labels_with(a, l, STR("__address__"), address);
	l = labels_with(a, l, STR("__scheme__"), m->scheme);
	l = labels_with(a, l, STR("__alerts_path__"),
			arena_printf(a, "%s" STR_FMT API_PATH, prefix.n > 0 ? "/" : "", STR_ARG(prefix)));
	for (size_t i = 0; i < n; i++)
		l = labels_with(a, l, labels[i].name, labels[i].value);
	if (relabel_apply(m->relabel.v, m->relabel.n, &l, a) == RELABEL_DROPPED)
		return false;
	*url = arena_printf(a, STR_FMT "://" STR_FMT STR_FMT, STR_ARG(labels_get(l, STR("__scheme__"))),
			    STR_ARG(labels_get(l, STR("__address__"))), STR_ARG(labels_get(l, STR("__alerts_path__"))));
	return true;
}

static bool is_there(const struct notify_config *c, struct str url)
{
	for (size_t i = 0; i < c->n_managers; i++)
		if (str_eq(c->managers[i].url, url))
			return true;
	return false;
}

static void add_target(struct conf_reader *rd, const struct manager_source *m, const struct target_file *t, struct str address,
		       const struct conf_node *node)
{
	struct notify_config *c = rd->user;
	struct str url;

	if (!config_is_address(address))
		conf_error(rd->report, node, "\"" STR_FMT "\" is no host:port of an Alertmanager: write one", STR_ARG(address));
	else if (config_manager_url(m, rd->arena, address, t->labels.v, t->labels.n, &url) && !is_there(c, url))
		c->managers[c->n_managers++] = (struct manager){ url, m };
}

static void add_entry(struct conf_reader *rd, const struct manager_file *f)
{
	struct notify_config *c = rd->user;
	struct manager_source *m = &c->sources[c->n_sources++];

	*m = (struct manager_source){ f->http, f->scheme, f->path_prefix, f->timeout_ms, f->relabel, f->alert_relabel };
	for (size_t k = 0; k < f->targets.n; k++) {
		const struct target_file *t = (const struct target_file *)f->targets.v + k;

		for (size_t a = 0; a < t->targets.n; a++)
			add_target(rd, m, t, t->targets.v[a], f->targets.nodes[k]);
	}
}

void config_read_alerting(struct conf_reader *rd, const struct conf_node *node)
{
	const struct conf_key keys[] = {
		CONF_KEY_ARG(struct alerting_file, "alertmanagers", managers, conf_sub_list, NULL, CONF_RELOAD, "Who gets alerts.",
			     manager_table(rd)),
		CONF_KEY_ARG(struct alerting_file, "alert_relabel_configs", relabel, conf_sub_list, NULL, CONF_RELOAD,
			     "Changes alerts.", &relabel_table),
	};
	const struct conf_table table = { keys, ARRAY_LEN(keys), sizeof(struct alerting_file), NULL, NULL };
	struct notify_config *c = rd->user;
	struct alerting_file f = { 0 };

	if (node == NULL || node->kind == CONF_NULL || !conf_read(rd, &table, node, &f))
		return;
	c->alert_relabel = f.relabel;
	c->managers = ARENA_ARRAY(rd->arena, node->weight + 1, struct manager);
	c->sources = ARENA_ARRAY(rd->arena, f.managers.n + 1, struct manager_source);
	for (size_t i = 0; i < f.managers.n; i++)
		add_entry(rd, (const struct manager_file *)f.managers.v + i);
}
