/* The process_* families that Prometheus's client libraries expose, for /metrics of either program. */
#ifndef TOCSIN_PROCESS_H
#define TOCSIN_PROCESS_H

struct expo_set;

/* When this process started, in seconds since 1970; it does not change, and finding it out reads a large file. */
double process_start_seconds(void);
/* CPU, memory, file descriptors and start time of this process, from /proc; what cannot be read is left out. */
void process_emit(struct expo_set *s, double start_seconds);

#endif
