package logs

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallTmpfs mounts a tmpfs in a mount namespace of the thread's own; thread and
// namespace end with the test's goroutine.
func smallTmpfs(t *testing.T, dir, size string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a tmpfs")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skipf("needs a mount namespace: %v", err)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("small", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill takes all room on the filesystem of dir and returns how to give it back.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, unix.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// lossIn cuts the records about lost bytes out of what was read and sums them up.
func lossIn(t *testing.T, read string) (rest string, lost int) {
	t.Helper()
	notice := regexp.MustCompile(`(?m)^podd: (\d+) bytes of this stream are lost: .*\n`)
	for _, m := range notice.FindAllStringSubmatch(read, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		lost += n
	}
	return notice.ReplaceAllString(read, ""), lost
}

// TestFullDisk fills the filesystem of the log for a time that is short enough for
// the spool.
func TestFullDisk(t *testing.T) {
	l := newLab(t)
	smallTmpfs(t, l.dir(), "256k")
	l.open()
	l.say(Stdout, numbers(0, 100))
	l.drain(Stdout)
	empty := fill(t, l.dir())
	errs := 0
	for i := 1; i < 20; i++ {
		l.say(Stdout, numbers(i*100, i*100+100))
		if eof, err := l.sink.Drain(Stdout, l.rd[Stdout], nil); eof {
			t.Fatal("a full disk ends the stream")
		} else if err != nil {
			if errs++; !errors.Is(err, unix.ENOSPC) {
				t.Errorf("error %v", err)
			}
		}
	}
	if errs != 1 {
		t.Errorf("told %d times", errs)
	}
	if err := l.sink.Close(); err == nil {
		t.Error("closed with lines that are not in the log")
	}
	empty()
	if err := l.sink.Flush(); err != nil {
		t.Fatal(err)
	}
	l.close()
	if got := l.read(ReadOptions{}); got != numbers(0, 2000) {
		t.Errorf("%d bytes are read of %d", len(got), len(numbers(0, 2000)))
	}
}

// TestFullDiskForLong drops the oldest lines when the spool has its share, and tells
// how many bytes that were; also when it is another process that tells.
func TestFullDiskForLong(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(strconv.FormatBool(restart), func(t *testing.T) {
			l := newLab(t)
			l.c.SpoolMax = 100 << 10
			smallTmpfs(t, l.dir(), "8m")
			l.open()
			l.say(Stdout, "begin\n")
			l.drain(Stdout)
			empty := fill(t, l.dir())
			said := "begin\n"
			for i := range 40 {
				text := numbers(i*1000, i*1000+1000)
				said += text
				l.say(Stdout, text)
				l.sink.Drain(Stdout, l.rd[Stdout], nil)
				if size := l.sink.size[Stdout]; size > 2*l.c.SpoolMax+2*chunk {
					t.Fatalf("spool has %d bytes", size)
				}
			}
			if restart {
				l.sink.Suspend()
				l.open()
			}
			empty()
			l.say(Stdout, "end\n")
			l.drain(Stdout)
			l.close()
			checkLoss(t, l.read(ReadOptions{}), said+"end\n", int(l.c.SpoolMax/2))
		})
	}
}

// checkLoss holds what was read against what was said: it is all there but a piece
// in the middle, whole lines, of which the log tells the size.
func checkLoss(t *testing.T, read, said string, kept int) {
	t.Helper()
	rest, lost := lossIn(t, read)
	if lost == 0 || lost+len(rest) != len(said) {
		t.Errorf("said %d bytes, read %d, told of %d lost ones", len(said), len(rest), lost)
	}
	begin, end, _ := strings.Cut(rest, "begin\n")
	if begin != "" || !strings.HasSuffix(said, "\n"+end) {
		t.Error("what is read is not the beginning and the end of what was said")
	}
	if len(end) < kept*9/10 {
		t.Errorf("only %d bytes are kept", len(end))
	}
}

// TestFullSpool has no room for the spool: lines go past it.
func TestFullSpool(t *testing.T) {
	l := newLab(t)
	smallTmpfs(t, filepath.Dir(l.c.SpoolDir), "64k")
	l.open()
	l.say(Stdout, "before\nbeg")
	l.drain(Stdout)
	empty := fill(t, filepath.Dir(l.c.SpoolDir))
	want, errs := "before\nbegun ", 0
	l.say(Stdout, "un ")
	for i := range 10 {
		text := numbers(i*2000, i*2000+2000)
		want += text
		l.say(Stdout, text)
		for range 2 {
			if eof, err := l.sink.Drain(Stdout, l.rd[Stdout], nil); eof {
				t.Fatal("a full spool ends the stream")
			} else if err != nil {
				errs++
			}
		}
	}
	if errs != 1 {
		t.Errorf("told %d times", errs)
	}
	empty()
	l.say(Stdout, "after\n")
	l.drain(Stdout)
	l.close()
	if got := l.read(ReadOptions{}); got != want+"after\n" {
		t.Errorf("%d bytes are read of %d, the end is %q", len(got), len(want)+6, tailOf(got))
	}
}

// TestEverythingFull has room neither for log nor spool.
func TestEverythingFull(t *testing.T) {
	l := newLab(t)
	base := t.TempDir()
	l.c.Path, l.c.SpoolDir = filepath.Join(base, "m", "web", "0.log"), filepath.Join(base, "m", "spool")
	smallTmpfs(t, filepath.Join(base, "m"), "128k")
	l.open()
	l.say(Stdout, "begin\n")
	l.drain(Stdout)
	empty := fill(t, filepath.Join(base, "m"))
	said := "begin\n"
	for i := range 40 {
		text := numbers(i*1000, i*1000+1000)
		said += text
		l.say(Stdout, text)
		for range 2 {
			if eof, _ := l.sink.Drain(Stdout, l.rd[Stdout], nil); eof {
				t.Fatal("a full disk ends the stream")
			}
		}
	}
	empty()
	l.say(Stdout, "end\n")
	l.drain(Stdout)
	l.close()
	rest, lost := lossIn(t, l.read(ReadOptions{}))
	if lost == 0 || lost+len(rest) != len(said)+len("end\n") || !strings.HasPrefix(rest, "begin\n") || !strings.HasSuffix(rest, "end\n") {
		t.Errorf("said %d bytes, read %d, told of %d lost ones", len(said)+4, len(rest), lost)
	}
}
