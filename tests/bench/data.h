/* The data of the bench, the same for everyone who is measured: DATA_TARGETS targets of DATA_SERIES series, DATA_SAMPLES samples
 * each, five seconds apart. A series' values depend on nothing but its number. */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stddef.h>
#include <stdint.h>

enum {
	DATA_TARGETS = 100, DATA_HANDLERS = 50, DATA_STATUSES = 6, DATA_BUCKETS = 12, DATA_QUEUES = 5,
	DATA_SERIES = DATA_HANDLERS * (DATA_STATUSES + DATA_BUCKETS + 2) + DATA_QUEUES,
	DATA_SAMPLES = 120, DATA_STEP_MS = 5000,
};

struct data_label {
	const char *name;
	char value[32];
};

struct data_series {
	const char *family, *type;      /* as OpenMetrics names them */
	const char *name;               /* of the sample */
	struct data_label labels[4];    /* job and instance first */
	size_t n_labels;
	int64_t t_ms[DATA_SAMPLES];
	double v[DATA_SAMPLES];
};

/* Family by family, each series with all its samples; the last ones lie less than a step before <end_ms>, none on
 * a whole second. */
void data_each(int64_t end_ms, void (*fn)(void *ctx, const struct data_series *), void *ctx);

#endif
