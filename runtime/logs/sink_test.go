package logs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

func TestSinkFormats(t *testing.T) {
	long := strings.Repeat("x", maxContent)
	for _, c := range []struct {
		name string
		say  []string
		want string
	}{
		{"lines", []string{"a\nb\n"}, "stdout F a\nstdout F b\n"},
		{"empty line", []string{"\n\n"}, "stdout F \nstdout F \n"},
		{"a line in pieces", []string{"a", "b", "c\nd\n"}, "stdout F abc\nstdout F d\n"},
		{"no newline at the end", []string{"a\nb"}, "stdout F a\nstdout P b\n"},
		{"exactly the longest", []string{long + "\n"}, "stdout F " + long + "\n"},
		{"one byte longer", []string{long + "y\n"}, "stdout P " + long + "\nstdout F y\n"},
		{"longest without newline", []string{long}, "stdout P " + long + "\n"},
		{"twice the longest", []string{long, long, "\n"}, "stdout P " + long + "\nstdout F " + long + "\n"},
		{"carriage return and zero", []string{"a\r\n\x00\n"}, "stdout F a\r\nstdout F \x00\n"},
		{"nothing", nil, ""},
	} {
		l := newLab(t)
		l.open()
		for _, text := range c.say {
			l.say(Stdout, text)
			l.drain(Stdout)
		}
		l.close()
		if got := l.raw(); got != c.want {
			t.Errorf("%s: log is %.100q, want %.100q", c.name, got, c.want)
		}
		if got := l.read(ReadOptions{}); got != strings.Join(c.say, "") {
			t.Errorf("%s: read %.100q, want what was said", c.name, got)
		}
	}
}

