/* Postgres servers as sources: what replaces postgres_exporter. */
#ifndef TOCSIN_POSTGRES_H
#define TOCSIN_POSTGRES_H

#include "source.h"

struct pg_settings {
	struct source_settings common;
	struct str url;
	struct conf_strs enable, disable;       /* names of collectors */
	struct conf_strs databases;             /* whose tables are read, besides the url's; "all" */
	int64_t statement_timeout_ms, lock_timeout_ms;
	int64_t max_age_ms;
	int64_t slow_interval_ms;
	int64_t max_tables, max_statements;
	bool prepare;
};

extern const struct source_kind postgres_source_kind;
void pg_explain(struct buf *out, const void *settings);

#endif
