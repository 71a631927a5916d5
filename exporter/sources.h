/* The exporter's configuration: which sources there are. Read whole or not at all; immutable afterwards. Each source at work
 * holds a reference, so a source that a reload leaves alone keeps the settings it was opened with. */
#ifndef TOCSIN_EXPORTER_SOURCES_H
#define TOCSIN_EXPORTER_SOURCES_H

#include "source.h"

#define SOURCES_MAX 1000

struct sources_entry {
	const struct source_kind *kind;
	struct source_settings *settings;       /* the kind's struct, which begins with it */
	const struct conf_node *node;
	struct str fingerprint;                 /* equal: nothing that concerns this source has changed */
};

struct sources {
	struct arena arena;
	struct conf_held *held;
	struct sources_entry *v;        /* in file order, kind by kind */
	size_t n;
	int refs;                               /* atomic */
};

/* NULL when the report holds errors. Without a file there is one source for each kind whose variable is set, named after its kind;
 * <getenv_> is getenv() but in tests. */
struct sources *sources_load(const char *path, struct conf_report *r);
struct sources *sources_load_text(struct str name, struct str text, struct conf_report *r);
struct sources *sources_load_environment(char *(*getenv_)(const char *), struct conf_report *r);

struct sources *sources_ref(struct sources *c);
void sources_unref(struct sources *c);

/* What may stand in the file, for --help. */
void sources_print_help(struct buf *out);

#endif
