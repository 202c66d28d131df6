package stdio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// journal listens as journald does.
type journal struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newJournal(t *testing.T) *journal {
	t.Helper()
	j := &journal{t: t, path: filepath.Join(t.TempDir(), "socket")}
	j.listen()
	t.Cleanup(func() { j.conn.Close() })
	return j
}

func (j *journal) listen() {
	j.t.Helper()
	_ = os.Remove(j.path)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: j.path, Net: "unixgram"})
	if err != nil {
		j.t.Fatal(err)
	}
	j.conn = conn
}

// entry is the next one, nil if none comes within a while.
func (j *journal) entry(within time.Duration) map[string]string {
	j.t.Helper()
	data := make([]byte, 64<<10)
	if err := j.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		j.t.Fatal(err)
	}
	n, err := j.conn.Read(data)
	if err != nil {
		return nil
	}
	fields := map[string]string{}
	for data = data[:n]; len(data) > 0; {
		line, rest, ok := bytes.Cut(data, []byte{'\n'})
		if !ok {
			j.t.Fatalf("an entry that ends in %q", data)
		}
		if key, value, ok := bytes.Cut(line, []byte{'='}); ok {
			fields[string(key)], data = string(value), rest
			continue
		}
		size := binary.LittleEndian.Uint64(rest)
		fields[string(line)], data = string(rest[8:8+size]), rest[8+size+1:]
	}
	return fields
}

// messages waits for entries with these messages, in this order.
func (j *journal) messages(want ...string) {
	j.t.Helper()
	for _, message := range want {
		if e := j.entry(limit); e["MESSAGE"] != message {
			j.t.Fatalf("the entry is %.100q, want %.100q", e, message)
		}
	}
}

func (j *journal) none() {
	j.t.Helper()
	if e := j.entry(50 * time.Millisecond); e != nil {
		j.t.Fatalf("one entry too many: %q", e)
	}
}

// newJournalBench is a container whose output goes to j.
func newJournalBench(t *testing.T, j *journal) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), shelf: &shelf{fds: map[string]int{}}, journal: j.path, streams: map[string]*os.File{}}
	b.hub = b.newHub()
	log := b.log()
	log.Journal = true
	l, err := b.hub.Open("c", log, false)
	b.must(err)
	b.io = l
	t.Cleanup(func() { b.io.Finish() })
	return b
}

// say writes to one of the container's streams.
func (b *bench) say(stream, text string) {
	b.t.Helper()
	f := b.streams[stream]
	if f == nil { // which stays open, as a container's do
		var err error
		f, err = os.OpenFile(filepath.Join(b.dir, "io", "c", stream), os.O_RDWR, 0)
		b.must(err)
		b.streams[stream] = f
		b.t.Cleanup(func() { f.Close() })
	}
	_, err := f.WriteString(text)
	b.must(err)
}

func TestJournal(t *testing.T) {
	j := newJournal(t)
	b := newJournalBench(t, j)
	b.say("stdout", "one\n")
	e := j.entry(limit)
	for key, want := range map[string]string{
		"MESSAGE": "one", "PRIORITY": "6", "CONTAINER_STREAM": "stdout", "POD_NAME": "web", "CONTAINER_NAME": "main",
	} {
		if e[key] != want {
			t.Errorf("%s is %q, want %q", key, e[key], want)
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, e["SYSLOG_TIMESTAMP"]); err != nil || e["CONTAINER_PARTIAL_MESSAGE"] != "" {
		t.Errorf("got %q", e)
	}
	b.say("stderr", "bad\n")
	if e := j.entry(limit); e["MESSAGE"] != "bad" || e["PRIORITY"] != "3" {
		t.Errorf("got %q", e)
	}
	b.say("stdout", "\x00\xff\x1b[2J=\r\n\n")
	j.messages("\x00\xff\x1b[2J=\r", "")
	// A line that is too long for one entry, and one that never ends.
	long := strings.Repeat("x", 20<<10)
	b.say("stdout", long+"\nlast")
	first, second := j.entry(limit), j.entry(limit)
	if first["MESSAGE"]+second["MESSAGE"] != long || first["CONTAINER_PARTIAL_MESSAGE"] != "true" || first["CONTAINER_PARTIAL_LAST"] != "false" || second["CONTAINER_PARTIAL_LAST"] != "true" {
		t.Errorf("a long line is %d and %d bytes", len(first["MESSAGE"]), len(second["MESSAGE"]))
	}
	b.must(b.io.Finish())
	j.messages("last")
	j.none()
	if _, err := os.Stat(filepath.Join(b.dir, "io", "c", positionFile)); err == nil {
		t.Error("the position is left")
	}
}

// What journald does not take waits in the log: it is busy, it is restarted, or podd is.
func TestJournalIsAway(t *testing.T) {
	j := newJournal(t)
	b := newJournalBench(t, j)
	const lines = 3000 // more than the queue of a socket takes (net.unix.max_dgram_qlen)
	var text strings.Builder
	for i := range lines {
		fmt.Fprintln(&text, i)
	}
	b.say("stdout", text.String())
	for i := range lines {
		j.messages(fmt.Sprint(i))
	}

	j.conn.Close()
	b.say("stdout", "while it is away\n")
	b.logged("while it is away")
	j.listen()
	j.messages("while it is away")

	b.restart()
	b.say("stdout", "after a restart of podd\n")
	j.messages("after a restart of podd")
	j.none()
}

// What the journal has not taken when podd dies is sent by the next one, across a rotation of the log.
func TestJournalGoesOnWhereItStopped(t *testing.T) {
	j := newJournal(t)
	b := newJournalBench(t, j)
	b.say("stdout", "one\n")
	j.messages("one")
	j.conn.Close()
	b.must(os.Remove(j.path))
	b.say("stdout", "two\n")
	b.logged("two")
	b.io.journal.stop()
	b.must(os.Rename(b.log().Path, b.log().Path+".20260101-000000"))
	j.listen()
	b.restart()
	b.say("stdout", "three\n")
	j.messages("two", "three")
	j.none()
}

func TestNoJournal(t *testing.T) {
	b := newBench(t, false)
	b.hub.journal.Path = filepath.Join(b.dir, "none")
	if b.hub.HasJournal() {
		t.Error("there is a journal")
	}
	if b.io.journal != nil {
		t.Error("a container that did not ask for it writes to the journal")
	}
}

// logged waits until the log has a text.
func (b *bench) logged(text string) {
	b.t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if data, _ := os.ReadFile(b.log().Path); strings.Contains(string(data), text) {
			return
		} else if time.Now().After(deadline) {
			b.t.Fatalf("the log is %q", data)
		}
	}
}
