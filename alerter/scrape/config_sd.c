/* file_sd_configs, http_sd_configs and dns_sd_configs: a table each, one struct. */
#include <string.h>

#include "scrape/config.h"

static const struct conf_range refresh_range = { 1000, INT64_C(7) * 86400000 };
static const struct conf_range ports = { 1, 65535 };
const char *const scrape_dns_types[] = { "SRV", "A", "AAAA", "MX", "NS", NULL };

#define REFRESH(fallback) \
	CONF_KEY_ARG(struct scrape_sd, "refresh_interval", refresh_ms, conf_duration_ms, fallback, CONF_RELOAD, "How often it is read again.", \
	             &refresh_range)

/* ---- file ---- */

static void init_file(void *to)
{
	((struct scrape_sd *)to)->kind = SCRAPE_SD_FILE;
}

/* A list that is not there at all is complained of elsewhere. */
static bool check_names(struct conf_reader *rd, const struct conf_node *node, const struct scrape_sd *sd, const char *key)
{
	const struct conf_node *names = conf_get(node, key);

	if (sd->names.n > 0 || names == NULL || names->kind != CONF_SEQ)
		return true;
	return conf_error(rd->report, names, "%s is empty: name one at least", key);
}

static bool ends_nocase(struct str path, const char *ending)
{
	size_t n = strlen(ending);

	return path.n >= n && str_eq_nocase((struct str){ path.p + path.n - n, n }, str_of(ending));
}

/* As in Prometheus: the last part of the path may hold '*'. */
static bool check_file(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct scrape_sd *sd = to;
	bool ok = true;

	for (size_t i = 0; i < sd->names.n; i++) {
		struct str path = sd->names.v[i];
		size_t star = str_chr(path, '*');

		if (!ends_nocase(path, ".json") && !ends_nocase(path, ".yml") && !ends_nocase(path, ".yaml"))
			ok = conf_error(rd->report, node, "file_sd_configs: " STR_FMT ": the name must end in .json, .yml or .yaml",
			                STR_ARG(path));
		else if (star < path.n && memchr(path.p + star, '/', path.n - star) != NULL)
			ok = conf_error(rd->report, node, "file_sd_configs: " STR_FMT ": only the last part of a path may hold a '*'", STR_ARG(path));
	}
	return check_names(rd, node, sd, "files") && ok;
}

static const struct conf_key file_keys[] = {
	CONF_KEY(struct scrape_sd, "files", names, conf_path_seq, NULL, CONF_RELOAD | CONF_REQUIRED,
	         "Files with target groups, *.json, *.yml or *.yaml; they are watched."),
	REFRESH("5m"),
};
const struct conf_table scrape_file_sd_table = { file_keys, ARRAY_LEN(file_keys), sizeof(struct scrape_sd), init_file, check_file };

/* ---- http ---- */

static void init_http(void *to)
{
	((struct scrape_sd *)to)->kind = SCRAPE_SD_HTTP;
}

static const struct conf_key http_keys[] = {
	CONF_KEY(struct scrape_sd, "url", url, conf_url, NULL, CONF_RELOAD | CONF_REQUIRED, "Where a list of target groups is, as JSON."),
	REFRESH("1m"),
};

bool scrape_parse_http_sds(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	static const struct conf_table own = { http_keys, ARRAY_LEN(http_keys), sizeof(struct scrape_sd), init_http, connection_check };
	const struct conf_table all = connection_table_with(rd, &own);
	struct conf_key row = *key;

	row.arg = &all;
	return conf_sub_list(rd, &row, node, to);
}

/* ---- dns ---- */

static void init_dns(void *to)
{
	((struct scrape_sd *)to)->kind = SCRAPE_SD_DNS;
}

static bool check_dns(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct scrape_sd *sd = to;

	if (sd->dns_type != SCRAPE_DNS_SRV && sd->port == 0)
		return conf_error(rd->report, node, "a dns_sd_config of type %s has no port: write the one its targets listen on",
		                  scrape_dns_types[sd->dns_type]);
	return check_names(rd, node, sd, "names");
}

static const struct conf_key dns_keys[] = {
	CONF_KEY(struct scrape_sd, "names", names, conf_str_seq, NULL, CONF_RELOAD | CONF_REQUIRED, "Names that are asked for."),
	CONF_KEY_ARG(struct scrape_sd, "type", dns_type, conf_enum_nocase, "SRV", CONF_RELOAD, "Type of the records: SRV, A, AAAA, MX or NS.", scrape_dns_types),
	CONF_KEY_ARG(struct scrape_sd, "port", port, conf_int, NULL, CONF_RELOAD, "Of the targets; SRV records tell it themselves.", &ports),
	REFRESH("30s"),
};
const struct conf_table scrape_dns_sd_table = { dns_keys, ARRAY_LEN(dns_keys), sizeof(struct scrape_sd), init_dns, check_dns };

/* ---- for others ---- */

void scrape_config_read_finders(struct conf_reader *rd, const struct conf_node *list, struct scrape_config *out)
{
	static const struct conf_key keys[] = {
		CONF_KEY_ARG(struct scrape_job, "file_sd_configs", file_sds, conf_sub_list, NULL, CONF_RELOAD, NULL, &scrape_file_sd_table),
		CONF_KEY(struct scrape_job, "http_sd_configs", http_sds, scrape_parse_http_sds, NULL, CONF_RELOAD, NULL),
		CONF_KEY_ARG(struct scrape_job, "dns_sd_configs", dns_sds, conf_sub_list, NULL, CONF_RELOAD, NULL, &scrape_dns_sd_table),
	};
	size_t n = list != NULL && list->kind == CONF_SEQ ? list->n : 0;
	struct scrape_job *v = ARENA_ARRAY(rd->arena, n + 1, struct scrape_job);

	for (size_t i = 0; i < n; i++) {
		v[i].name = arena_printf(rd->arena, "finder\n%zu", i);  /* no job can be called so */
		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			const struct conf_node *node = conf_get(list->items[i], keys[k].name);

			if (node != NULL && node->kind != CONF_NULL)
				(void)!keys[k].parse(rd, &keys[k], node, (char *)&v[i] + keys[k].offset);
		}
	}
	out->finders = v;
	out->n_finders = n;
}
