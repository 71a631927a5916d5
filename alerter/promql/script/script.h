/* Runs test scripts in the dialect of Prometheus's promqltest: load, clear, eval, expect. Every instant evaluation is done
 * again with its selectors pinned by @ at other times, and as the middle of a range query: all must agree.
 * Source: prometheus/prometheus, promql/promqltest/README.md. */
#ifndef TOCSIN_PROMQL_SCRIPT_H
#define TOCSIN_PROMQL_SCRIPT_H

#include "../promql.h"
#include "tocsin/buf.h"

struct script_report {
	size_t passed, failed;          /* evaluations */
	struct buf text;                /* a line for each that failed: file:line: what was expected, what came */
};

/* <file> names the script in messages. <options> NULL: those that Prometheus's own scripts are written for. */
void script_run(struct str file, struct str text, const struct promql_options *options, struct script_report *report);

#endif
