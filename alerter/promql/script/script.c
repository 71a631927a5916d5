/* The commands of a script, line by line. An empty line ends a block. */
#include "script.h"

#include "scan.h"
#include "script_inside.h"
#include "tocsin/num.h"

struct script {
	struct str file, rest;
	int line_no;
	struct str line;                /* at hand: trimmed, empty where a comment stands */
	bool comment;
	struct ram *ram;
	struct arena arena;             /* of the command at hand */
	const struct promql_options *options;
	struct script_report *report;
};

static bool next_line(struct script *s)
{
	if (!str_cut(&s->rest, '\n', &s->line))
		return false;
	s->line_no++;
	s->line = str_trim(s->line);
	s->comment = str_starts(s->line, STR("#"));
	if (s->comment)
		s->line.n = 0;
	return true;
}

/* The next line of a block; false at its end. Comments within do not end it. */
static bool block_line(struct script *s)
{
	do {
		if (!next_line(s))
			return false;
	} while (s->comment);
	return s->line.n > 0;
}

static void fail(struct script *s, int line, struct str what, const char *why)
{
	s->report->failed++;
	buf_printf(&s->report->text, STR_FMT ":%d: " STR_FMT ": %s\n", STR_ARG(s->file), line, STR_ARG(what), why);
}

static struct str cut_word(struct str *text)
{
	size_t n = 0;
	struct str word;

	*text = str_trim(*text);
	while (n < text->n && text->p[n] != ' ' && text->p[n] != '\t')
		n++;
	word = (struct str){ text->p, n };
	*text = str_trim((struct str){ text->p + n, text->n - n });
	return word;
}

/* "5m", "-1m", "300" (seconds). */
static bool read_time(struct str word, int64_t *out_ms)
{
	bool minus = str_starts(word, STR("-"));
	double seconds;

	if (minus)
		word = (struct str){ word.p + 1, word.n - 1 };
	if (!num_parse_duration_ms(word, out_ms)) {
		if (!str_to_double(word, &seconds) || !(seconds < 1e12))
			return false;
		*out_ms = (int64_t)(seconds * 1000);
	}
	*out_ms = minus ? -*out_ms : *out_ms;
	return true;
}

static void run_load(struct script *s, struct str args, bool nhcb)
{
	struct load load = { .ram = s->ram, .arena = &s->arena, .nhcb = nhcb };
	struct err e = { 0 };
	int line = s->line_no;

	if (!read_time(cut_word(&args), &load.step_ms) || load.step_ms <= 0) {
		fail(s, line, s->line, "expected a positive duration");
		return;
	}
	while (block_line(s))
		if (!script_load_line(&load, s->line, &e)) {
			fail(s, s->line_no, s->line, e.msg);
			return;
		}
	if (nhcb)
		script_load_nhcb(&load);
}

static bool add_text(struct script *s, struct eval_command *c, enum note_rule rule, struct str text)
{
	struct expected_text t = { .rule = rule };

	if (str_starts(text, STR("msg:")))
		t.text = str_trim((struct str){ text.p + 4, text.n - 4 });
	else if ((t.is_regex = str_starts(text, STR("regex:"))))
		t.text = str_trim((struct str){ text.p + 6, text.n - 6 });
	else if (text.n > 0)
		return false;
	c->texts = arena_grow(&s->arena, c->texts, c->n_texts, &c->cap_texts, c->n_texts + 1, sizeof *c->texts);
	c->texts[c->n_texts++] = t;
	c->fails |= rule == RULE_FAIL;
	return true;
}

static bool expect_string(struct script *s, struct eval_command *c, struct str text)
{
	struct scan scan = { text, 0 };

	c->string_set = true;
	return scan_quoted(&scan, &s->arena, &c->string);
}

/* "vector from A to B step S" */
static bool expect_matrix(struct eval_command *c, struct str text)
{
	int64_t end;

	c->matrix = true;
	return str_eq(cut_word(&text), STR("vector")) && str_eq(cut_word(&text), STR("from")) &&
	       read_time(cut_word(&text), &c->matrix_start_ms) && str_eq(cut_word(&text), STR("to")) && read_time(cut_word(&text), &end) &&
	       str_eq(cut_word(&text), STR("step")) && read_time(cut_word(&text), &c->matrix_step_ms) && c->matrix_step_ms > 0;
}

static bool read_expect(struct script *s, struct eval_command *c, struct str text)
{
	struct str word = cut_word(&text);

	if (str_eq(word, STR("fail")))
		return add_text(s, c, RULE_FAIL, text);
	if (str_eq(word, STR("warn")))
		return add_text(s, c, RULE_WARN, text);
	if (str_eq(word, STR("info")))
		return add_text(s, c, RULE_INFO, text);
	if (str_eq(word, STR("string")))
		return expect_string(s, c, text);
	if (str_eq(word, STR("range")))
		return expect_matrix(c, text);
	c->ordered |= str_eq(word, STR("ordered"));
	c->no_warn |= str_eq(word, STR("no_warn"));
	c->no_info |= str_eq(word, STR("no_info"));
	return str_eq(word, STR("ordered")) || str_eq(word, STR("no_warn")) || str_eq(word, STR("no_info"));
}

