package daemon

/*
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/keyctl.h>

#define PODD_PERSONALITY_MASK 0xff // linux/personality.h: PER_MASK

// is_daemon reads the arguments of the process: constructors get none from musl.
static int is_daemon(void) {
	char args[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n;
	char *arg;
	if (fd < 0) {
		return 0;
	}
	n = read(fd, args, sizeof(args) - 1);
	close(fd);
	if (n <= 0) {
		return 0;
	}
	args[n] = 0;
	for (arg = args + strlen(args) + 1; arg < args + n; arg += strlen(arg) + 1) {
		if (strcmp(arg, "--socket") == 0) {
			arg += strlen(arg) + 1; // its value
		} else if (arg[0] != '-') {
			return strcmp(arg, "run") == 0;
		}
	}
	return 0;
}

// What the daemon has from whoever started it would go on to every container: a shell's umask and keyring, ignored and
// blocked signals of nohup or of a background job, a debugger's fixed addresses. It is set before there are threads, as the
// kernel keeps most of it for each thread alone.
__attribute__((constructor)) static void podd_forget_starter(void) {
	sigset_t none;
	long ring;
	int sig, persona;
	if (!is_daemon()) {
		return;
	}
	umask(022);
	for (sig = 1; sig <= 64; sig++) {
		// The kernel's own call and layout: a C library keeps some signals to itself.
		struct { void *handler; unsigned long flags; void *restorer; unsigned char mask[8]; } action, dflt;
		memset(&dflt, 0, sizeof(dflt));
		if (syscall(SYS_rt_sigaction, sig, NULL, &action, sizeof(action.mask)) == 0 && action.handler == (void *)SIG_IGN) {
			syscall(SYS_rt_sigaction, sig, &dflt, NULL, sizeof(dflt.mask));
		}
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	persona = personality(0xffffffff);
	if (persona != -1 && (persona & ~PODD_PERSONALITY_MASK)) {
		personality(persona & PODD_PERSONALITY_MASK);
	}
	syscall(SYS_set_mempolicy, 0, NULL, 0); // MPOL_DEFAULT
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	// A session keyring that nobody can use: who has none at all has root's instead (man 7 user-session-keyring).
	ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (ring > 0) {
		syscall(SYS_keyctl, KEYCTL_REVOKE, ring);
	}
}
*/
import "C"
