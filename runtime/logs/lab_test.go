package logs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lab is a sink with pipes to write into.
type lab struct {
	t      testing.TB
	c      SinkConfig
	sink   *Sink
	rd, wr [streams]int
}

// onTmpfs gives a folder on /dev/shm, where spools belong, or any other.
func onTmpfs(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "podd-logs-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{t: t, c: SinkConfig{
		Path:     filepath.Join(t.TempDir(), "web", "0.log"),
		SpoolDir: filepath.Join(onTmpfs(t), "spool"),
		shop:     &workshop{},
	}}
	for st := range l.rd {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
		l.rd[st], l.wr[st] = p[0], p[1]
	}
	t.Cleanup(func() {
		if l.sink != nil {
			l.sink.Suspend()
		}
		l.c.shop.squeezers.Wait()
		for st := range l.rd {
			closeFD(&l.rd[st])
			closeFD(&l.wr[st])
		}
	})
	return l
}

func (l *lab) open() {
	l.t.Helper()
	s, err := OpenSink(l.c)
	if err != nil {
		l.t.Fatal(err)
	}
	l.sink = s
}

func (l *lab) say(st Stream, text string) {
	l.t.Helper()
	if n, err := unix.Write(l.wr[st], []byte(text)); err != nil || n != len(text) {
		l.t.Fatalf("cannot say %d bytes: %d, %v", len(text), n, err)
	}
}

func (l *lab) drain(st Stream) {
	l.t.Helper()
	if eof, err := l.sink.Drain(st, l.rd[st], nil); eof || err != nil {
		l.t.Fatalf("drain: %v, %v", eof, err)
	}
}

func (l *lab) close() {
	l.t.Helper()
	if err := l.sink.Close(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) dir() string { return filepath.Dir(l.c.Path) }

// root is the folder of the logs, open.
func (l *lab) root() *os.Root {
	l.t.Helper()
	return rootOf(l.t, l.dir())
}

func rootOf(t testing.TB, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func (l *lab) read(o ReadOptions) string {
	l.t.Helper()
	var out bytes.Buffer
	if err := Read(l.t.Context(), l.dir(), o, &out); err != nil {
		l.t.Fatal(err)
	}
	return out.String()
}

// raw is the current file with the time stamps replaced.
func (l *lab) raw() string {
	l.t.Helper()
	data, err := os.ReadFile(l.c.Path)
	if err != nil {
		l.t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		stamp, rest, _ := strings.Cut(line, " ")
		if at, err := time.Parse(stampFormat, stamp); err != nil || at.Format(stampFormat) != stamp {
			l.t.Fatalf("stamp %q: %v", stamp, err)
		}
		out.WriteString(rest)
	}
	return out.String()
}

// numbers gives the lines from..to-1 of a counting container.
func numbers(from, to int) string {
	var out strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&out, "line %d\n", i)
	}
	return out.String()
}

func ptr[T any](v T) *T { return &v }
