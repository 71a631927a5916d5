/* Hostile replies in the protobuf format, with the memory of series behind it. The first byte chooses what becomes of histograms; the rest is
 * one reply, scraped twice. Nothing may crash; every series must parse to labels, or fail the scrape. */
#include "../one_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = size > 0 ? data[0] : 0;
	struct str body = { size > 0 ? (const char *)data + 1 : "", size > 0 ? size - 1 : 0 };
	struct one_target o;

	one_target_init(&o, 1000);
	o.job.honor_timestamps = (how & 1) != 0;
	o.job.histograms = (struct scrape_histograms){ (how & 2) != 0, (how & 4) != 0, (how & 8) != 0 };
	o.job.bucket_limit = how & 16 ? 4 : 0;
	o.job.bucket_factor = how & 32 ? 1.5 : 0;
	one_target_begin(&o);
	for (int i = 0; i < 2; i++)
		one_target_scrape(&o, STR("application/vnd.google.protobuf"), body);
	one_target_fini(&o);
	return 0;
}
