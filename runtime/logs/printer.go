package logs

import (
	"bufio"
	"errors"
	"time"
)

// errLimit ends a read at LimitBytes.
var errLimit = errors.New("limit reached")

// printer writes records as kubectl logs shows them.
type printer struct {
	out        *bufio.Writer
	stream     string
	since      time.Time
	timestamps bool
	limited    bool
	left       int64
	midLine    bool // the last record had no newline
}

func newPrinter(out *bufio.Writer, o ReadOptions) *printer {
	p := &printer{out: out, stream: o.Stream, since: o.SinceTime, timestamps: o.Timestamps}
	if o.LimitBytes != nil {
		p.limited, p.left = true, *o.LimitBytes
	}
	return p
}

// print writes one line of a log file. One that is no record is left out, as the
// kubelet does.
func (p *printer) print(line []byte) error {
	r, ok := parseRecord(line)
	if !ok || p.stream != "" && p.stream != string(r.stream) {
		return nil
	}
	if !p.since.IsZero() {
		at, err := time.Parse(time.RFC3339Nano, string(r.stamp))
		if err != nil || at.Before(p.since) {
			return nil
		}
	}
	if p.timestamps && !p.midLine {
		if err := errors.Join(p.write(r.stamp), p.write([]byte{' '})); err != nil {
			return err
		}
	}
	p.midLine = r.partial
	if err := p.write(r.content); err != nil || r.partial {
		return err
	}
	return p.write([]byte{'\n'})
}

func (p *printer) write(b []byte) error {
	if p.limited {
		b = b[:min(int64(len(b)), p.left)]
		p.left -= int64(len(b))
	}
	if _, err := p.out.Write(b); err != nil {
		return err
	}
	if p.limited && p.left <= 0 {
		return errLimit
	}
	return nil
}
