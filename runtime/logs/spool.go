package logs

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// spoolSuffix tells a spool from a FIFO that may be its neighbour.
const spoolSuffix = ".spool"

// reclaimAt is how much of a spool may be read before its rest moves to the front.
const reclaimAt = chunk

func (s *Sink) spoolPath(st Stream) string {
	return filepath.Join(s.c.SpoolDir, st.String()+spoolSuffix)
}

// hasSpool says whether the stream ever had anything to spool.
func (s *Sink) hasSpool(st Stream) bool {
	return s.spool[st] >= 0 || unix.Access(s.spoolPath(st), unix.F_OK) == nil
}

// openSpool opens the stream's spool and makes it if need be.
func (s *Sink) openSpool(st Stream) error {
	if s.spool[st] >= 0 {
		return nil
	}
	fd, err := openRegular(s.spoolPath(st), 0o600, s.c.Damaged, lostLines)
	if err != nil {
		return fmt.Errorf("cannot open log spool %s: %w", s.spoolPath(st), err)
	}
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot stat log spool %s: %w", s.spoolPath(st), err)
	}
	s.spool[st], s.size[st] = fd, info.Size
	if now := s.page.load(); now.read[st] > info.Size && now.move != int64(st)+1 {
		now.read[st] = info.Size // somebody else has cut it
		s.page.store(now)
	}
	return nil
}

// fill moves up to a chunk from the pipe to the end of the spool.
func (s *Sink) fill(st Stream, fd int) (int, error) {
	if err := s.openSpool(st); err != nil {
		return 0, err
	}
	for {
		offset := s.size[st]
		n, err := unix.Splice(fd, nil, s.spool[st], &offset, chunk, unix.SPLICE_F_NONBLOCK)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		s.size[st] += int64(n)
		s.shop.at("spliced")
		return int(n), nil
	}
}

// peek reads a chunk of the spool from offset on.
func (s *Sink) peek(st Stream, offset int64) ([]byte, error) {
	in := s.shop.in
	if unread := s.size[st] - offset; unread < int64(len(in)) {
		in = in[:max(unread, 0)]
	}
	if len(in) == 0 {
		return nil, nil
	}
	n, err := unix.Pread(s.spool[st], in, offset)
	if err != nil {
		return nil, fmt.Errorf("cannot read log spool %s: %w", s.spoolPath(st), err)
	}
	return in[:n], nil
}

// reclaim gives the read part of a spool back to the tmpfs. The rest, mostly the
// beginning of a line, is copied to the front first: no byte of it may be missing
// at any moment.
func (s *Sink) reclaim(st Stream) error {
	now := s.page.load()
	read, rest := now.read[st], s.size[st]-now.read[st]
	if read == 0 || rest > 0 && (read < reclaimAt || rest > read) {
		return nil
	}
	for done := int64(0); done < rest; {
		piece, err := s.peek(st, read+done)
		if err != nil {
			return err
		}
		n, err := unix.Pwrite(s.spool[st], piece, done)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("cannot move the rest of log spool %s: %w", s.spoolPath(st), err)
		}
		done += int64(n)
	}
	s.shop.at("rest copied")
	now.move, now.moveLen = int64(st)+1, rest
	s.page.store(now)
	s.shop.at("move begun")
	return s.endMove()
}

// endMove finishes a begun move.
func (s *Sink) endMove() error {
	now := s.page.load()
	if now.move == 0 {
		return nil
	}
	st := Stream(now.move - 1)
	if err := s.openSpool(st); err != nil {
		return err
	}
	if now.moveLen > s.size[st] { // what was never moved
		now.move, now.moveLen = 0, 0
		s.page.store(now)
		return nil
	}
	if err := unix.Ftruncate(s.spool[st], now.moveLen); err != nil {
		return fmt.Errorf("cannot cut log spool %s: %w", s.spoolPath(st), err)
	}
	s.size[st] = now.moveLen
	s.shop.at("spool cut")
	now.read[st], now.move, now.moveLen = 0, 0, 0
	s.page.store(now)
	s.shop.at("move ended")
	return nil
}

// shed drops the oldest lines of a stream that has waited for the disk until its
// spool was full, down to half of what it may hold.
func (s *Sink) shed(st Stream) error {
	now := s.page.load()
	if s.size[st]-now.read[st] <= s.c.SpoolMax {
		return nil
	}
	keep := s.size[st] - s.c.SpoolMax/2
	piece, err := s.peek(st, keep)
	if err != nil {
		return err
	}
	keep += int64(bytes.IndexByte(piece, '\n') + 1)
	now.lost[st] += keep - now.read[st]
	now.read[st] = keep
	s.page.store(now)
	s.shop.at("shed")
	return s.reclaim(st)
}
