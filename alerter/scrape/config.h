/* Tables that the files which read scrape_configs share. Private to scrape. */
#ifndef TOCSIN_SCRAPE_CONFIG_H
#define TOCSIN_SCRAPE_CONFIG_H

#include "scrape/scrape.h"

extern const struct conf_table scrape_static_table, scrape_file_sd_table, scrape_dns_sd_table;

conf_parse scrape_parse_protocols; /* struct scrape_protocols */
conf_parse scrape_parse_fallback;  /* int, enum scrape_format */
conf_parse scrape_parse_http_sds; /* struct conf_list of struct scrape_sd */
conf_parse scrape_unsupported; /* an error; arg: what to do instead */
conf_parse scrape_no_effect;   /* a warning; arg: why */

/* Whether a series text means the same series to both. */
bool scrape_jobs_read_alike(const struct scrape_job *a, const struct scrape_job *b);
bool scrape_same_texts(struct conf_strs a, struct conf_strs b);

#define NOT_YET(name, instead) \
	{ \
		name, scrape_unsupported, 0, NULL, 0, NULL, instead \
	}
#define NO_EFFECT(name, why) \
	{ \
		name, scrape_no_effect, 0, NULL, 0, NULL, why \
	}

#endif
