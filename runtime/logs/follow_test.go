package logs

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds what a test waits for.
const patience = 30 * time.Second

// transcript is what a follower has written, and can be waited for.
type transcript struct {
	mu   sync.Mutex
	cond *sync.Cond
	text bytes.Buffer
}

func newTranscript() *transcript {
	s := &transcript{}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.cond.Broadcast()
	return s.text.Write(p)
}

// wait returns when the transcript ends with the text.
func (s *transcript) wait(t *testing.T, end string) {
	t.Helper()
	late := time.AfterFunc(patience, func() { s.cond.Broadcast() })
	defer late.Stop()
	deadline := time.Now().Add(patience)
	s.mu.Lock()
	defer s.mu.Unlock()
	for !strings.HasSuffix(s.text.String(), end) {
		if time.Now().After(deadline) {
			t.Fatalf("%q does not come; the end is %q", end, tailOf(s.text.String()))
		}
		s.cond.Wait()
	}
}

func tailOf(s string) string { return s[max(0, len(s)-80):] }

// follow follows the lab's log until ctx or done; the result comes on the channel.
func (l *lab) follow(ctx context.Context, o ReadOptions) (*transcript, <-chan error) {
	o.Follow = true
	s, result := newTranscript(), make(chan error, 1)
	go func() { result <- Read(ctx, l.dir(), o, s) }()
	return s, result
}

func TestFollow(t *testing.T) {
	l := newLab(t)
	l.c.MaxSize = 1 << 10
	l.open()
	l.say(Stdout, "first\n")
	l.drain(Stdout)
	done := make(chan struct{})
	s, result := l.follow(t.Context(), ReadOptions{Done: done})
	s.wait(t, "first\n")
	want := "first\n"
	for i := range 60 {
		text := numbers(i*10, i*10+10)
		l.say(Stdout, text)
		l.drain(Stdout)
		want += text
		if i%7 == 0 {
			s.wait(t, text)
		}
	}
	l.say(Stdout, "last words")
	l.drain(Stdout)
	l.close()
	close(done)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if got := s.text.String(); got != want+"last words" {
		t.Errorf("%d bytes of %d, the end is %q", len(got), len(want)+10, tailOf(got))
	}
	if rotated, err := listRotated(l.root(), "0.log"); len(rotated) != 4 || err != nil {
		t.Errorf("%d rotated files are left: %v", len(rotated), err)
	}
}

// TestFollowerLagsBehind has its file rotated, compressed and removed while it does
// not read.
func TestFollowerLagsBehind(t *testing.T) {
	for _, rotations := range []int{1, 2, 3, 20} {
		l := newLab(t)
		l.c.MaxSize, l.c.MaxFiles = 1, 5
		l.open()
		l.say(Stdout, numbers(0, 1))
		l.drain(Stdout)
		tr := track{ctx: t.Context(), dir: l.dir(), base: "0.log"}
		if err := tr.open(); err != nil {
			t.Fatal(err)
		}
		for i := range rotations {
			l.say(Stdout, numbers(i+1, i+2))
			l.drain(Stdout)
			l.c.shop.squeezers.Wait()
		}
		if grown, err := tr.grow(); !grown || err != nil {
			t.Fatalf("after %d rotations: %v, %v", rotations, grown, err)
		}
		first := 1
		if kept := l.c.MaxFiles; rotations > kept {
			first = rotations + 1 - kept
		}
		if got, want := len(tr.files)-1, rotations+1-first; got != want {
			t.Errorf("%d rotations added %d files, want %d", rotations, got, want)
		}
		if grown, err := tr.grow(); grown || err != nil {
			t.Errorf("grows without a rotation: %v", err)
		}
		tr.close()
	}
}

// newRotated is a lab whose log has three files, of a line each.
func newRotated(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.c.MaxSize = 1
	l.open()
	for i := range 3 {
		l.say(Stdout, numbers(i, i+1))
		l.drain(Stdout)
		l.c.shop.squeezers.Wait()
	}
	return l
}

