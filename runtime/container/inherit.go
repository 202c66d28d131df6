package container

/*
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/keyctl.h>

// linux/ioprio.h and linux/sched.h, which musl has in part.
#define PODD_IOPRIO_WHO_PROCESS 1
#define PODD_IOPRIO_CLASS_SHIFT 13
#define PODD_SCHED_OTHER 0
#define PODD_KEY_POSSESSOR_ALL 0x3f000000 // linux/key.h: KEY_POS_ALL

// The kernel's default (init_task), in nanoseconds.
#define PODD_TIMER_SLACK 50000

// A container's init, and what is executed in a container, are made by fork: they would have of the daemon what execve(2)
// keeps. The service manager gives some of it to the daemon on purpose (Nice=, CPUSchedulingPolicy=, IOSchedulingClass=,
// TimerSlackNSec=); none of it is meant for the pods. It is done before nsexec, which enters the container's user namespace:
// there, no privilege is left for it. libcontainer resets the CPU affinity.
//
// A container's processes share a session keyring of their own: one that was inherited would be the daemon's and so
// common to all containers. It has no name, and nobody but who has it may use it: a named one, as runc has it, can be
// joined from other containers. Where the kernel gives none, because root has as many keys as kernel.keys.root_maxkeys
// or there are no keys, the daemon's, which cannot be used, stays (cmd/podd/internal/daemon/inherit.go); what is executed in a
// container has that one too.
__attribute__((constructor(1000))) static void podd_shed_daemon(void) {
	const char *type = getenv("_LIBCONTAINER_INITTYPE");
	long ring;
	if (!type) {
		return;
	}
	if (syscall(SYS_sched_getscheduler, 0) != PODD_SCHED_OTHER) {
		int priority = 0;
		syscall(SYS_sched_setscheduler, 0, PODD_SCHED_OTHER, &priority);
	}
	if (getpriority(PRIO_PROCESS, 0) != 0) {
		setpriority(PRIO_PROCESS, 0, 0);
	}
	if (syscall(SYS_ioprio_get, PODD_IOPRIO_WHO_PROCESS, 0) >> PODD_IOPRIO_CLASS_SHIFT != 0) {
		syscall(SYS_ioprio_set, PODD_IOPRIO_WHO_PROCESS, 0, 0);
	}
	if (prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) != PODD_TIMER_SLACK) {
		prctl(PR_SET_TIMERSLACK, PODD_TIMER_SLACK, 0, 0, 0);
	}
	if (strcmp(type, "standard") == 0) {
		ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
		if (ring > 0) {
			syscall(SYS_keyctl, KEYCTL_SETPERM, ring, PODD_KEY_POSSESSOR_ALL);
		}
	}
}
*/
import "C"
