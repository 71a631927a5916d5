/* templates: the files, and every setting that is a template. What they define forms one library, in which the later counts. */
#include <stdio.h>
#include <stdlib.h>

#include "notify/config/config.h"
#include "notify/receivers/receiver.h"
#include "tocsin/file.h"
#include "tocsin/glob.h"
#include "tocsin/mem.h"

#define MAX_FILE_BYTES (1u << 20)

struct template *config_keep_template(struct notify_config *c, struct template *t)
{
	c->templates = mem_grow(c->templates, &c->cap_templates, c->n_templates + 1, sizeof(struct template *));
	return c->templates[c->n_templates++] = t;
}

struct template *config_template(struct conf_reader *rd, const struct conf_node *node, struct str name, struct str text)
{
	struct notify_config *c = rd->user;
	struct err e = {0};
	struct template *t = template_new(name, text, &notice_template_env, c->library, &e);
	struct str missing;
	size_t pos;

	if (t != NULL && node != NULL && template_missing(t, t, &missing, &pos))
		conf_warn_at(rd->report, node, pos, "template \"" STR_FMT "\" is not defined: the default is sent instead", STR_ARG(missing));
	if (t != NULL)
		return config_keep_template(c, t);
	if (node != NULL && node->kind == CONF_SCALAR && e.pos >= 0)
		conf_error_at(rd->report, node, (size_t)e.pos, "%s", e.msg);
	else
		conf_error(rd->report, node, STR_FMT " is no template: %s", STR_ARG(name), e.msg);
	return NULL;
}

static void line_of(struct str text, int pos, int *line, int *col)
{
	*line = *col = 1;
	for (size_t i = 0; i < text.n && (int)i < pos; i++) {
		*line += text.p[i] == '\n';
		*col = text.p[i] == '\n' ? 1 : *col + 1;
	}
}

static bool read_text(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rbe");
	char *room = buf_reserve(out, MAX_FILE_BYTES + 1);

	if (f == NULL)
		return false;
	out->n = fread(room, 1, MAX_FILE_BYTES + 1, f);
	fclose(f);
	return true;
}

/* <found>: by a wildcard. */
static void add_file(struct conf_reader *rd, const char *path, bool found)
{
	struct notify_config *c = rd->user;
	struct buf text = {0};
	struct err e = {0};
	struct template *t = NULL;
	int line, col;

	if (found && !file_is_regular(path))
		conf_error_in(rd->report, str_of(path), FILE_NOT_REGULAR);
	else if (!read_text(path, &text))
		conf_error_in(rd->report, str_of(path), "the file cannot be read: check its permissions");
	else if (text.n > MAX_FILE_BYTES)
		conf_error_in(rd->report, str_of(path), "the file is longer than %u bytes: split it", MAX_FILE_BYTES);
	else if ((t = template_new(str_of(path), buf_str(&text), &notice_template_env, c->library, &e)) == NULL) {
		line_of(buf_str(&text), e.pos, &line, &col);
		conf_error_in(rd->report, str_of(path), "line %d, column %d: %s", line, col, e.msg);
	}
	if (t != NULL)
		c->library = config_keep_template(c, t);
	buf_fini(&text);
}

static void add_pattern(struct conf_reader *rd, struct str pattern, const struct conf_node *node)
{
	glob_t found;

	if (glob_files(pattern.p, &found) != 0 && !glob_is_pattern(pattern.p))
		conf_warn(rd->report, node, "there is no file \"" STR_FMT "\": its templates are not defined", STR_ARG(pattern));
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_file(rd, found.gl_pathv[i], glob_is_pattern(pattern.p));
	globfree(&found);
}

void config_read_templates(struct conf_reader *rd, const struct conf_node *list)
{
	const struct conf_key key = {.name = "templates"};
	struct notify_config *c = rd->user;
	struct conf_strs patterns = {0};
	struct buf defaults = {0};
	struct str missing;
	size_t first, pos;

	for (size_t i = 0; notice_default_templates[i] != NULL; i++)
		buf_putz(&defaults, notice_default_templates[i]);
	c->library = config_template(rd, NULL, STR("default templates"), buf_str(&defaults));
	buf_fini(&defaults);
	if (list == NULL || list->kind == CONF_NULL || !conf_path_seq(rd, &key, list, &patterns))
		return;
	first = c->n_templates;
	for (size_t i = 0; i < patterns.n; i++)
		add_pattern(rd, patterns.v[i], list);
	for (size_t i = first; i < c->n_templates; i++)
		if (template_missing(c->templates[i], c->library, &missing, &pos))
			conf_warn(rd->report, list, "template \"" STR_FMT "\" is named in these files and defined nowhere", STR_ARG(missing));
}
