package daemon

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

// listenJournal listens as the real one does.
func listenJournal(t *testing.T) (path string, entry func() map[string]string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, func() map[string]string {
		t.Helper()
		data := make([]byte, 256<<10)
		n, err := conn.Read(data)
		if err != nil {
			t.Fatal(err)
		}
		fields, err := decodeEntry(data[:n])
		if err != nil {
			t.Fatalf("%v: %q", err, data[:n])
		}
		return fields
	}
}

// decodeEntry is the other half of the protocol.
func decodeEntry(data []byte) (map[string]string, error) {
	fields := map[string]string{}
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return nil, errors.New("no line feed")
		}
		line := data[:end]
		data = data[end+1:]
		if key, value, ok := bytes.Cut(line, []byte("=")); ok {
			fields[string(key)] = string(value)
			continue
		}
		if len(data) < 8 {
			return nil, errors.New("no length")
		}
		n := binary.LittleEndian.Uint64(data)
		if uint64(len(data)) < 8+n+1 || data[8+n] != '\n' {
			return nil, errors.New("wrong length")
		}
		fields[string(line)] = string(data[8 : 8+n])
		data = data[8+n+1:]
	}
	return fields, nil
}

func TestJournalEntries(t *testing.T) {
	path, entry := listenJournal(t)
	var stream bytes.Buffer
	l := slog.New(&journalHandler{level: slog.LevelInfo, out: &journal{path: path, fd: -1, stream: &stream}})
	l.Debug("not heard")
	pod := l.With("pod", "default/web")
	for _, tt := range []struct {
		log  func()
		want map[string]string
	}{
		{func() { l.Info("ready") }, map[string]string{"MESSAGE": "ready", "PRIORITY": "6"}},
		{
			func() { pod.Error("container ended", "container", "main", "exitCode", 3, "error", errors.New("a b")) },
			map[string]string{"MESSAGE": `container ended pod=default/web container=main exitCode=3 error="a b"`, "PRIORITY": "3", "POD": "web", "NAMESPACE": "default", "CONTAINER": "main"},
		},
		{
			func() { pod.WithGroup("g").Warn("w", "container", "x", slog.Group("h", "i", "")) },
			map[string]string{"MESSAGE": `w pod=default/web g.container=x g.h.i=""`, "PRIORITY": "4", "POD": "web", "NAMESPACE": "default"},
		},
		{
			func() { l.Warn("w", "containerID", "u-1.main.3", "uid", "u-1") },
			map[string]string{"MESSAGE": "w containerID=u-1.main.3 uid=u-1", "PRIORITY": "4", "POD_UID": "u-1", "CONTAINER": "main"},
		},
		{func() { l.Info("two\nlines", "pod", "x\ny") }, map[string]string{"MESSAGE": "two\\nlines pod=\"x\\ny\"", "PRIORITY": "6", "POD": "x\ny"}},
		{func() { l.Info("\x1b[2J", "a", "\x9b", "b", "\u009b") }, map[string]string{"MESSAGE": `^[[2J a="\x9b" b="\u009b"`, "PRIORITY": "6"}},
	} {
		tt.log()
		tt.want["SYSLOG_IDENTIFIER"] = "podd"
		if got := entry(); !equalMaps(got, tt.want) {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
	l.Info(strings.Repeat("x", 1<<20))
	if got := entry()["MESSAGE"]; len(got) > maxJournalMessage+8 {
		t.Errorf("a message of %d bytes", len(got))
	}
	if stream.Len() > 0 {
		t.Errorf("stderr got %q", &stream)
	}
}

func equalMaps(a, b map[string]string) bool {
	for k, v := range b {
		if a[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

// A journald that is not there is no reason to be silent: what systemd has connected to stderr may still be read.
func TestJournalFallsBack(t *testing.T) {
	var stream bytes.Buffer
	l := slog.New(&journalHandler{level: slog.LevelInfo, out: &journal{path: filepath.Join(t.TempDir(), "none"), fd: -1, stream: &stream}})
	l.Warn("w\nx", "pod", "default/web")
	if want := "<4>w\\nx pod=default/web\n"; stream.String() != want {
		t.Errorf("got %q, want %q", &stream, want)
	}
}

// A journald that hangs costs one line's patience, not that of each: the loop logs, and the watchdog waits for the loop.
func TestHungJournal(t *testing.T) {
	path, entry := listenJournal(t)
	j := &journal{path: path, fd: -1, stream: io.Discard}
	const lines = 1000 // the queue of a socket takes some (net.unix.max_dgram_qlen)
	written := make(chan error, 1)
	go func() {
		var errs []error
		for range lines {
			errs = append(errs, j.write(6, "line", nil))
		}
		written <- errors.Join(errs...)
	}()
	select {
	case err := <-written:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("each line waits for a journald that hangs")
	}
	if j.lost == 0 {
		t.Fatal("nothing is lost: the test shows nothing")
	}
	taken, want := lines-j.lost, fmt.Sprintf("log lines lost: journald did not take %d of them", j.lost)
	for range taken {
		if got := entry()["MESSAGE"]; got != "line" {
			t.Fatalf("got %q", got)
		}
	}
	if err := j.write(6, "again", nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{want, "again"} {
		if got := entry()["MESSAGE"]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestJournalEncoding(t *testing.T) {
	holds := func(message, value string) bool {
		got, err := decodeEntry(encodeEntry(5, message, []journalField{{"POD", value}}))
		return err == nil && got["MESSAGE"] == message && got["POD"] == value && got["PRIORITY"] == "5"
	}
	if err := quick.Check(holds, nil); err != nil {
		t.Error(err)
	}
	if !holds("a\n\nb=c\n", "\n") {
		t.Error("line feeds")
	}
}
