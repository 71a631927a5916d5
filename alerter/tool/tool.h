/* Subcommands, named after promtool's and amtool's. Exit 0: good; 1: the thing checked is bad; 2: the command line is wrong. */
#ifndef TOCSIN_TOOL_H
#define TOCSIN_TOOL_H

#include "tocsin/buf.h"

bool tool_is_command(const char *word);
/* <argv>[0] is the command. */
int tool_main(int argc, char **argv);
void tool_print_help(struct buf *out);

#endif
