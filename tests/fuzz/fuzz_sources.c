/* Hostile configurations of the exporter: whatever is in one, it is refused with a word of what is wrong, or it can be explained. */
#include <stdlib.h>

#include "explain.h"
#include "sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_report report = { 0 };
	struct sources *c;
	struct buf out = { 0 };

	if (size > 1 << 14)
		return 0;
	c = sources_load_text(STR("x.yml"), (struct str){ (const char *)data, size }, &report);
	if ((c == NULL) != (report.n_errors > 0))
		abort();
	conf_report_print(&report, &out);
	if (c == NULL && out.n == 0)
		abort();
	if (c != NULL) {
		explain_sources(&out, c);
		sources_unref(c);
	}
	conf_report_fini(&report);
	buf_fini(&out);
	return 0;
}
