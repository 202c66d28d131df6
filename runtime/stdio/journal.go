package stdio

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/journald"
	"podd/runtime/logs"
)

const (
	// positionFile says up to where a log is in the journal. It is beside the spool: that an attempt has one is how the next
	// daemon knows that its output goes there.
	positionFile = "journal.position"
	// journalPatience is how long the end of a container waits for a journald that is busy. What it has not taken by then is
	// in the log, and is sent as long as this daemon lives.
	journalPatience = 2 * time.Second

	// Priorities of entries by stream, as docker's and podman's drivers have them (man 3 syslog).
	priorityStdout, priorityStderr = 6, 3
)

// JournalField is a field of all entries of a container, besides those that each has for itself.
type JournalField struct{ Name, Value string }

// forwarder gives the journal what is in the log of one attempt.
type forwarder struct {
	ctx    context.Context
	cancel context.CancelFunc
	hub    *Hub
	id     string
	file   string // of the position
	fields []byte // encoded, of all entries
	entry  []byte
	wakes  chan struct{}
	ended  chan struct{}
	fd     *os.File // of file, while there is something to send
	said   bool     // that journald takes nothing
	prior  [2]bool  // by stream: the last record did not end its line
}

// forward begins to send the log of an attempt from where an earlier daemon has stopped.
func (l *ContainerIO) forward(log Log) {
	attempt, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(log.Path), ".log"))
	if err != nil {
		return // no log of a container
	}
	f := &forwarder{
		hub: l.hub, id: l.id, file: filepath.Join(l.hub.engine.IO(l.id), positionFile),
		wakes: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	for _, field := range log.Fields {
		f.fields = journald.AppendField(f.fields, field.Name, field.Value)
	}
	l.journal = f
	f.ctx, f.cancel = context.WithCancel(context.Background())
	from := f.position()
	go func() {
		defer close(f.ended)
		_ = logs.Forward(f.ctx, logs.Forwarding{ // each round has told of its error
			Dir: filepath.Dir(log.Path), Attempt: attempt, From: from, Wake: f.wakes, Done: l.done, Send: f.send, Rest: f.rest,
		})
		if f.ctx.Err() == nil {
			_ = os.Remove(f.file)
			_ = os.Remove(filepath.Dir(f.file)) // as the log does, which could not while there was this file
		}
	}()
}

// stop leaves the rest to whoever takes over the attempt.
func (f *forwarder) stop() {
	if f != nil {
		f.cancel()
		<-f.ended
	}
}

// wake says that the log may have grown.
func (f *forwarder) wake() {
	if f == nil {
		return
	}
	select {
	case f.wakes <- struct{}{}:
	default:
	}
}

// await waits for the last lines, for a while.
func (f *forwarder) await() {
	if f == nil {
		return
	}
	timer := time.NewTimer(journalPatience)
	defer timer.Stop()
	select {
	case <-f.ended:
	case <-timer.C:
		f.hub.log.Warn("the journal does not have the last lines of a container yet", "containerID", f.id)
	}
}

// send gives journald one record.
func (f *forwarder) send(r logs.Record, then logs.Position) error {
	b := append(f.entry[:0], f.fields...)
	stream, priority := 0, priorityStdout
	if r.Stream == logs.Stderr.String() {
		stream, priority = 1, priorityStderr
	}
	b = journald.AppendField(b, "PRIORITY", strconv.Itoa(priority))
	b = journald.AppendField(b, "SYSLOG_TIMESTAMP", r.Stamp)
	b = journald.AppendField(b, "CONTAINER_STREAM", r.Stream)
	if r.Partial || f.prior[stream] {
		b = journald.AppendField(b, "CONTAINER_PARTIAL_MESSAGE", "true")
		last := "false"
		if !r.Partial {
			last = "true"
		}
		b = journald.AppendField(b, "CONTAINER_PARTIAL_LAST", last)
	}
	b = journald.AppendField(b, "MESSAGE", r.Content)
	f.entry = b
	if err := f.hub.journal.Send(f.ctx, b); err != nil && !errors.Is(err, unix.EMSGSIZE) {
		return err
	}
	f.prior[stream] = r.Partial
	f.keep(then)
	return nil
}

// keep writes the position in one call, which a kill does not tear.
func (f *forwarder) keep(p logs.Position) {
	if f.fd == nil {
		fd, err := os.OpenFile(f.file, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return // the next daemon sends again what it finds
		}
		f.fd = fd
	}
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), p.Inode)
	_, _ = f.fd.WriteAt(binary.LittleEndian.AppendUint64(b, uint64(p.Offset)), 0)
}

// position is what an earlier daemon has kept; the beginning if that cannot be read.
func (f *forwarder) position() logs.Position {
	data, err := os.ReadFile(f.file)
	if err != nil || len(data) != 16 {
		return logs.Position{}
	}
	return logs.Position{Inode: binary.LittleEndian.Uint64(data), Offset: max(0, int64(binary.LittleEndian.Uint64(data[8:])))}
}

// rest lets go of what is needed only while there is something to send.
func (f *forwarder) rest(err error) {
	if f.fd != nil {
		_ = f.fd.Close()
		f.fd = nil
	}
	f.entry = nil
	switch {
	case err == nil:
		f.said = false
	case !f.said:
		f.said = true
		f.hub.log.Error("the journal does not get the lines of a container, which are in its log; they are sent with the next ones", "containerID", f.id, "error", err)
	}
}

// beginForward marks an attempt as one whose output goes to the journal.
func (h *Hub) beginForward(id string) error {
	return os.WriteFile(filepath.Join(h.engine.IO(id), positionFile), make([]byte, 16), 0o600)
}

// forwards says of an attempt of an earlier daemon that its output goes to the journal.
func (h *Hub) forwards(id string) bool {
	info, err := os.Lstat(filepath.Join(h.engine.IO(id), positionFile))
	return err == nil && info.Mode().IsRegular()
}

// HasJournal says whether there is a journal to write to.
func (h *Hub) HasJournal() bool {
	_, err := os.Stat(h.journal.Path)
	return !errors.Is(err, fs.ErrNotExist)
}
