package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// fill makes a tmpfs full: no byte and, with inodes, no file more. It returns what makes room again.
func fill(b *harness.Board, dir string, inodes bool) (mend func()) {
	b.T.Helper()
	b.Must(os.WriteFile(filepath.Join(dir, ".fill"), make([]byte, 4096), 0o600)) // no size at all is no limit
	var st unix.Statfs_t
	b.Must(unix.Statfs(dir, &st))
	options := fmt.Sprintf("size=%d", (st.Blocks-st.Bfree)*uint64(st.Bsize))
	roomy := "size=64m,nr_inodes=100000"
	if inodes {
		options = fmt.Sprintf("size=64m,nr_inodes=%d", st.Files-st.Ffree)
	}
	b.Must(unix.Mount("", dir, "", unix.MS_REMOUNT, options))
	return func() { b.Must(unix.Mount("", dir, "", unix.MS_REMOUNT, roomy)) }
}

// storageCondition is the node's condition of its storage, "" while all is well.
func storageCondition(b *harness.Board) string {
	b.T.Helper()
	var node corev1.Node
	b.Must(b.Get("/api/v1/nodes/lab", &node))
	for _, c := range node.Status.Conditions {
		if c.Type == "podd.dev/StorageReady" && c.Status == corev1.ConditionFalse {
			return c.Message
		}
	}
	return ""
}

// The usual death of a card is that it becomes read-only, and that of /run that something fills it. podd starts all the same:
// what runs is seen and can be worked with, what is new waits and says why, and goes on when there is room again.
func TestStartOnABadDisk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(b *harness.Board, remount func(uintptr)) (mend func())
		why   string
	}{
		"run folder without room":  {func(b *harness.Board, _ func(uintptr)) func() { return fill(b, b.Run, false) }, "no space left"},
		"run folder without files": {func(b *harness.Board, _ func(uintptr)) func() { return fill(b, b.Run, true) }, "no space left"},
		"log folder without room":  {func(b *harness.Board, _ func(uintptr)) func() { return fill(b, b.Logs, false) }, "no space left"},
		"log folder without files": {func(b *harness.Board, _ func(uintptr)) func() { return fill(b, b.Logs, true) }, "no space left"},
		"root read-only": {func(_ *harness.Board, remount func(uintptr)) func() {
			remount(unix.MS_RDONLY)
			return func() { remount(0) }
		}, "read-only file system"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewEmptyBoard(t)
			remount := rootOfItsOwn(b)
			b.Must(unix.Mount("logs", b.Logs, "tmpfs", 0, "size=64m"))
			b.LoadImages("busybox.tar")
			b.MustStart()
			b.MustDrop("app", harness.OnePod("app", "echo begun; "+harness.Forever))
			before := b.Running("app")
			b.Logged("app", "main", "begun")
			b.MustKill9()
			mend := c.spoil(b, remount)
			b.MustStart()
			b.SameContainer("app", before)
			if got := b.Sh("app", "main", "echo works"); got != "works" {
				t.Errorf("exec says %q", got)
			}
			if log := b.LogsOf("app"); !strings.Contains(log, "begun") {
				t.Errorf("the log is %q", log)
			}
			b.Must(lab.Poll(harness.Limit, func() (bool, error) {
				text := storageCondition(b)
				return strings.Contains(text, c.why), fmt.Errorf("the node's condition says %q", text)
			}))
			b.Happened("lab", "StorageNotReady", c.why, 1)
			b.MustDrop("new", harness.OnePod("new", harness.Forever))
			if !strings.HasPrefix(name, "log folder without room") { // nothing of a new pod is in it before it writes
				b.WaitPod("new", func(p *corev1.Pod) string {
					if w := harness.ContainerStatus(p, "main").State.Waiting; w != nil && strings.Contains(w.Message, c.why) {
						return ""
					}
					return "it does not say why it waits"
				})
			}
			mend()
			b.Running("new")
			b.Must(lab.Poll(harness.Limit, func() (bool, error) {
				text := storageCondition(b)
				return text == "", fmt.Errorf("the node's condition says still: %s", text)
			}))
			b.SameContainer("app", before)
			// Whatever was not written while there was no room is there now.
			b.MustKill9()
			b.MustStart()
			b.SameContainer("app", before)
			for _, pod := range []string{"app", "new"} {
				b.MustRemove(pod)
				b.Gone(pod)
			}
			b.Must(lab.Poll(harness.Limit, func() (bool, error) {
				left, err := filepath.Glob(filepath.Join(b.Root, "containers/*"))
				return len(left) == 0, errors.Join(err, fmt.Errorf("left behind: %v", left))
			}))
		})
	}
}

// What goes wrong with the disk while podd runs shows in the same way, and so does its end.
func TestDiskGoesBad(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(b *harness.Board, remount func(uintptr)) (mend func()){
		"root read-only": func(_ *harness.Board, remount func(uintptr)) func() {
			remount(unix.MS_RDONLY)
			return func() { remount(0) }
		},
		"run folder without room": func(b *harness.Board, _ func(uintptr)) func() { return fill(b, b.Run, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewEmptyBoard(t)
			remount := rootOfItsOwn(b)
			b.LoadImages("busybox.tar")
			b.MustStart()
			b.MustDrop("app", harness.OnePod("app", harness.Forever))
			before := b.Running("app")
			mend := spoil(b, remount)
			b.MustDrop("new", harness.OnePod("new", harness.Forever))
			b.Must(lab.Poll(harness.Limit, func() (bool, error) { return storageCondition(b) != "", errors.New("the node has no condition") }))
			b.Sh("app", "main", "true")
			mend()
			b.Running("new")
			b.Must(lab.Poll(harness.Limit, func() (bool, error) {
				text := storageCondition(b)
				return text == "", fmt.Errorf("the node's condition says still: %s", text)
			}))
			b.SameContainer("app", before)
		})
	}
}

// A board whose card is read-only from its first start, and one whose /run has no room then: podd starts, and runs its pods
// once it can write.
func TestFirstStartOnABadDisk(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(b *harness.Board, remount func(uintptr)) (mend func()){
		"root read-only": func(_ *harness.Board, remount func(uintptr)) func() {
			remount(unix.MS_RDONLY)
			return func() { remount(0) }
		},
		"run folder without room":  func(b *harness.Board, _ func(uintptr)) func() { return fill(b, b.Run, false) },
		"run folder without files": func(b *harness.Board, _ func(uintptr)) func() { return fill(b, b.Run, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewEmptyBoard(t)
			remount := rootOfItsOwn(b)
			b.LoadImages("busybox.tar")
			b.MustDrop("app", harness.OnePod("app", harness.Forever))
			mend := spoil(b, remount)
			b.Must(b.Start())
			b.Must(lab.Poll(harness.Limit, func() (bool, error) {
				return strings.Contains(b.Output(), "podd is ready"), errors.New("podd does not start")
			}))
			mend()
			b.Must(b.Ready(harness.Limit))
			b.Running("app")
			if _, err := os.Stat(b.Socket); err != nil {
				t.Error(err)
			}
		})
	}
}
