/* Reading the protobuf format: metric families (io.prometheus.client.MetricFamily), each behind its length. Every sample is given as the text
 * format would write its series, so that whoever remembers series by their text need not know where they came from. Created
 * timestamps are passed over. Source: Prometheus "Exposition formats", metrics.proto. */
#ifndef TOCSIN_SCRAPE_PROTOPARSE_H
#define TOCSIN_SCRAPE_PROTOPARSE_H

#include "scrape/native.h"
#include "scrape/textparse.h"

struct protoparse_options {
	bool native;      /* native histograms are wanted; else their classic buckets alone */
	bool classic_too; /* the classic buckets of a native histogram as well */
	struct native_limits limits;
};

struct protoparse_sink {
	/* A family begins. */
	void (*family)(void *ctx, const struct textparse_meta *);
	/* <series> and the histogram are gone after the call. False ends it all; the reason is the sink's to tell. */
	bool (*sample)(void *ctx, struct str series, const struct textparse_sample *);
	void *ctx;
};

/* False when the sink said so, or with <e> when <body> is malformed. */
bool protoparse_read(struct str body, const struct protoparse_options *, const struct protoparse_sink *, struct err *e);

#endif
