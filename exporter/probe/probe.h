/* An address that is asked in each scrape: HTTP(S), TCP or TLS. Did it answer, how long did each phase take, is the answer what it
 * should be, until when are the certificates good. Names are blackbox_exporter's where it has one. */
#ifndef TOCSIN_PROBE_H
#define TOCSIN_PROBE_H

#include "source.h"

extern const struct source_kind probe_source_kind;

#endif
