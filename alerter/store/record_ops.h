/* The operations of a batch and the head of a frame, for the writer and the reader of records. Private to record_*.c. */
#ifndef TOCSIN_STORE_RECORD_OPS_H
#define TOCSIN_STORE_RECORD_OPS_H

#include "store/record.h"

enum { RECORD_HEAD = 'H', RECORD_BATCH = 'B', RECORD_SERIES = 'S', RECORD_COMPLETE = 'E' };

/* A sample is of the series at hand, which then is the next one. */
enum {
	OP_RUN = 0x00,        /* n - 1 below OP_RUN_MAX: n samples, each the last value of its series */
	OP_RUN_MAX = 0x80,
	OP_STEP = 0x80,       /* + n - 1 with n 1, 2, 4, and n bytes: a sample, so much over the last value */
	OP_XOR = 0x88,        /* zero bytes above << 4 | n, and n bytes: a sample, the bits that differ */
	OP_NUMBER = 0xa0,     /* the series at hand has this number */
	OP_TIME = 0xa1,       /* samples from here on are so much later */
	OP_DEFINE = 0xa2,     /* labels, owner: the next number, which is at hand now */
	OP_HISTOGRAM = 0xa3,  /* length, bytes: of the next sample */
	OP_STATE = 0xa4,      /* + state: the next sample's, if it is not the usual one */
	OP_ONLY_STATE = 0xa8, /* + state: the series at hand's, without a sample */
};

struct record_frame_head {
	uint32_t magic, bytes;
	uint64_t check;
};

struct record_frame_head record_frame_head(const char *payload, size_t n);

#endif
