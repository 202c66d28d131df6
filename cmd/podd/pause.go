package main

/*
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
// gets as far as the Go runtime, so that it costs a few pages and no threads.
__attribute__((constructor)) static void podd_pause(int argc, char **argv) {
	struct sigaction end = {.sa_handler = podd_end};
	struct sigaction reap = {.sa_handler = podd_reap, .sa_flags = SA_NOCLDSTOP};
	if (argc != 2 || strcmp(argv[1], "pause") != 0 || getpid() != 1) {
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
