/* The last good version of each rule file, on disk, for a start that finds the file bad or away. One JSON file, written whole or not at all:
 *
 *	[{"path": "/etc/rules.yml", "text": "groups: …"}]
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/plan.h"
#include "tocsin/file.h"
#include "tocsin/json.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

enum { KEPT_MAX = 256 << 20 };

static struct str text_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return (struct str){ json_string_value(v), json_string_length(v) };
}

/* One that no longer loads (another version of this program wrote it) is passed over. */
static void take_kept(struct rules_plan *p, const json_t *o, const struct rules_options *options)
{
	struct conf_report ignored = { 0 };
	struct str path = text_of(o, "path"), text = text_of(o, "text");
	struct rule_file *file = path.n > 0 && text.p != NULL ? rule_file_load_text(path, text, options, &ignored) : NULL;

	if (file != NULL)
		p->files[p->n_files++] = (struct planned_file){ .file = file, .path = arena_str(&p->arena, path) };
	conf_report_fini(&ignored);
}

struct rules_plan *kept_read(const char *kept_path, const struct rules_options *options)
{
	json_error_t wrong = { .text = FILE_NOT_REGULAR };
	json_t *list = file_is_regular(kept_path) ? json_load_file(kept_path, JSON_ALLOW_NUL, &wrong) : NULL, *one;
	struct rules_plan *p = mem_alloc(sizeof *p);
	size_t i;

	p->files = ARENA_ARRAY(&p->arena, json_array_size(list) + 1, struct planned_file);
	if (list == NULL && access(kept_path, F_OK) == 0)
		log_event(LOG_WARN, "the last good versions of rule files cannot be read", "file", kept_path, "err", wrong.text, NULL);
	json_array_foreach (list, i, one)
		take_kept(p, one, options);
	json_decref(list);
	return p;
}

static void put_kept(const struct rules_plan *p, struct buf *out)
{
	struct json_out j = { out, false };

	json_out_open(&j, '[');
	for (size_t i = 0; i < p->n_files; i++) {
		const struct planned_file *f = &p->files[i];

		if (f->file == NULL || out->n + f->file->text.n > KEPT_MAX)
			continue;
		json_out_open(&j, '{');
		json_out_key(&j, "path");
		json_out_str(&j, f->path);
		json_out_key(&j, "text");
		json_out_str(&j, f->file->text);
		json_out_close(&j, '}');
	}
	json_out_close(&j, ']');
}

static bool write_synced(const char *path, struct str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool ok = f != NULL && fwrite(text.p, 1, text.n, f) == text.n && fflush(f) == 0 && fsync(fd) == 0;

	if (f != NULL)
		ok = fclose(f) == 0 && ok;
	else if (fd >= 0)
		close(fd);
	return ok;
}

void kept_write(const char *kept_path, const struct rules_plan *p)
{
	struct buf text = { 0 }, temporary = { 0 };

	put_kept(p, &text);
	buf_printf(&temporary, "%s.new", kept_path);
	if (!write_synced(buf_z(&temporary), buf_str(&text)) || rename(temporary.p, kept_path) != 0)
		log_event(LOG_WARN, "the last good versions of rule files cannot be kept for the next start", "file", kept_path, "err",
		          strerror(errno), NULL);
	buf_fini(&text);
	buf_fini(&temporary);
}
