package logs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// firstWindow is how much of a file's end is first looked at for the last lines.
const firstWindow = 64 << 10

// skipToTail leaves only the last n lines of the stream (empty: of both). A line
// that was split is one line, and so is an end without newline.
func (t *track) skipToTail(n int64, stream string) error {
	n = max(n, 0)
	last := len(t.files) - 1
	for i := last; i >= 0; i-- {
		found, skip, err := t.files[i].tail(n, stream, i == last)
		if err != nil {
			return err
		}
		if found < 0 {
			t.files[i].skip = skip
			closePieces(t.files[:i])
			t.files = t.files[i:]
			return nil
		}
		n -= found
	}
	return nil
}

// tail looks for the place after which n lines are left. If the file has more than
// that, found is -1 and skip the place, else found is how many lines it has.
func (p *piece) tail(n int64, stream string, last bool) (found, skip int64, err error) {
	if p.isGzip() {
		if _, err := p.f.Seek(0, io.SeekStart); err != nil {
			return 0, 0, err
		}
		z, err := gzip.NewReader(p.in)
		if err != nil {
			return 0, 0, err
		}
		return findTail(z, 0, n, stream, last)
	}
	size, err := p.f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	for window := int64(firstWindow); ; window *= 8 {
		from := max(0, size-window)
		found, skip, err = findTail(io.NewSectionReader(p.in, from, size-from), from, n, stream, last)
		if err != nil || found < 0 || from == 0 {
			return found, skip, err
		}
	}
}

// findTail is tail for what r has, which begins at offset from in the file; if
// that is not 0, the first line is incomplete and only its end counts.
func findTail(r io.Reader, from, n int64, stream string, last bool) (found, skip int64, err error) {
	lines := lineReader{r: r}
	var ends []int64 // the places where the last lines end, the newest last
	at, open := from, false
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		cut := from > 0 && at == from
		at += int64(len(line)) + 1
		rec, ok := parseRecord(line)
		if cut || !ok || stream != "" && !bytes.Equal(rec.stream, []byte(stream)) {
			continue
		}
		if open = rec.partial; !open {
			ends = keepLast(append(ends, at), n)
		}
	}
	if open && last {
		ends = keepLast(append(ends, at), n)
	}
	if int64(len(ends)) > n {
		return -1, ends[int64(len(ends))-1-n], nil
	}
	return int64(len(ends)), 0, nil
}

// keepLast keeps one end more than lines are wanted: that is where they begin. It
// drops many at once, or each line would cost a copy of all.
func keepLast(ends []int64, n int64) []int64 {
	if surplus := int64(len(ends)) - (n + 1); surplus > n+1024 {
		ends = ends[:copy(ends, ends[surplus:])]
	}
	return ends
}
