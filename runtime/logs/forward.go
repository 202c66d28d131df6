package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// Position is a place in the log of an attempt: a file, and how much of it comes before. The zero value is the beginning.
type Position struct {
	Inode  uint64
	Offset int64
}

// Record is one record of a log. Its fields are valid until the next one.
type Record struct {
	Stamp, Stream string // RFC 3339; stdout or stderr
	Content       []byte
	Partial       bool // the line goes on in the next record of the stream
}

// Forwarding is a log that somebody else is given, record by record.
type Forwarding struct {
	Dir     string // the container's folder
	Attempt int
	From    Position
	// Wake has a value whenever the log may have grown; Done is closed when it is complete.
	Wake, Done <-chan struct{}
	// Send takes a record; after it comes then. Its error ends a round, and the record is sent again in the next.
	Send func(r Record, then Position) error
	// Rest is called before a wait: all that there is was sent, or err says why not.
	Rest func(err error)
}

// Forward sends the records of an attempt, oldest first and across rotated files, until the log is complete or ctx ends. It does
// not look for news by itself, and what it has open while it waits is one file.
func Forward(ctx context.Context, f Forwarding) error {
	t := track{ctx: ctx, dir: f.Dir, base: strconv.Itoa(f.Attempt) + ".log"}
	defer func() { t.close() }()
	for {
		ended := false
		select {
		case <-f.Done:
			ended = true
		default:
		}
		err := f.round(&t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.Rest(err)
		if ended {
			return err
		}
		select {
		case <-f.Wake:
		case <-f.Done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// round sends what there is.
func (f *Forwarding) round(t *track) error {
	if len(t.files) == 0 {
		if err := t.open(); errors.Is(err, ErrNoLog) {
			return nil // it has said nothing yet
		} else if err != nil {
			return fmt.Errorf("cannot read log of attempt %d: %w", f.Attempt, err)
		}
		t.skipTo(f.From)
	}
	for {
		if err := f.file(t.files[0]); err != nil {
			return err
		}
		if t.next() {
			continue
		}
		if grown, err := t.grow(); err != nil || !grown {
			t.files[0].lines.rest()
			return err
		}
	}
}

// file sends the rest of one file. skip is what of it was sent.
func (f *Forwarding) file(p *piece) error {
	if err := p.begin(); err != nil {
		return fmt.Errorf("cannot read log %s: %w", p.f.Name(), err)
	}
	inode := inodeOf(p.info)
	for {
		line, err := p.lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read log %s: %w", p.f.Name(), err)
		}
		then := p.skip + int64(len(line)) + 1
		if r, ok := parseRecord(line); ok {
			record := Record{Stamp: string(r.stamp), Stream: string(r.stream), Content: r.content, Partial: r.partial}
			if err := f.Send(record, Position{inode, then}); err != nil {
				p.ready, p.lines = false, lineReader{} // from skip on, again
				return err
			}
		}
		p.skip = then
	}
}

// skipTo leaves out what comes before a position. What is not found any more, because it was compressed or removed, leaves out
// nothing: a record that comes twice is better than one that is missing.
func (t *track) skipTo(from Position) {
	for i, p := range t.files {
		if from.Inode != 0 && inodeOf(p.info) == from.Inode {
			closePieces(t.files[:i])
			t.files = t.files[i:]
			if p.skip = from.Offset; !p.isGzip() {
				p.skip = min(p.skip, p.info.Size())
			}
			return
		}
	}
}

func inodeOf(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// rest gives the buffer back if nothing waits in it.
func (l *lineReader) rest() {
	if l.start == l.end {
		l.buf, l.start, l.end = nil, 0, 0
	}
}
