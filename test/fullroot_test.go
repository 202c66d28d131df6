package test

import (
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// rootOfItsOwn gives a board whose daemon has not been started a root that is a mount, which remount makes read-only and
// writable again.
func (b *Board) rootOfItsOwn() (remount func(flags uintptr)) {
	b.t.Helper()
	b.must(unix.Mount(b.Root, b.Root, "", unix.MS_BIND, ""))
	return func(flags uintptr) {
		b.t.Helper()
		b.must(lab.Poll(limit, func() (bool, error) { // podd may be writing a file there
			err := unix.Mount("", b.Root, "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")
			return err == nil, err
		}))
	}
}

// A process that has ended counts as ended at once, with its exit code and its message, though a disk that has become
// read-only keeps what it left; and the pod goes once the disk can be written to again.
func TestEndIsShownOnAReadOnlyDisk(t *testing.T) {
	t.Parallel()
	b := newEmptyBoard(t)
	remount := b.rootOfItsOwn()
	b.loadImages("busybox.tar")
	b.start()
	const end = "trap 'echo goodbye >/dev/termination-log; exit 3' TERM; while :; do sleep 1000 & wait $!; done"
	b.drop("app", onePod("app", end))
	b.drop("crash", onePod("crash", "while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 7", "restartPolicy: Never"))
	b.running("app")
	b.running("crash")
	remount(unix.MS_RDONLY)
	defer remount(0)
	b.remove("app")
	ended := func(code int32, message string) func(*corev1.Pod) string {
		return func(p *corev1.Pod) string {
			if e := containerStatus(p, "main").State.Terminated; e != nil && e.ExitCode == code && e.Message == message {
				return ""
			}
			return "it does not say how it has ended"
		}
	}
	b.wait("app", ended(3, "goodbye\n"))
	b.must(unix.Kill(b.pidOf("crash"), unix.SIGKILL))
	b.wait("crash", ended(137, ""))
	remount(0)
	b.gone("app")
	b.remove("crash")
	b.gone("crash")
	b.cleared()
}
