/* The exporter's configuration: which sources there are. Read whole or not at all; immutable afterwards. Each source at work
 * holds a reference, so a source that a reload leaves alone keeps the settings it was opened with. */
#ifndef TOCSIN_EXPORTER_SOURCES_H
#define TOCSIN_EXPORTER_SOURCES_H

#include "source.h"

#define SOURCES_MAX 1000
#define SOURCES_TARGET_MAX 1024         /* bytes of a target's name */

struct regex;

struct sources_entry {
	const struct source_kind *kind;
	struct source_settings *settings;       /* the kind's struct, which begins with it */
	const struct conf_node *node;
	struct str fingerprint;                 /* equal: nothing that concerns this source has changed */
};

/* How targets that a scraper names are asked: /probe?module=NAME&target=TARGET. */
struct sources_module {
	struct str name;
	struct sources_allow {
		struct regex **v;               /* the whole target must match one */
		size_t n;
	} allow;
	int64_t max_targets, idle_ms;
	const struct conf_node *settings;       /* as of a source of <kind>, without name; {target} in its url */
	const struct source_kind *kind;         /* NULL: wrong */
	struct str fingerprint;
	const struct conf_node *by_kind[4];     /* as read */
};

struct sources {
	struct arena arena;
	struct conf_held *held;
	struct sources_entry *v;        /* in file order, kind by kind */
	size_t n;
	struct sources_module *modules;
	size_t n_modules;
	struct sources *parent;         /* of a target's: what its settings borrow from, counted */
	struct source_reading reading;
	int refs;                               /* atomic */
};

/* NULL when the report holds errors. Without a file there is one source for each kind whose variable is set, named after its kind;
 * <getenv_> is getenv() but in tests. */
struct sources *sources_load(const char *path, struct conf_report *r);
struct sources *sources_load_text(struct str name, struct str text, struct conf_report *r);
struct sources *sources_load_environment(char *(*getenv_)(const char *), struct conf_report *r);

const struct sources_module *sources_find_module(const struct sources *c, struct str name);
/* Whether <m> lets <target> be asked; else <e>. */
bool sources_module_allows(const struct sources_module *m, struct str target, struct err *e) MUST_CHECK;
/* One source, asked as <m> says, of a target it allows. NULL and <e>: the two make no address. */
struct sources *sources_for_target(struct sources *c, const struct sources_module *m, struct str target, struct err *e) MUST_CHECK;

struct sources *sources_ref(struct sources *c);
void sources_unref(struct sources *c);

/* What may stand in the file, for --help. */
void sources_print_help(struct buf *out);

#endif
