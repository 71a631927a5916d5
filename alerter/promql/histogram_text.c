/* Native histograms as people and clients read them: with the bounds of their buckets. Empty buckets are left out. */
#include "histogram_buckets.h"
#include "promql.h"
#include "tocsin/num.h"

static void put_json_number(struct buf *b, double v)
{
	char text[NUM_MAX];

	buf_putc(b, '"');
	buf_put(b, text, num_format_js(text, v));
	buf_putc(b, '"');
}

static void put_json_bucket(struct buf *b, const struct histogram_bucket *bucket)
{
	static const char rules[2][2] = { { '2', '0' }, { '1', '3' } };         /* [has_lower][has_upper] */
	const double numbers[] = { bucket->lower, bucket->upper, bucket->count };

	buf_putc(b, '[');
	buf_putc(b, rules[bucket->has_lower][bucket->has_upper]);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		buf_putc(b, ',');
		put_json_number(b, numbers[i]);
	}
	buf_putc(b, ']');
}

void promql_histogram_json(struct buf *b, const struct histogram *h)
{
	struct histogram_walk walk = histogram_walk_up(h);
	struct histogram_bucket bucket;
	bool any = false;

	buf_putz(b, "{\"count\":");
	put_json_number(b, h->count);
	buf_putz(b, ",\"sum\":");
	put_json_number(b, h->sum);
	while (histogram_next(&walk, &bucket)) {
		if (bucket.count == 0)
			continue;
		buf_putz(b, any ? "," : ",\"buckets\":[");
		put_json_bucket(b, &bucket);
		any = true;
	}
	buf_putz(b, any ? "]}" : "}");
}

static void print_bucket(struct buf *b, const struct histogram_bucket *bucket)
{
	buf_putz(b, bucket->has_lower ? ", [" : ", (");
	buf_num(b, bucket->lower);
	buf_putc(b, ',');
	buf_num(b, bucket->upper);
	buf_putz(b, bucket->has_upper ? "]:" : "):");
	buf_num(b, bucket->count);
}

void promql_histogram_print(struct buf *b, const struct histogram *h)
{
	struct histogram_walk walk = histogram_walk_up(h);
	struct histogram_bucket bucket;

	walk.whole = true;
	buf_putz(b, "{count:");
	buf_num(b, h->count);
	buf_putz(b, ", sum:");
	buf_num(b, h->sum);
	while (histogram_next(&walk, &bucket))
		if (bucket.count != 0)
			print_bucket(b, &bucket);
	buf_putc(b, '}');
}