// TestFilesOfOneTick: the files of a log may all have the same time of change.
func TestFilesOfOneTick(t *testing.T) {
	l := newRotated(t)
	tr := track{ctx: t.Context(), dir: l.dir(), base: "0.log"}
	if err := tr.open(); err != nil {
		t.Fatal(err)
	}
	defer func() { tr.close() }()
	l.say(Stdout, numbers(3, 4))
	l.drain(Stdout)
	l.c.shop.squeezers.Wait()
	entries, err := os.ReadDir(l.dir())
	if err != nil {
		t.Fatal(err)
	}
	tick := time.Now()
	for _, e := range entries {
		if err := os.Chtimes(filepath.Join(l.dir(), e.Name()), tick, tick); err != nil {
			t.Fatal(err)
		}
	}
	if grown, err := tr.grow(); !grown || err != nil || len(tr.files) != 4 {
		t.Errorf("three files have become %d: %v, %v", len(tr.files), grown, err)
	}
}

func TestFollowerOfARemovedLog(t *testing.T) {
	l := newLab(t)
	l.c.MaxSize = 1
	l.open()
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 3 {
		l.say(Stdout, numbers(i, i+1))
		l.drain(Stdout)
	}
	s, result := l.follow(ctx, ReadOptions{})
	s.wait(t, numbers(0, 3))
	if err := os.Remove(l.c.Path); err != nil {
		t.Fatal(err)
	}
	l.say(Stdout, numbers(3, 4))
	l.drain(Stdout)
	s.wait(t, numbers(0, 4))
	cancel()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if got := s.text.String(); got != numbers(0, 4) {
		t.Errorf("read %q", got)
	}
}

// A follower that looks after the current file was removed, and before the next one is made, has no file before it again.
func TestFollowerBetweenTwoLogs(t *testing.T) {
	l := newRotated(t)
	files := track{ctx: t.Context(), dir: filepath.Dir(l.c.Path), base: filepath.Base(l.c.Path)}
	if err := files.open(); err != nil {
		t.Fatal(err)
	}
	defer files.close()
	for files.next() {
	}
	if err := os.Remove(l.c.Path); err != nil {
		t.Fatal(err)
	}
	if grown, err := files.grow(); grown || err != nil {
		t.Errorf("%s follows, %v", files.files[len(files.files)-1].f.Name(), err)
	}
	l.say(Stdout, numbers(3, 4))
	l.drain(Stdout)
	if grown, err := files.grow(); !grown || err != nil || !files.files[len(files.files)-1].current {
		t.Errorf("the next log does not follow: %t, %v", grown, err)
	}
}

func TestFollowWithLimit(t *testing.T) {
	l := newLab(t)
	l.open()
	_, result := l.follow(t.Context(), ReadOptions{LimitBytes: ptr(int64(9))})
	l.say(Stdout, numbers(0, 2))
	l.drain(Stdout)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

// TestFollowTheFlood races followers with a writer that rotates all the time.
func TestFollowTheFlood(t *testing.T) {
	l := newLab(t)
	l.c.MaxSize, l.c.MaxFiles = 8<<10, 10000
	l.open()
	done := make(chan struct{})
	var followers []*transcript
	var results []<-chan error
	for range 3 {
		s, result := l.follow(t.Context(), ReadOptions{Done: done})
		followers, results = append(followers, s), append(results, result)
	}
	const rounds, lines = 400, 200
	for i := range rounds {
		l.say(Stdout, numbers(i*lines, (i+1)*lines))
		l.drain(Stdout)
	}
	l.close()
	close(done)
	want := numbers(0, rounds*lines)
	for i, s := range followers {
		if err := <-results[i]; err != nil {
			t.Fatal(err)
		}
		if got := s.text.String(); got != want {
			t.Errorf("follower %d has %d bytes of %d", i, len(got), len(want))
		}
	}
}
