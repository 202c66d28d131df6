package lifecycle

import (
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// rootOfItsOwn gives a board whose daemon has not been started a root that is a mount, which remount makes read-only and
// writable again.
func rootOfItsOwn(b *harness.Board) (remount func(flags uintptr)) {
	b.T.Helper()
	b.Must(unix.Mount(b.Root, b.Root, "", unix.MS_BIND, ""))
	return func(flags uintptr) {
		b.T.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) { // podd may be writing a file there
			err := unix.Mount("", b.Root, "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")
			return err == nil, err
		}))
	}
}

// A process that has ended counts as ended at once, with its exit code and its message, though a disk that has become
// read-only keeps what it left; and the pod goes once the disk can be written to again.
func TestEndIsShownOnAReadOnlyDisk(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	remount := rootOfItsOwn(b)
	b.LoadImages("busybox.tar")
	b.MustStart()
	const end = "trap 'echo goodbye >/dev/termination-log; exit 3' TERM; echo ready; while :; do sleep 1000 & wait $!; done"
	b.MustDrop("app", harness.OnePod("app", end))
	b.MustDrop("crash", harness.OnePod("crash", "while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 7", "restartPolicy: Never"))
	b.Running("app")
	b.Running("crash")
	b.Logged("app", "main", "ready") // it has set its trap
	remount(unix.MS_RDONLY)
	defer remount(0)
	b.MustRemove("app")
	ended := func(code int32, message string) func(*corev1.Pod) string {
		return func(p *corev1.Pod) string {
			if e := harness.ContainerStatus(p, "main").State.Terminated; e != nil && e.ExitCode == code && e.Message == message {
				return ""
			}
			return "it does not say how it has ended"
		}
	}
	b.WaitPod("app", ended(3, "goodbye\n"))
	b.Must(unix.Kill(b.PidOf("crash"), unix.SIGKILL))
	b.WaitPod("crash", ended(137, ""))
	remount(0)
	b.Gone("app")
	b.MustRemove("crash")
	b.Gone("crash")
	b.Cleared()
}