static bool read_series(struct script *s, struct eval_command *c, struct str text, struct err *e)
{
	struct expected_series x = { 0 };
	struct notation_value *v = NULL;
	double number;

	if (!c->range && str_to_double(text, &number)) {
		v = ARENA_NEW(&s->arena, struct notation_value);
		*v = (struct notation_value){ .kind = NOTATION_FLOAT, .v = number };
		x.n = 1;
		c->scalar = true;
	} else if (!notation_read_labels(&s->arena, &text, &x.labels, e) || !notation_read_values(&s->arena, text, &v, &x.n, e)) {
		return false;
	}
	x.v = v;
	c->series = arena_grow(&s->arena, c->series, c->n_series, &c->cap_series, c->n_series + 1, sizeof *c->series);
	c->series[c->n_series++] = x;
	return true;
}

static bool read_expected(struct script *s, struct eval_command *c, struct err *e)
{
	struct str rest = s->line, word = cut_word(&rest);

	if (str_eq(word, STR("expect")))
		return read_expect(s, c, rest) || err_set(e, ERR_SYNTAX, -1, "unknown expectation");
	if (str_eq(word, STR("expected_fail_message")) || str_eq(word, STR("expected_fail_regexp"))) {
		c->texts = arena_grow(&s->arena, c->texts, c->n_texts, &c->cap_texts, c->n_texts + 1, sizeof *c->texts);
		c->texts[c->n_texts++] = (struct expected_text){ RULE_FAIL, rest, word.n == STR("expected_fail_regexp").n };
		return true;
	}
	return read_series(s, c, s->line, e);
}

/* "instant [at T] EXPR" | "range from A to B step S EXPR" */
static bool read_eval(struct eval_command *c, struct str text)
{
	struct str kind = cut_word(&text), after = text;

	c->range = str_eq(kind, STR("range"));
	if (c->range) {
		if (!str_eq(cut_word(&text), STR("from")) || !read_time(cut_word(&text), &c->start_ms) || !str_eq(cut_word(&text), STR("to")) ||
		    !read_time(cut_word(&text), &c->end_ms) || !str_eq(cut_word(&text), STR("step")) || !read_time(cut_word(&text), &c->step_ms))
			return false;
	} else if (!str_eq(kind, STR("instant"))) {
		return false;
	} else if (str_eq(cut_word(&after), STR("at"))) {
		if (!read_time(cut_word(&after), &c->start_ms))
			return false;
		text = after;
	}
	c->expr = text;
	return text.n > 0;
}

static void run_eval(struct script *s, struct str args, struct str flavour)
{
	struct eval_command c = { .line = s->line_no };
	struct str line = s->line;
	struct buf why = { 0 };
	struct err e = { 0 };

	if (!read_eval(&c, args)) {
		fail(s, c.line, line, "expected: eval instant at TIME EXPR, or eval range from A to B step S EXPR");
		return;
	}
	c.fails = str_eq(flavour, STR("_fail"));
	c.ordered = str_eq(flavour, STR("_ordered"));
	if (str_eq(flavour, STR("_warn")))
		add_text(s, &c, RULE_WARN, STR(""));
	if (str_eq(flavour, STR("_info")))
		add_text(s, &c, RULE_INFO, STR(""));
	while (block_line(s))
		if (!read_expected(s, &c, &e)) {
			fail(s, s->line_no, s->line, e.msg);
			return;
		}
	if (script_eval(&c, ram_querier(s->ram), s->options, &s->arena, &why))
		s->report->passed++;
	else
		fail(s, c.line, c.expr, buf_z(&why));
	buf_fini(&why);
}

static void run_command(struct script *s)
{
	struct str rest = s->line, word = cut_word(&rest);

	if (str_eq(word, STR("clear")))
		ram_clear(s->ram);
	else if (str_eq(word, STR("load")) || str_eq(word, STR("load_with_nhcb")))
		run_load(s, rest, word.n > 4);
	else if (str_starts(word, STR("eval")))
		run_eval(s, rest, (struct str){ word.p + 4, word.n - 4 });
	else
		fail(s, s->line_no, s->line, "unknown command");
}

void script_run(struct str file, struct str text, const struct promql_options *options, struct script_report *report)
{
	static const struct promql_options usual = {
		.features = PROMQL_ALL_FEATURES & ~(unsigned)PROMQL_TYPE_AND_UNIT_LABELS,
		.limits.max_samples = 10000,
	};
	struct script s = { .file = file, .rest = text, .ram = ram_new(), .report = report, .options = options != NULL ? options : &usual };

	while (next_line(&s)) {
		if (s.line.n > 0)
			run_command(&s);
		arena_reset(&s.arena);
	}
	arena_fini(&s.arena);
	ram_free(s.ram);
}
