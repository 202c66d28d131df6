package logs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/internal/beneath"
)

// obstacles are what a pod that has the logs mounted may put in the place of one.
var obstacles = map[string]func(path, target string) error{
	"link to a file":     func(p, target string) error { return os.Symlink(target, p) },
	"link to zeros":      func(p, _ string) error { return os.Symlink("/dev/zero", p) },
	"link to nowhere":    func(p, target string) error { return os.Symlink(target+".made", p) },
	"FIFO":               func(p, _ string) error { return unix.Mkfifo(p, 0o600) },
	"device":             func(p, _ string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
	"folder":             func(p, _ string) error { return os.Mkdir(p, 0o700) },
	"full folder":        func(p, _ string) error { return os.MkdirAll(p+"/x", 0o700) },
	"link to the kernel": func(p, _ string) error { return os.Symlink("/proc/kmsg", p) },
}

const hostsLine = "2026-01-01T00:00:01.000000000Z stdout F of the board\n"

// hostsFile is a file of the board in the form of a log.
func hostsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts.log")
	if err := os.WriteFile(path, []byte(hostsLine), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func checkHostsFile(t *testing.T, path string) {
	t.Helper()
	if data, err := os.ReadFile(path); string(data) != hostsLine || err != nil {
		t.Errorf("the board's file has become %q, %v", data, err)
	}
	if _, err := os.Lstat(path + ".made"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made on the board: %v", err)
	}
}

func eachObstacle(t *testing.T, do func(t *testing.T, put func(path string), target string)) {
	for name, make := range obstacles {
		t.Run(name, func(t *testing.T) {
			target := hostsFile(t)
			do(t, func(path string) {
				if err := make(path, target); errors.Is(err, unix.EPERM) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
			}, target)
			checkHostsFile(t, target)
		})
	}
}

// TestReadOpensOnlyLogs: what a pod has put in a log's place is an error in words, at once, and nothing of it is shown.
func TestReadOpensOnlyLogs(t *testing.T) {
	for _, name := range []string{"0.log", "0.log.20260101-000000", "0.log.20260101-000000.gz"} {
		eachObstacle(t, func(t *testing.T, put func(string), _ string) {
			dir := t.TempDir()
			put(filepath.Join(dir, name))
			for _, o := range []ReadOptions{{}, {Follow: true}, {TailLines: ptr(int64(3))}} {
				var out strings.Builder
				err := Read(t.Context(), dir, o, &out)
				if !errors.Is(err, beneath.ErrNotRegular) || !strings.Contains(err.Error(), name+": it is ") || out.Len() > 0 {
					t.Errorf("%+v: %q, %v", o, out.String(), err)
				}
			}
			if text, err := Tail(dir, 0, 100, 10); err == nil || text != "" {
				t.Errorf("the end: %q, %v", text, err)
			}
		})
	}
}

// TestFoldersOfLogsAreNoLinks: neither the container's folder nor the pod's may lead to another pod's, or out.
func TestFoldersOfLogsAreNoLinks(t *testing.T) {
	other := logOf(t, [2]string{"0.log", "stdout F of another\n"})
	for _, link := range []string{"pod", "pod/web"} {
		l := newLab(t)
		root := t.TempDir()
		l.c.Path = filepath.Join(root, "pod", "web", "0.log")
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o700); err != nil {
			t.Fatal(err)
		}
		target := other
		if link == "pod" {
			target = filepath.Dir(other)
			l.c.Path = filepath.Join(root, "pod", filepath.Base(other), "0.log")
		}
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(filepath.Join(other, "0.log"))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []ReadOptions{{}, {Follow: true}} {
			var out strings.Builder
			if err := Read(t.Context(), l.dir(), o, &out); !errors.Is(err, beneath.ErrNotFolder) || out.Len() > 0 {
				t.Errorf("%s: %q, %v", link, out.String(), err)
			}
		}
		l.open()
		l.say(Stdout, "mine\n")
		l.drain(Stdout)
		if after, _ := os.ReadFile(filepath.Join(other, "0.log")); string(after) != string(before) {
			t.Errorf("%s: the other's log has become %q", link, after)
		}
		l.close()
		if got := l.read(ReadOptions{}); got != "mine\n" {
			t.Errorf("%s: read %q", link, got)
		}
	}
}

// TestSinkWritesOnlyLogs: the sink writes through no link and waits for no reader; the log goes on in a file of its own.
func TestSinkWritesOnlyLogs(t *testing.T) {
	eachObstacle(t, func(t *testing.T, put func(string), _ string) {
		for _, running := range []bool{false, true} {
			l := newLab(t)
			if err := os.Mkdir(l.dir(), 0o700); err != nil {
				t.Fatal(err)
			}
			want := ""
			if running {
				l.open()
				l.say(Stdout, "before\n")
				l.drain(Stdout)
				if err := os.Remove(l.c.Path); err != nil {
					t.Fatal(err)
				}
			}
			put(l.c.Path)
			if !running {
				l.open()
			}
			l.say(Stdout, "after\n")
			want += "after\n"
			l.drain(Stdout)
			l.close()
			if got := l.read(ReadOptions{}); got != want {
				t.Errorf("running %t: read %q", running, got)
			}
		}
	})
}

// TestRotationTouchesOnlyLogs: what stands in the place of rotated files, and of those that compression writes, is not
// opened, not written through, and keeps nothing else from being rotated.
func TestRotationTouchesOnlyLogs(t *testing.T) {
	for _, name := range []string{"0.log.20200101-000000", "0.log.20200101-000000.gz", "0.log.20200101-000000.tmp"} {
		eachObstacle(t, func(t *testing.T, put func(string), _ string) {
			l := newLab(t)
			l.c.MaxSize, l.c.MaxFiles = 1, 10
			l.open()
			put(filepath.Join(l.dir(), name))
			for i := range 4 {
				l.say(Stdout, numbers(i, i+1))
				l.drain(Stdout)
				l.c.shop.squeezers.Wait()
			}
			l.close()
			rotated, err := listRotated(l.root(), "0.log")
			if err != nil {
				t.Fatal(err)
			}
			compressed := 0
			for _, r := range rotated {
				if r.isGzip && !r.isPlain && !strings.HasPrefix(r.stamp, "2020") {
					compressed++
				}
			}
			if compressed == 0 {
				t.Errorf("nothing was compressed: %+v", rotated)
			}
		})
	}
}

// TestCompressionReplacesNoLink: the copy is written under a name that a pod may have taken.
func TestCompressionReplacesNoLink(t *testing.T) {
	eachObstacle(t, func(t *testing.T, put func(string), _ string) {
		dir := logOf(t, [2]string{"0.log.20260101-000000", "stdout F a\n"})
		put(filepath.Join(dir, "0.log.20260101-000000.tmp"))
		if err := squeeze(rootOf(t, dir), "0.log.20260101-000000"); err == nil {
			t.Error("it was written")
		}
	})
}

// TestReadOfAnEndlessLogEnds: a pod may make its log as large as it likes, and costs no more than who waits for it.
func TestReadOfAnEndlessLogEnds(t *testing.T) {
	dir := logOf(t, [2]string{"0.log", "stdout F a\n"})
	if err := os.Truncate(filepath.Join(dir, "0.log"), 1<<42); err != nil {
		t.Fatal(err)
	}
	for _, o := range []ReadOptions{{}, {Follow: true}, {TailLines: ptr(int64(3))}} {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- Read(ctx, dir, o, io.Discard) }()
		cancel()
		<-result // or the test never ends
	}
	if err := os.Truncate(filepath.Join(dir, "0.log"), 0); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "0.log.20260101-000000")
	if err := errors.Join(os.WriteFile(old, nil, 0o600), os.Truncate(old, 1<<42)); err != nil {
		t.Fatal(err)
	}
	if err := squeeze(rootOf(t, dir), filepath.Base(old)); err == nil {
		t.Error("a file without data was compressed")
	}
}
