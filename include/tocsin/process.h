/* The process_* families that Prometheus's client libraries expose, for /metrics of either program. */
#ifndef TOCSIN_PROCESS_H
#define TOCSIN_PROCESS_H

struct expo_set;

/* CPU, memory, file descriptors and start time of this process, from /proc; what cannot be read is left out. */
void process_emit(struct expo_set *s);

#endif
