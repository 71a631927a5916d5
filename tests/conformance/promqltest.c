/* promqltest FILE.test …: runs Prometheus's PromQL test scripts against our engine. A line for each evaluation that failed, with
 * what was expected and what came; the last line is "N passed, N failed". Exit 1 when any failed, 2 when a file cannot be read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "promql/script/script.h"

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	size_t n;
	bool ok;

	if (f == NULL)
		return false;
	do {
		char *to = buf_reserve(out, 65536);

		n = fread(to, 1, 65536, f);
		out->n += n;
	} while (n > 0);
	ok = ferror(f) == 0;
	return fclose(f) == 0 && ok;
}

int main(int argc, char **argv)
{
	struct script_report report = { 0 };
	size_t failed;

	if (argc < 2) {
		fprintf(stderr, "usage: promqltest FILE.test ...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		struct buf text = { 0 };

		if (!read_file(argv[i], &text)) {
			fprintf(stderr, "promqltest: %s: %s\n", argv[i], strerror(errno));
			return 2;
		}
		script_run(str_of(argv[i]), buf_str(&text), NULL, &report);
		buf_fini(&text);
	}
	fputs(buf_z(&report.text), stdout);
	printf("%zu passed, %zu failed\n", report.passed, report.failed);
	failed = report.failed;
	buf_fini(&report.text);
	return failed == 0 ? 0 : 1;
}
