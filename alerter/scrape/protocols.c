/* Formats a reply may come in: scrape_protocols, fallback_scrape_protocol, and what a request says it accepts. The first of the list is wanted
 * most, and anything is taken. */
#include "scrape/config.h"
#include "scrape/request.h"

static const struct {
	const char *name, *accept;
	const char *media; /* how a reply is told by its Content-Type */
	enum scrape_format format;
} protocols[SCRAPE_PROTOCOLS] = {
	[SCRAPE_PROTOBUF] = { "PrometheusProto", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
	                      "application/vnd.google.protobuf", SCRAPE_FORMAT_PROTOBUF },
	[SCRAPE_OPENMETRICS_1_0_0] = { "OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
	                               "application/openmetrics-text", SCRAPE_FORMAT_OPENMETRICS },
	[SCRAPE_OPENMETRICS_0_0_1] = { "OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1", "application/openmetrics-text",
	                               SCRAPE_FORMAT_OPENMETRICS },
	[SCRAPE_TEXT_1_0_0] = { "PrometheusText1.0.0", "text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain", SCRAPE_FORMAT_TEXT },
	[SCRAPE_TEXT_0_0_4] = { "PrometheusText0.0.4", "text/plain;version=0.0.4", "text/plain", SCRAPE_FORMAT_TEXT },
};

static bool read_protocol(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, struct str name,
                          unsigned char *out)
{
	for (unsigned char i = 0; i < SCRAPE_PROTOCOLS; i++)
		if (str_eq(name, str_of(protocols[i].name))) {
			*out = i;
			return true;
		}
	return conf_error(rd->report, node,
	                  "%s: " STR_FMT " is no protocol: write PrometheusProto, OpenMetricsText1.0.0, OpenMetricsText0.0.1, "
	                  "PrometheusText1.0.0 or PrometheusText0.0.4",
	                  key->name, STR_ARG(name));
}

bool scrape_parse_protocols(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	struct scrape_protocols *out = to, own = { 0 };
	struct conf_strs names;

	if (!conf_str_seq(rd, key, node, &names))
		return false;
	if (names.n == 0)
		return conf_error(rd->report, node, "%s is empty: name one protocol at least, or remove it", key->name);
	for (size_t i = 0; i < names.n; i++) {
		unsigned char p;

		if (!read_protocol(rd, key, node, names.v[i], &p))
			return false;
		if (memchr(own.v, p, own.n) != NULL)
			return conf_error(rd->report, node, "%s: " STR_FMT " occurs twice: remove one", key->name, STR_ARG(names.v[i]));
		own.v[own.n++] = p;
	}
	*out = own;
	return true;
}

bool scrape_parse_fallback(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	struct str name;
	unsigned char p;

	if (!conf_str(rd, key, node, &name) || !read_protocol(rd, key, node, name, &p))
		return false;
	*(int *)to = (int)protocols[p].format;
	return true;
}

struct str scrape_accept(const struct scrape_protocols *wanted, bool native, struct buf *out)
{
	static const struct scrape_protocols usual = {
		5, { SCRAPE_PROTOBUF, SCRAPE_OPENMETRICS_1_0_0, SCRAPE_OPENMETRICS_0_0_1, SCRAPE_TEXT_1_0_0, SCRAPE_TEXT_0_0_4 }
	};
	const struct scrape_protocols *l = wanted->n > 0 ? wanted : &usual;
	unsigned weight = SCRAPE_PROTOCOLS + 1;

	buf_reset(out);
	for (unsigned i = 0; i < l->n; i++)
		if (l != &usual || native || l->v[i] != SCRAPE_PROTOBUF)
			buf_printf(out, "%s;q=0.%u,", protocols[l->v[i]].accept, weight--);
	buf_printf(out, "*/*;q=0.%u", weight);
	return buf_str(out);
}

enum scrape_format scrape_format_of(struct str content_type)
{
	for (size_t i = 0; i < SCRAPE_PROTOCOLS; i++)
		if (request_media_type_is(content_type, protocols[i].media))
			return protocols[i].format;
	return SCRAPE_FORMAT_UNKNOWN;
}
