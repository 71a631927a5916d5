/* Whatever the script: every line of it is run, or reported with its number. */
#include <assert.h>

#include "promql/script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct promql_options o = { .features = PROMQL_ALL_FEATURES, .limits = { .max_samples = 5000, .max_points = 200, .timeout_ms = 500 } };
	struct script_report report = { 0 };
	size_t lines = 0;

	script_run(STR("fuzz"), (struct str){ (const char *)data, n }, &o, &report);
	for (size_t i = 0; i < report.text.n; i++)
		lines += report.text.p[i] == '\n';
	assert(lines >= report.failed);
	buf_fini(&report.text);
	return 0;
}
