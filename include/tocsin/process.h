/* This process: the process_* families that Prometheus's client libraries expose, for /metrics of either program, and its limits. */
#ifndef TOCSIN_PROCESS_H
#define TOCSIN_PROCESS_H

struct expo_set;

/* When this process started, in seconds since 1970; it does not change, and finding it out reads a large file. */
double process_start_seconds(void);
/* Once, when all runs: pages of code and constants are dropped, since most were needed only to start. What is used comes back. */
void process_forget_start(void);
/* As many open files as the system lets us have. */
void process_raise_file_limit(void);
/* CPU, memory, file descriptors and start time of this process, from /proc; what cannot be read is left out. */
void process_emit(struct expo_set *s, double start_seconds);

#endif
