// The workload of the bench: writes the monotonic time of its first instructions, then waits for TERM; with an
// argument it ends at once.
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void leave(int signal) { _exit(0); }

int main(int argc, char **argv) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	dprintf(1, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
	// The first process of a PID namespace gets only the signals that it asks for.
	signal(SIGTERM, leave);
	while (argc < 2)
		pause();
	return 0;
}
