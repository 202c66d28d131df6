package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// logOf writes a log folder by hand: name to lines without their stamps, which are
// one second apart from 2026 on over all files in the given order.
func logOf(t *testing.T, files ...[2]string) string {
	t.Helper()
	dir := t.TempDir()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range files {
		var text strings.Builder
		for line := range strings.Lines(f[1]) {
			at = at.Add(time.Second)
			text.WriteString(at.Format(stampFormat) + " " + line)
		}
		path := filepath.Join(dir, strings.TrimSuffix(f[0], gzSuffix))
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f[0], gzSuffix) {
			if err := squeeze(rootOf(t, dir), filepath.Base(path)); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+tmpSuffix, path+gzSuffix); err != nil {
				t.Fatal(err)
			}
			os.Remove(path)
		}
	}
	return dir
}

func threeFiles(t *testing.T) string {
	return logOf(t,
		[2]string{"0.log.20260101-000000.gz", "stdout F a\nstderr F b\nstdout P c"},
		[2]string{"0.log.20260101-000000.000001", "\nstdout F c2\nstderr F d\n"},
		[2]string{"0.log", "stdout F e\nno record\nstdout P f1,\nstdout F f2\nstdout P end\n"},
		[2]string{"1.log", "stdout F other attempt\n"},
		[2]string{"0.log.20260101-000000.tmp", "stdout F leftover\n"},
	)
}

func TestRead(t *testing.T) {
	dir := threeFiles(t)
	second := func(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC) }
	for _, c := range []struct {
		name string
		o    ReadOptions
		want string
	}{
		{"all", ReadOptions{}, "a\nb\nc2\nd\ne\nf1,f2\nend"},
		{"attempt", ReadOptions{Attempt: 1}, "other attempt\n"},
		{"tail 0", ReadOptions{TailLines: ptr(int64(0))}, ""},
		{"tail below 0", ReadOptions{TailLines: ptr(int64(-1))}, ""},
		{"tail of an unfinished line", ReadOptions{TailLines: ptr(int64(1))}, "end"},
		{"tail with a split line", ReadOptions{TailLines: ptr(int64(2))}, "f1,f2\nend"},
		{"tail is the file", ReadOptions{TailLines: ptr(int64(3))}, "e\nf1,f2\nend"},
		{"tail over files", ReadOptions{TailLines: ptr(int64(4))}, "d\ne\nf1,f2\nend"},
		{"tail into the compressed file", ReadOptions{TailLines: ptr(int64(6))}, "b\nc2\nd\ne\nf1,f2\nend"},
		{"tail of more than there is", ReadOptions{TailLines: ptr(int64(1 << 40))}, "a\nb\nc2\nd\ne\nf1,f2\nend"},
		{"stream", ReadOptions{Stream: "stderr"}, "b\nd\n"},
		{"tail of a stream", ReadOptions{Stream: "stderr", TailLines: ptr(int64(1))}, "d\n"},
		{"since", ReadOptions{SinceTime: second(6)}, "d\ne\nf1,f2\nend"},
		{"since and tail", ReadOptions{SinceTime: second(6), TailLines: ptr(int64(1))}, "end"},
		{"since later", ReadOptions{SinceTime: second(100)}, ""},
		{"limit", ReadOptions{LimitBytes: ptr(int64(3))}, "a\nb"},
		{"limit 0", ReadOptions{LimitBytes: ptr(int64(0))}, ""},
		{"limit above", ReadOptions{LimitBytes: ptr(int64(1 << 40))}, "a\nb\nc2\nd\ne\nf1,f2\nend"},
		{"timestamps", ReadOptions{Timestamps: true, TailLines: ptr(int64(3))}, "2026-01-01T00:00:07.000000000Z e\n" +
			"2026-01-01T00:00:09.000000000Z f1,f2\n2026-01-01T00:00:11.000000000Z end"},
		{"limit within a stamp", ReadOptions{Timestamps: true, LimitBytes: ptr(int64(4))}, "2026"},
	} {
		var out bytes.Buffer
		if err := Read(t.Context(), dir, c.o, &out); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := out.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestReadNothing(t *testing.T) {
	dir := threeFiles(t)
	for _, c := range []struct {
		dir string
		o   ReadOptions
	}{
		{dir, ReadOptions{Attempt: 2}},
		{filepath.Join(dir, "none"), ReadOptions{}},
		{filepath.Join(dir, "none"), ReadOptions{Follow: true}},
	} {
		if err := Read(t.Context(), c.dir, c.o, &bytes.Buffer{}); !errors.Is(err, ErrNoLog) {
			t.Errorf("%s, %+v: %v", c.dir, c.o, err)
		}
	}
	if got, err := Tail(dir, 2, 100, 10); got != "" || err != nil {
		t.Errorf("tail of nothing: %q, %v", got, err)
	}
}

func TestTail(t *testing.T) {
	dir := threeFiles(t)
	for _, c := range []struct {
		bytes, lines int
		want         string
	}{
		{2048, 2, "f1,f2\nend"},
		{5, 80, "2\nend"},
		{0, 80, ""},
		{2048, 0, ""},
		{2048, 80, "a\nb\nc2\nd\ne\nf1,f2\nend"},
	} {
		if got, err := Tail(dir, 0, c.bytes, c.lines); got != c.want || err != nil {
			t.Errorf("%d bytes of %d lines: %q, %v; want %q", c.bytes, c.lines, got, err, c.want)
		}
	}
}

// TestTailOfALargeFile needs more than the first window.
func TestTailOfALargeFile(t *testing.T) {
	var text, want strings.Builder
	const lines = 30000
	for i := range lines {
		fmt.Fprintf(&text, "stdout F line %d\n", i)
		if i >= lines-10000 {
			fmt.Fprintf(&want, "line %d\n", i)
		}
	}
	for _, name := range []string{"0.log", "0.log.20260101-000000.gz"} {
		dir := logOf(t, [2]string{name, text.String()})
		var out bytes.Buffer
		if err := Read(t.Context(), dir, ReadOptions{TailLines: ptr(int64(10000))}, &out); err != nil {
			t.Fatal(err)
		}
		if out.String() != want.String() {
			t.Errorf("%s: %d bytes, want %d", name, out.Len(), want.Len())
		}
		if got, err := Tail(dir, 0, 2048, 2); got != "line 29998\nline 29999\n" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestReadLeavesALongForeignLineOut(t *testing.T) {
	dir := logOf(t, [2]string{"0.log", "stdout F a\nstdout F " + strings.Repeat("x", 5*lineBuffer) + "\nstdout F b\n"})
	var out bytes.Buffer
	if err := Read(t.Context(), dir, ReadOptions{}, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "a\n") || !strings.HasSuffix(got, "b\n") {
		t.Errorf("read %.20q…", got)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := Read(ctx, threeFiles(t), ReadOptions{Follow: true}, &out); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestReadPassesOnTheReadersTrouble(t *testing.T) {
	trouble := errors.New("gone")
	if err := Read(t.Context(), threeFiles(t), ReadOptions{Follow: true}, failing{trouble}); !errors.Is(err, trouble) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
