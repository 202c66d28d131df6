package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"podd/internal/beneath"
)

// room opens the log and rotates it if n more bytes would make it too large. No
// intent is pending here, so that an intent's file is always the current one.
func (s *Sink) room(n int) error {
	if err := s.openLog(); err != nil {
		return err
	}
	if s.logSize == 0 || s.logSize+int64(n) <= s.c.MaxSize {
		return nil
	}
	dir, err := openFolder(filepath.Dir(s.c.Path))
	if err != nil {
		return fmt.Errorf("cannot rotate log: %w", err)
	}
	defer dir.Close()
	base := filepath.Base(s.c.Path)
	rotated, err := listRotated(dir, base)
	if err != nil {
		return err
	}
	stamp := s.c.Now().UTC().Format(rotatedFormat)
	if len(rotated) > 0 {
		stamp = stampAfter(rotated[len(rotated)-1].stamp, stamp)
	}
	// Gone is what somebody else has rotated.
	if err := dir.Rename(base, base+"."+stamp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot rotate log: %w", err)
	}
	s.shop.at("log renamed")
	closeFD(&s.log)
	prune(dir, rotated, s.c.MaxFiles-2)
	s.shop.squeezeLater(s.c.Path)
	err = s.openLog()
	s.shop.at("log made anew")
	return err
}

// prune removes the oldest rotated files but keep. A file that cannot be removed
// is there at the next rotation too.
func prune(dir *os.Root, rotated []rotatedFile, keep int) {
	for _, f := range rotated[:max(0, len(rotated)-keep)] {
		dir.Remove(f.plain)
		dir.Remove(f.plain + gzSuffix)
	}
}

// sweep removes what an interrupted compression has left and takes it up again.
func (s *Sink) sweep() {
	dir, err := openFolder(filepath.Dir(s.c.Path))
	if err != nil {
		return // no folder, nothing in it
	}
	defer dir.Close()
	base := filepath.Base(s.c.Path)
	names, err := beneath.List(dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if strings.HasPrefix(name, base+".") && strings.HasSuffix(name, tmpSuffix) {
			dir.Remove(name)
		}
	}
	rotated, err := listRotated(dir, base)
	if err != nil {
		return
	}
	for _, f := range rotated {
		if f.isPlain && f.isGzip {
			dir.Remove(f.plain)
		}
	}
	if len(rotated) > 1 {
		s.shop.squeezeLater(s.c.Path)
	}
}