func TestSinkWaitsForTheNewline(t *testing.T) {
	l := newLab(t)
	l.open()
	l.say(Stdout, "begun")
	l.drain(Stdout)
	if got := l.raw(); got != "" {
		t.Errorf("log has %q of an incomplete line", got)
	}
	l.say(Stderr, "other\n")
	l.drain(Stderr)
	l.say(Stdout, " done\n")
	l.drain(Stdout)
	if got, want := l.raw(), "stderr F other\nstdout F begun done\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

func TestSinkEnds(t *testing.T) {
	l := newLab(t)
	l.open()
	l.say(Stdout, "last")
	closeFD(&l.wr[Stdout])
	if eof, err := l.sink.Drain(Stdout, l.rd[Stdout], nil); eof || err != nil {
		t.Fatalf("end before the pipe is empty: %v, %v", eof, err)
	}
	if eof, err := l.sink.Drain(Stdout, l.rd[Stdout], nil); !eof || err != nil {
		t.Fatalf("no end of an empty pipe without writer: %v, %v", eof, err)
	}
	l.close()
	l.close()
	if _, err := os.Stat(l.c.SpoolDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("spool is left: %v", err)
	}
	if eof, err := l.sink.Drain(Stdout, l.rd[Stdout], nil); !eof || !errors.Is(err, ErrClosed) {
		t.Errorf("drain after close: %v, %v", eof, err)
	}
}

// TestSinkSharesItsFolder has the container's FIFOs beside the spool.
func TestSinkSharesItsFolder(t *testing.T) {
	l := newLab(t)
	if err := os.MkdirAll(l.c.SpoolDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for st := Stdout; st < streams; st++ {
		if err := unix.Mkfifo(filepath.Join(l.c.SpoolDir, st.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.open()
	l.say(Stdout, "a\n")
	l.drain(Stdout)
	l.close()
	if got := l.read(ReadOptions{}); got != "a\n" {
		t.Errorf("read %q", got)
	}
	if left, err := os.ReadDir(l.c.SpoolDir); len(left) != 2 || err != nil {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestSinkRefusesABadDescriptor(t *testing.T) {
	l := newLab(t)
	l.open()
	if eof, err := l.sink.Drain(Stdout, -1, nil); !eof || !errors.Is(err, unix.EBADF) {
		t.Errorf("drain of nothing: %v, %v", eof, err)
	}
}

func TestSinkRecreatesItsFolder(t *testing.T) {
	l := newLab(t)
	l.open()
	l.say(Stdout, "before\n")
	l.drain(Stdout)
	if err := os.RemoveAll(l.dir()); err != nil {
		t.Fatal(err)
	}
	l.say(Stdout, "after\n")
	l.drain(Stdout)
	if got := l.read(ReadOptions{}); got != "after\n" {
		t.Errorf("read %q", got)
	}
}

func TestSinkOfALogThatSomebodyElseRotates(t *testing.T) {
	l := newLab(t)
	l.c.MaxSize = 1
	l.open()
	l.say(Stdout, "before\n")
	l.drain(Stdout)
	if err := os.Rename(l.c.Path, l.c.Path+"-moved"); err != nil {
		t.Fatal(err)
	}
	l.say(Stdout, "after\n")
	l.drain(Stdout)
	if got := l.read(ReadOptions{}); got != "after\n" {
		t.Errorf("read %q", got)
	}
}

func TestSinkFollowsTruncation(t *testing.T) {
	l := newLab(t)
	l.open()
	l.say(Stdout, "before\n")
	l.drain(Stdout)
	if err := os.Truncate(l.c.Path, 0); err != nil {
		t.Fatal(err)
	}
	l.say(Stdout, "after\n")
	l.drain(Stdout)
	if got := l.raw(); got != "stdout F after\n" {
		t.Errorf("log is %q", got)
	}
}

func TestSinkMendsATornLine(t *testing.T) {
	l := newLab(t)
	l.open()
	l.say(Stdout, "whole\n")
	l.drain(Stdout)
	l.close()
	f, err := os.OpenFile(l.c.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("2025-01-01T00:00:0")
	f.Close()
	l.open()
	l.say(Stdout, "next\n")
	l.drain(Stdout)
	if got := l.read(ReadOptions{}); got != "whole\nnext\n" {
		t.Errorf("read %q", got)
	}
}

func TestSinkTakesOver(t *testing.T) {
	l := newLab(t)
	l.open()
	l.say(Stdout, "one\nbeg")
	l.drain(Stdout)
	l.sink.Suspend()
	l.say(Stdout, "un\n")
	l.open()
	l.drain(Stdout)
	l.close()
	if got := l.read(ReadOptions{}); got != "one\nbegun\n" {
		t.Errorf("read %q", got)
	}
}

// A state that cannot be believed is set aside, and the log goes on.
func TestSinkSetsAsideWhatItDoesNotKnow(t *testing.T) {
	l := newLab(t)
	l.open()
	for what, damage := range map[string]func(p *page){
		"layout": func(p *page) { p.layout = 77 },
		"stream": func(p *page) { p.versions[0].stream, p.versions[1].stream = 7, -1 },
		"move":   func(p *page) { p.versions[0].move, p.versions[1].move = 9, 9 },
		"length": func(p *page) { p.versions[0].length, p.versions[1].length = -5, 1<<40 },
	} {
		damage(l.sink.page)
		l.sink.Suspend()
		reported := 0
		l.c.Damaged = func(*atomicfile.Damage, string) { reported++ }
		l.open()
		l.say(Stdout, what+"\n")
		l.drain(Stdout)
		if got := l.read(ReadOptions{}); !strings.HasSuffix(got, what+"\n") || reported != 1 {
			t.Errorf("%s: read %q, reported %d", what, got, reported)
		}
	}
}

// TestManySinks has more sinks than descriptors for them.
func TestManySinks(t *testing.T) {
	shop := &workshop{}
	labs := make([]*lab, 3*maxOpen)
	for i := range labs {
		labs[i] = newLab(t)
		labs[i].c.shop = shop
		labs[i].open()
	}
	for round := range 3 {
		for _, l := range labs {
			l.say(Stdout, numbers(round, round+1))
			l.drain(Stdout)
			l.say(Stderr, "x")
			l.drain(Stderr)
		}
	}
	held := 0
	for _, l := range labs {
		if l.sink.page != nil {
			held++
		}
	}
	if held > maxOpen || len(shop.open) > maxOpen {
		t.Errorf("%d sinks are open, %d listed, limit %d", held, len(shop.open), maxOpen)
	}
	for _, l := range labs {
		l.close()
		if got, want := l.read(ReadOptions{Stream: "stdout"}), numbers(0, 3); got != want {
			t.Errorf("read %q", got)
		}
		if got := l.read(ReadOptions{Stream: "stderr"}); got != "xxx" {
			t.Errorf("read %q", got)
		}
	}
}

// TestSpoolStaysSmall writes much through a spool that always has the beginning of
// a line at its end.
func TestSpoolStaysSmall(t *testing.T) {
	l := newLab(t)
	l.open()
	var said strings.Builder
	said.WriteString("begun ")
	l.say(Stdout, "begun ")
	for i := range 200 {
		text := numbers(i*100, i*100+100) + "begun "
		said.WriteString(text)
		l.say(Stdout, text)
		l.drain(Stdout)
		if size := l.sink.size[Stdout]; size > 3*chunk {
			t.Fatalf("spool has %d bytes", size)
		}
	}
	if got := l.read(ReadOptions{}) + "begun "; got != said.String() {
		t.Error("what was read is not what was said")
	}
}
