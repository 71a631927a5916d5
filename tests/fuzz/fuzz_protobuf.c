/* Hostile replies in the protobuf format, with the memory of series behind it. The first byte chooses what becomes of histograms; the rest is
 * one reply, scraped twice. Nothing may crash; every series must parse to labels, or fail the scrape. */
#include "scrape/scrape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = size > 0 ? data[0] : 0;
	struct str address = STR("h:1");
	struct scrape_static one = { { &address, 1 }, { NULL, 0 } };
	struct scrape_job job = { .name = STR("j"),
		                  .metrics_path = STR("/m"),
		                  .scheme = STR("http"),
		                  .interval_ms = 1000,
		                  .timeout_ms = 1000,
		                  .honor_timestamps = (how & 1) != 0,
		                  .histograms = { (how & 2) != 0, (how & 4) != 0, (how & 8) != 0 },
		                  .bucket_limit = how & 16 ? 4 : 0,
		                  .bucket_factor = how & 32 ? 1.5 : 0,
		                  .statics = { &one, 1, NULL } };
	struct scrape_config config = { &job, 1 };
	struct clock clock = clock_manual(1700000000000);
	struct store_options store_options = { .clock = &clock };
	struct scrape_options options = { .store = store_new(&store_options), .clock = &clock };
	struct scrape_loop *loop = scrape_new(&options);
	const struct scrape_reply r = { .http_status = 200,
		                        .content_type = STR("application/vnd.google.protobuf"),
		                        .body = { size > 0 ? (const char *)data + 1 : "", size > 0 ? size - 1 : 0 } };

	scrape_reload(loop, &config);
	for (int i = 0; i < 2; i++) {
		scrape_ingest(loop, 0, &r, clock.wall);
		clock.wall += 1000;
	}
	scrape_free(loop);
	store_free(options.store);
	return 0;
}
