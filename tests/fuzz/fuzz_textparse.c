/* Hostile replies: the parser in both formats, and the memory of lines that sits on it. The first byte chooses the format; the rest
 * is cut at 0xff into replies of one target. Nothing may crash, and each good sample must parse to the same labels again. */
#include <stdlib.h>

#include "scrape/scrape.h"
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
		if (textparse_labels(series, &a, &l, &e)) {
			struct buf b = { 0 };

			labels_print(&b, l);
			if (!textparse_labels(buf_str(&b), &a, &again, &e) || !labels_eq(l, again))
				abort();
			buf_fini(&b);
		}
	}
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct label label = { STR("job"), STR("j") };
	struct str address = STR("h:1");
	struct scrape_static one = { { &address, 1 }, { NULL, 0 } };
	struct scrape_job job = { .name = label.value,
		                  .metrics_path = STR("/m"),
		                  .scheme = STR("http"),
		                  .interval_ms = 1000,
		                  .timeout_ms = 1000,
		                  .honor_timestamps = true,
		                  .statics = { &one, 1, NULL } };
	struct scrape_config config = { &job, 1 };
	struct clock clock = clock_manual(1700000000000);
	struct store_options store_options = { .clock = &clock };
	struct scrape_options options = { .store = store_new(&store_options), .clock = &clock };
	struct scrape_loop *loop = scrape_new(&options);
	bool openmetrics = size > 0 && (data[0] & 1) != 0;
	struct str rest = { size > 0 ? (const char *)data + 1 : "", size > 0 ? size - 1 : 0 }, part;

	scrape_reload(loop, &config);
	while (str_cut(&rest, '\xff', &part)) {
		char *text = mem_strndup(part.p, part.n);
		struct scrape_reply r = { .http_status = 200,
			                  .content_type = openmetrics ? STR("application/openmetrics-text") : STR("text/plain"),
			                  .body = { text, part.n } };

		parse_labels_again(text, openmetrics);
		scrape_ingest(loop, 0, &r, clock.wall);
		clock.wall += 1000;
		free(text);
	}
	scrape_free(loop);
	store_free(options.store);
	return 0;
}
