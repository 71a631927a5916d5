/* The bodies of the subcommands; <argv> begins behind their names. Private to tool/. */
#ifndef TOCSIN_TOOL_COMMANDS_H
#define TOCSIN_TOOL_COMMANDS_H

#include <stdbool.h>

int check_config(int argc, char **argv);        /* check.c */
int check_rules(int argc, char **argv);
int import_openmetrics(int argc, char **argv);  /* import.c */
int export_openmetrics(int argc, char **argv);  /* export.c */
int tsdb_analyze(int argc, char **argv);        /* analyze.c */
struct store;
struct err;
/* False and <e>: something of the store proved to be damaged; the log named it. (analyze.c) */
bool tool_is_sound(struct store *, struct err *e);
int history_command(int argc, char **argv);     /* history.c */
int resend_command(int argc, char **argv);      /* resend.c */

#endif
