/*
 * cgthread-worker - serves a WSGI application; started by cgthread, with all
 * that it needs in its heritage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "fd.h"
#include "heritage.h"
#include "log.h"
#include "syslog_target.h"
#include "title.h"
#include "worker.h"

static struct config *
read_config(struct heritage *heritage)
{
	struct config *cfg = config_new();

	/* The text is our own, so an error in it is the installation's: a
	 * master and a worker of two states of one version. */
	if (config_read_fd(cfg, heritage->config_fd, "heritage", stderr) != 0)
		fatalx(
		    "the master's settings cannot be read: build and install "
		    "cgthread and its worker again");
	fd_close(&heritage->config_fd);
	return (cfg);
}

static void
log_to_syslog(const struct config *cfg, int fd)
{
	struct syslog_target target;
	const char *why;

	if (syslog_target_init(&target, cfg->errorlog, cfg->syslog_facility,
		cfg->syslog_prefix, &why) == -1)
		fatalx("errorlog = %s: %s", cfg->errorlog, why);
	log_set_syslog(fd, &target);
}

int
main(int argc, char *argv[])
{
	struct heritage heritage;
	struct config *cfg;
	char name[32];

	title_init(argc, argv);
	if (heritage_import(&heritage) == -1)
		return (EXIT_FAILURE);
	cfg = read_config(&heritage);
	snprintf(name, sizeof(name), "worker %u", heritage.slot);
	title_set(name, cfg->proc_name);
	if (syslog_target_is(cfg->errorlog))
		log_to_syslog(cfg, heritage.errorlog_fd);
	log_init(name, heritage.errorlog_fd);
	log_set_level((enum log_level)cfg->loglevel);
	if (*cfg->chdir != '\0' && chdir(cfg->chdir) == -1)
		fatal("chdir %s", cfg->chdir);
	return ((int)worker_run(cfg, &heritage));
}
