package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/internal/beneath"
)

// put writes records to the log, and with that the stream's spool is read up to
// readThen and its loss is told: both or neither, whenever the process dies.
func (s *Sink) put(st Stream, records []byte, readThen int64) error {
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.room(len(records)); err != nil {
		return err
	}
	now := s.page.load()
	now.length, now.offset, now.inode = int64(len(records)), s.logSize, s.inode
	now.stream, now.readThen, now.lostThen = int64(st), readThen, 0
	s.page.store(now)
	s.shop.at("intent stored")
	for done := 0; done < len(records); {
		n, err := s.shop.pwrite(s.log, records[done:], s.logSize+int64(done))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			err = fmt.Errorf("cannot write log %s: %w", s.c.Path, err)
			return errors.Join(err, s.settle())
		}
		done += n
		s.shop.at("written")
	}
	s.logSize += int64(len(records))
	s.accept(now)
	return nil
}

// accept ends an intent whose bytes are in the log.
func (s *Sink) accept(now state) {
	now.read[now.stream], now.lost[now.stream] = now.readThen, now.lostThen
	now.length = 0
	s.page.store(now)
	s.shop.at("accepted")
}

// settle ends a pending intent by what the log has of it.
func (s *Sink) settle() error {
	now := s.page.load()
	if now.length == 0 {
		return nil
	}
	if err := s.openLog(); err != nil {
		return err
	}
	ours := s.inode == now.inode && s.logSize >= now.offset
	if ours && s.logSize >= now.offset+now.length {
		s.accept(now)
		return nil
	}
	if ours && s.logSize > now.offset {
		if err := unix.Ftruncate(s.log, now.offset); err != nil {
			return fmt.Errorf("cannot cut log %s: %w", s.c.Path, err)
		}
		s.logSize = now.offset
		s.shop.at("log cut")
	}
	now.length = 0
	s.page.store(now)
	s.shop.at("intent dropped")
	return nil
}

// openLog opens the log, and makes it and its folder if need be or if somebody has
// removed them meanwhile.
func (s *Sink) openLog() error {
	var info unix.Stat_t
	if s.log >= 0 {
		if err := unix.Fstat(s.log, &info); err == nil && info.Nlink > 0 {
			s.logSize = info.Size
			return nil
		}
		closeFD(&s.log)
	}
	fd, replaced, err := openCurrent(s.c.Path)
	if replaced {
		s.c.Damaged.Of(&atomicfile.Damage{Path: s.c.Path, Cause: atomicfile.ErrNotRegular}, "a new log was made in its place")
	}
	if err != nil {
		return fmt.Errorf("cannot open log %s: %w", s.c.Path, err)
	}
	if err := unix.Fstat(fd, &info); err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot stat log %s: %w", s.c.Path, err)
	}
	s.log, s.logSize, s.inode = fd, info.Size, info.Ino
	return nil
}

// asideSuffix is for a folder that was in the place of a log.
const asideSuffix = ".folder"

// openCurrent opens the log to write it, and makes it and its folder if they are not there. What a pod has put in its
// place (a link to a file of the board, a named pipe) is removed: there is nothing of the log in it. A folder with
// something in it is moved aside.
func openCurrent(path string) (fd int, replaced bool, err error) {
	dir, err := makeFolder(filepath.Dir(path))
	if err != nil {
		return -1, false, err
	}
	defer dir.Close()
	base := filepath.Base(path)
	f, err := beneath.OpenFile(dir, base, os.O_RDWR|os.O_CREATE, fileMode)
	if errors.Is(err, beneath.ErrNotRegular) && (dir.Remove(base) == nil || dir.Rename(base, base+asideSuffix) == nil) {
		replaced = true
		f, err = beneath.OpenFile(dir, base, os.O_RDWR|os.O_CREATE, fileMode)
	}
	if err != nil {
		return -1, replaced, err
	}
	defer f.Close()
	fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	return fd, replaced, err
}

// mendLog settles, and ends a line that a loss of power has torn: the next one
// must not continue it.
func (s *Sink) mendLog() error {
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.openLog(); err != nil || s.logSize == 0 {
		return err
	}
	var last [1]byte
	if n, err := unix.Pread(s.log, last[:], s.logSize-1); err != nil || n == 1 && last[0] == '\n' {
		return err
	}
	_, err := s.shop.pwrite(s.log, []byte{'\n'}, s.logSize)
	return err
}
