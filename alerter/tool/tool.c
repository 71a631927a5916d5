/* The table of subcommands. */
#include "tool.h"

#include <stdio.h>

#include "commands.h"

static const struct {
	const char *command, *what;     /* tocsin-alerter <command> <what> …; NULL: it has no second word */
	int (*run)(int argc, char **argv);
	const char *usage, *help;
} commands[] = {
	{ "check", "config", check_config, "check config FILE...", "checks configuration files and the rule files they name" },
	{ "check", "rules", check_rules, "check rules FILE...", "checks rule files" },
	{ "export", "openmetrics", export_openmetrics, "export openmetrics [SELECTOR...] [--storage.path=DIR] [--start=TIME] [--end=TIME]", "prints samples with timestamps, which import reads" },
	{ "tsdb", "analyze", tsdb_analyze, "tsdb analyze [DIR] [--storage.path=DIR] [--limit=N]", "which metrics and labels cost most, and what comes and goes" },
	{ "history", NULL, history_command, "history [MATCHER...]", "why alerts fired and ended, and what became of their messages" },
	{ "resend", NULL, resend_command, "resend [ID...]", "sends messages again that were given up; without an id, lists them" },
	{ "import", "openmetrics", import_openmetrics, "import openmetrics FILE [--storage.path=DIR]", "adds samples with timestamps to the history" },
};

bool tool_is_command(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(str_of(commands[i].command), str_of(word)))
			return true;
	return false;
}

/* Those that begin with <command>; NULL: all. */
static void print_help(struct buf *out, const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (command == NULL || str_eq(str_of(commands[i].command), str_of(command)))
			buf_printf(out, "  tocsin-alerter %s\n      %s\n", commands[i].usage, commands[i].help);
}

void tool_print_help(struct buf *out)
{
	print_help(out, NULL);
}

int tool_main(int argc, char **argv)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *what = commands[i].what;

		if (!str_eq(str_of(commands[i].command), str_of(argv[0])))
			continue;
		if (what == NULL)
			return commands[i].run(argc - 1, argv + 1);
		if (argc > 1 && str_eq(str_of(what), str_of(argv[1])))
			return commands[i].run(argc - 2, argv + 2);
	}
	print_help(&b, argv[0]);
	fprintf(stderr, "tocsin-alerter %s: what? There is:\n%s", argv[0], buf_z(&b));
	buf_fini(&b);
	return 2;
}
