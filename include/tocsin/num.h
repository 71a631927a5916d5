/* Numbers as text. Floats are the shortest text that reads back as the same number. */
#ifndef TOCSIN_NUM_H
#define TOCSIN_NUM_H

#include "tocsin/buf.h"

#define NUM_MAX 32      /* bytes any of these needs, NUL included, but num_fixed: 344 */

/* Like Go's strconv.FormatFloat(v, 'g', -1, 64): exponent form below 1e-4 and from 1e6 on. "NaN", "+Inf", "-Inf".
 * What PromQL, the text exposition format and label values ("le") use. Returns the length. */
size_t num_format(char out[NUM_MAX], double v);
/* FormatFloat(v, 'f', -1, 64): never an exponent. What the Prometheus HTTP API sends for scalars. <out> holds 344 bytes. */
size_t num_format_fixed(char *out, double v);
/* The same with an exponent below 1e-6 and from 1e21 on, as JavaScript writes numbers. What the API sends for samples. */
size_t num_format_js(char out[NUM_MAX], double v);
/* Milliseconds as seconds: 1700000000123 -> "1700000000.123", trailing zeros dropped. */
size_t num_format_seconds(char out[NUM_MAX], int64_t ms);
void buf_num(struct buf *b, double v);

/* Prometheus duration, "1h30m", "5m", "250ms", "0": units y w d h m s ms, longest first, each once; 292 years at most,
 * which is what nanoseconds have room for there. */
bool num_parse_duration_ms(struct str s, int64_t *out_ms) MUST_CHECK;
/* The same back: 5400000 -> "1h30m". */
size_t num_format_duration(char out[NUM_MAX], int64_t ms);
/* "10MB", "512KiB", "1GB" (powers of 1024, as Prometheus reads them), a bare number is bytes. */
bool num_parse_bytes(struct str s, int64_t *out) MUST_CHECK;
/* A whole number as YAML 1.1 writes it: 0x10, 0b11, 0o17, 017, 1_000. */
bool num_parse_yaml_int(struct str s, int64_t *out) MUST_CHECK;

#endif
