/* One line an event on stderr, logfmt or JSON, as Prometheus writes them: time=… level=… msg=… key=value …
 * Values are quoted and escaped; secrets are never handed in. Thread-safe: a line is one write(2). */
#ifndef TOCSIN_LOG_H
#define TOCSIN_LOG_H

#include "tocsin/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);
bool log_level_parse(struct str s, enum log_level *out) MUST_CHECK;     /* debug info warn error */
bool log_format_parse(struct str s, enum log_format *out) MUST_CHECK;   /* logfmt json */

/* <pairs>: key, value, key, value …, NULL. Values are const char *:
 *	log_event(LOG_WARN, "source is down", "source", name, "err", e.msg, NULL);                                      */
void log_event(enum log_level level, const char *msg, ...) __attribute__((sentinel));
/* The message itself formatted, no pairs. */
void log_printf(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#endif
