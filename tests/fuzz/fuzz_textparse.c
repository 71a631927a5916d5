/* Hostile replies: the parser in both formats, and the memory of lines that sits on it. The first byte chooses the format; the rest
 * is cut at 0xff into replies of one target. Nothing may crash, and each good sample must parse to the same labels again. */
#include <stdlib.h>

#include "../one_target.h"
#include "scrape/textparse.h"
#include "tocsin/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_labels_again(const char *text, bool openmetrics)
{
	struct arena a = { 0 };
	struct textparse p;
	struct textparse_meta meta;
	struct textparse_sample sample;
	enum textparse_kind kind;

	textparse_init(&p, str_of(text), openmetrics);
	while ((kind = textparse_next(&p)) != TEXTPARSE_END) {
		struct labels l, again;
		struct str series;
		struct err e = { 0 };

		if (kind == TEXTPARSE_COMMENT) {
			(void)textparse_comment(&p, &a, &meta);
			continue;
		}
		if (!textparse_series(&p, &series) || !textparse_value(&p, &sample))
			break;
		if (sample.n_exemplars > 0)
			(void)!textparse_exemplar_labels(p.exemplar.text, &a, &l, &e);
		e = (struct err){ 0 };
		if (textparse_labels(series, &a, &l, NULL, &e)) {
			struct buf b = { 0 };

			labels_print(&b, l);
			if (!textparse_labels(buf_str(&b), &a, &again, NULL, &e) || !labels_eq(l, again))
				abort();
			buf_fini(&b);
		}
	}
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct one_target o;
	bool openmetrics = size > 0 && (data[0] & 1) != 0;
	struct str rest = { size > 0 ? (const char *)data + 1 : "", size > 0 ? size - 1 : 0 }, part;

	one_target_init(&o, 1000);
	o.job.honor_timestamps = true;
	one_target_begin(&o);
	while (str_cut(&rest, '\xff', &part)) {
		char *text = mem_strndup(part.p, part.n);

		parse_labels_again(text, openmetrics);
		one_target_scrape(&o, openmetrics ? STR("application/openmetrics-text") : STR("text/plain"), (struct str){ text, part.n });
		free(text);
	}
	one_target_fini(&o);
	return 0;
}
