/* The machine the exporter runs on, as a source: node_exporter's names for CPU, memory, load, disks, filesystems, network,
 * pressure; and the limits of control groups. */
#ifndef TOCSIN_HOST_H
#define TOCSIN_HOST_H

#include "source.h"

extern const struct source_kind host_source_kind;

#endif
