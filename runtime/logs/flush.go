package logs

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// flush writes the complete lines of a stream's spool to the log, with last also
// an incomplete one. If the log cannot be written, they wait, or the oldest go.
func (s *Sink) flush(st Stream, last bool) error {
	if s.spool[st] < 0 {
		return nil
	}
	for {
		now := s.page.load()
		in, err := s.peek(st, now.read[st])
		if err != nil {
			return err
		}
		atEnd := now.read[st]+int64(len(in)) == s.size[st]
		prefix := appendPrefix(s.shop.prefix[:0], s.c.Now(), st)
		out := appendLoss(s.shop.out[:0], prefix, now.lost[st])
		out, used := appendRecords(out, prefix, in, last && atEnd)
		if used == 0 {
			break
		}
		if err := s.put(st, out, now.read[st]+int64(used)); err != nil {
			if shedding := s.shed(st); shedding != nil {
				return shedding
			}
			return err
		}
	}
	return s.reclaim(st)
}

// confess tells of lost bytes where no line follows that could.
func (s *Sink) confess(st Stream) error {
	now := s.page.load()
	if now.lost[st] == 0 {
		return nil
	}
	prefix := appendPrefix(s.shop.prefix[:0], s.c.Now(), st)
	return s.put(st, appendLoss(s.shop.out[:0], prefix, now.lost[st]), now.read[st])
}

// appendLoss appends a record that tells of lost bytes, if there are any.
func appendLoss(out, prefix []byte, lost int64) []byte {
	if lost == 0 {
		return out
	}
	out = append(out, prefix...)
	out = append(out, "podd: "...)
	out = strconv.AppendInt(out, lost, 10)
	return append(out, " bytes of this stream are lost: the log could not be written\n"...)
}

// bypass serves a stream whose spool cannot take more: what is spooled goes to the
// log as it is, and the pipe is read without the spool. cause says why.
func (s *Sink) bypass(st Stream, fd int, cause error, tap func([]byte)) (eof bool, err error) {
	flushed := s.flush(st, true)
	n, err := unix.Read(fd, s.shop.in)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false, nil
	case err != nil:
		return true, fmt.Errorf("cannot read %s for log %s: %w", st, s.c.Path, err)
	case n == 0:
		return true, nil
	}
	in := s.shop.in[:n]
	if tap != nil {
		tap(in)
	}
	for flushed == nil && len(in) > 0 {
		now := s.page.load()
		prefix := appendPrefix(s.shop.prefix[:0], s.c.Now(), st)
		out := appendLoss(s.shop.out[:0], prefix, now.lost[st])
		out, used := appendRecords(out, prefix, in, true)
		if flushed = s.put(st, out, now.read[st]); flushed == nil {
			in = in[used:]
		}
	}
	if len(in) > 0 {
		now := s.page.load()
		now.lost[st] += int64(len(in))
		s.page.store(now)
	}
	return false, s.once(fmt.Errorf("cannot spool %s for log %s: %w", st, s.c.Path, cause))
}
