/* What the parts of the configuration share: sources.c reads files, sources_modules.c makes sources of targets. */
#ifndef TOCSIN_EXPORTER_SOURCES_PRIVATE_H
#define TOCSIN_EXPORTER_SOURCES_PRIVATE_H

#include "sources.h"

/* Empty, with one reference. */
struct sources *sources_new(void);
/* Fills <c> from <tree>; NULL, and <c> is gone, when the report holds errors. */
struct sources *sources_build(struct sources *c, const struct conf_node *tree, struct conf_report *r) MUST_CHECK;
/* Equal when nothing has changed: texts, and when the files that hold secrets were changed. In <a>. */
struct str sources_fingerprint(struct arena *a, const struct source_kind *kind, const struct conf_node *node);

extern const struct conf_table modules_table;
/* Takes over the list the table has made, and checks it, also when the table found errors elsewhere. */
void modules_take(struct sources *c, const struct conf_list *list, struct conf_report *r);

/* Reports metrics that the configuration names as it must not. */
void sources_check_names(const struct sources *c, struct conf_report *r);

#endif
