package test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// fill makes a tmpfs full: no byte and, with inodes, no file more. It returns what makes room again.
func (b *Board) fill(dir string, inodes bool) (mend func()) {
	b.t.Helper()
	b.must(os.WriteFile(filepath.Join(dir, ".fill"), make([]byte, 4096), 0o600)) // no size at all is no limit
	var st unix.Statfs_t
	b.must(unix.Statfs(dir, &st))
	options := fmt.Sprintf("size=%d", (st.Blocks-st.Bfree)*uint64(st.Bsize))
	roomy := "size=64m,nr_inodes=100000"
	if inodes {
		options = fmt.Sprintf("size=64m,nr_inodes=%d", st.Files-st.Ffree)
	}
	b.must(unix.Mount("", dir, "", unix.MS_REMOUNT, options))
	return func() { b.must(unix.Mount("", dir, "", unix.MS_REMOUNT, roomy)) }
}

// storageCondition is the node's condition of its storage, "" while all is well.
func (b *Board) storageCondition() string {
	b.t.Helper()
	var node corev1.Node
	b.must(b.Get("/api/v1/nodes/lab", &node))
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
		spoil func(b *Board, remount func(uintptr)) (mend func())
		why   string
	}{
		"run folder without room":  {func(b *Board, _ func(uintptr)) func() { return b.fill(b.Run, false) }, "no space left"},
		"run folder without files": {func(b *Board, _ func(uintptr)) func() { return b.fill(b.Run, true) }, "no space left"},
		"log folder without room":  {func(b *Board, _ func(uintptr)) func() { return b.fill(b.Logs, false) }, "no space left"},
		"log folder without files": {func(b *Board, _ func(uintptr)) func() { return b.fill(b.Logs, true) }, "no space left"},
		"root read-only": {func(_ *Board, remount func(uintptr)) func() {
			remount(unix.MS_RDONLY)
			return func() { remount(0) }
		}, "read-only file system"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEmptyBoard(t)
			remount := b.rootOfItsOwn()
			b.must(unix.Mount("logs", b.Logs, "tmpfs", 0, "size=64m"))
			b.loadImages("busybox.tar")
			b.start()
			b.drop("app", onePod("app", "echo begun; "+forever))
			before := b.running("app")
			b.logged("app", "main", "begun")
			b.kill9()
			mend := c.spoil(b, remount)
			b.start()
			b.sameContainer("app", before)
			if got := b.sh("app", "main", "echo works"); got != "works" {
				t.Errorf("exec says %q", got)
			}
			if log := b.logs("app"); !strings.Contains(log, "begun") {
				t.Errorf("the log is %q", log)
			}
			b.must(lab.Poll(limit, func() (bool, error) {
				text := b.storageCondition()
				return strings.Contains(text, c.why), fmt.Errorf("the node's condition says %q", text)
			}))
			b.happened("lab", "StorageNotReady", c.why, 1)
			b.drop("new", onePod("new", forever))
			if !strings.HasPrefix(name, "log folder without room") { // nothing of a new pod is in it before it writes
				b.wait("new", func(p *corev1.Pod) string {
					if w := containerStatus(p, "main").State.Waiting; w != nil && strings.Contains(w.Message, c.why) {
						return ""
					}
					return "it does not say why it waits"
				})
			}
			mend()
			b.running("new")
			b.must(lab.Poll(limit, func() (bool, error) {
				text := b.storageCondition()
				return text == "", fmt.Errorf("the node's condition says still: %s", text)
			}))
			b.sameContainer("app", before)
			// Whatever was not written while there was no room is there now.
			b.kill9()
			b.start()
			b.sameContainer("app", before)
			for _, pod := range []string{"app", "new"} {
				b.remove(pod)
				b.gone(pod)
			}
			b.must(lab.Poll(limit, func() (bool, error) {
				left, err := filepath.Glob(filepath.Join(b.Root, "containers/*"))
				return len(left) == 0, errors.Join(err, fmt.Errorf("left behind: %v", left))
			}))
		})
	}
}

// What goes wrong with the disk while podd runs shows in the same way, and so does its end.
func TestDiskGoesBad(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(b *Board, remount func(uintptr)) (mend func()){
		"root read-only": func(_ *Board, remount func(uintptr)) func() {
			remount(unix.MS_RDONLY)
			return func() { remount(0) }
		},
		"run folder without room": func(b *Board, _ func(uintptr)) func() { return b.fill(b.Run, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEmptyBoard(t)
			remount := b.rootOfItsOwn()
			b.loadImages("busybox.tar")
			b.start()
			b.drop("app", onePod("app", forever))
			before := b.running("app")
			mend := spoil(b, remount)
			b.drop("new", onePod("new", forever))
			b.must(lab.Poll(limit, func() (bool, error) { return b.storageCondition() != "", errors.New("the node has no condition") }))
			b.sh("app", "main", "true")
			mend()
			b.running("new")
			b.must(lab.Poll(limit, func() (bool, error) {
				text := b.storageCondition()
				return text == "", fmt.Errorf("the node's condition says still: %s", text)
			}))
			b.sameContainer("app", before)
		})
	}
}

// A board whose card is read-only from its first start, and one whose /run has no room then: podd starts, and runs its pods
// once it can write.
func TestFirstStartOnABadDisk(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(b *Board, remount func(uintptr)) (mend func()){
		"root read-only": func(_ *Board, remount func(uintptr)) func() {
			remount(unix.MS_RDONLY)
			return func() { remount(0) }
		},
		"run folder without room":  func(b *Board, _ func(uintptr)) func() { return b.fill(b.Run, false) },
		"run folder without files": func(b *Board, _ func(uintptr)) func() { return b.fill(b.Run, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEmptyBoard(t)
			remount := b.rootOfItsOwn()
			b.loadImages("busybox.tar")
			b.drop("app", onePod("app", forever))
			mend := spoil(b, remount)
			b.must(b.Start())
			b.must(lab.Poll(limit, func() (bool, error) {
				return strings.Contains(b.Output(), "podd is ready"), errors.New("podd does not start")
			}))
			mend()
			b.must(b.Ready(limit))
			b.running("app")
			if _, err := os.Stat(b.Socket); err != nil {
				t.Error(err)
			}
		})
	}
}
