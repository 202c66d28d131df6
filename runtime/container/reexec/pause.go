package reexec

/*
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void podd_reap(int sig) {
	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0) {
	}
}

static void podd_end(int sig) {
	(void)sig;
	_exit(0);
}

// The first process of a shared PID namespace: it reaps what others leave and does nothing else. It never
// gets as far as the Go runtime, so that it costs a few pages and no threads. It knows its task by its name:
// constructors get no arguments from musl.
__attribute__((constructor)) static void podd_pause(void) {
	struct sigaction end = {.sa_handler = podd_end};
	struct sigaction reap = {.sa_handler = podd_reap, .sa_flags = SA_NOCLDSTOP};
	if (getpid() != 1 || strcmp(program_invocation_name, "/pause") != 0) {
		return;
	}
	if (sigaction(SIGTERM, &end, NULL) || sigaction(SIGINT, &end, NULL) || sigaction(SIGCHLD, &reap, NULL)) {
		_exit(1);
	}
	for (;;) {
		pause();
	}
}
*/
import "C"
