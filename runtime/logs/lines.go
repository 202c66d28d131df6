package logs

import (
	"bytes"
	"io"
)

// lineReader gives complete lines and keeps an incomplete one until the file has
// the rest of it. Our records fit into the buffer; a longer foreign line comes in
// pieces, which the parser does not take for records.
type lineReader struct {
	r          io.Reader
	buf        []byte
	start, end int
}

// lineBuffer holds a record of the greatest length.
const lineBuffer = 2 * maxContent

// next returns the next line without its newline, valid until the next call, or
// io.EOF if there is no complete one at the moment.
func (l *lineReader) next() ([]byte, error) {
	if l.buf == nil {
		l.buf = make([]byte, lineBuffer)
	}
	seen := l.start
	for {
		if n := bytes.IndexByte(l.buf[seen:l.end], '\n'); n >= 0 {
			line := l.buf[l.start : seen+n]
			l.start = seen + n + 1
			return line, nil
		}
		if l.start > 0 {
			l.end = copy(l.buf, l.buf[l.start:l.end])
			l.start = 0
		}
		if l.end == len(l.buf) {
			l.start = l.end
			return l.buf, nil
		}
		seen = l.end
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		if n == 0 {
			if err == nil {
				err = io.ErrNoProgress
			}
			return nil, err
		}
	}
}
