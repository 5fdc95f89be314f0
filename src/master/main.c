/*
 * cgthread - pre-fork WSGI server: the master.
 *
 * Reading order: master.c wires it; herd.c keeps the workers, child.c is one of
 * them; spawn.c starts it; listener.c has the sockets.
 */
#include <stdbool.h>
#include <stdio.h>

#include "command_line.h"
#include "master.h"
#include "surroundings.h"
#include "title.h"

#define EXIT_NO_OUTPUT 1
#define EXIT_USAGE     2

/* Has all that was printed been written? */
static bool
flush_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return (true);
	perror("cgthread: standard output");
	return (false);
}

int
main(int argc, char *argv[])
{
	enum command_line_result result;
	struct command_line cl;
	struct config *cfg = NULL;
	int status = EXIT_USAGE;

	title_init(argc, argv);
	surroundings_init();
	result = command_line_parse(&cl, argc, argv, stdout, stderr);
	if (result == COMMAND_LINE_DONE)
		status = 0;
	else if (result == COMMAND_LINE_GO)
		cfg = command_line_config(&cl, stderr);

	if (cfg != NULL && cl.print_config) {
		config_print(cfg, true, stdout);
		status = 0;
	} else if (cfg != NULL) {
		status = cl.check ? master_check(cfg) : master_run(cfg);
	}
	if (!flush_output() && status == 0)
		status = EXIT_NO_OUTPUT;
	config_free(&cfg);
	command_line_fini(&cl);
	return (status);
}
