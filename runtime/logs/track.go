package logs

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"podd/internal/beneath"
)

// track is the row of files that make up one log, oldest first, with the current
// one last. They are all open, so that rotation, compression and removal cannot
// take one away from a reader.
type track struct {
	ctx       context.Context
	dir, base string
	files     []*piece
}

// untilDone reads until its context ends: a pod that has its log mounted may make it as large as it likes.
type untilDone struct {
	ctx context.Context
	f   *os.File
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.f.Read(p)
}

func (u untilDone) ReadAt(p []byte, off int64) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.f.ReadAt(p, off)
}

// piece is one file of a log.
type piece struct {
	f       *os.File
	in      untilDone // f
	info    fs.FileInfo
	current bool   // when it was opened
	stamp   string // of a rotated file; of the current one that of the file before
	lines   lineReader
	skip    int64 // bytes of content before the first line to read
	ready   bool
}

// open opens the files as they are at one moment.
func (t *track) open() error {
	dir, err := openFolder(t.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoLog
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		rotated, err := listRotated(dir, t.base)
		if err != nil {
			return err
		}
		files, err := t.openPieces(dir, rotated)
		if err == nil {
			var again []rotatedFile
			again, err = listRotated(dir, t.base)
			if err == nil && slices.Equal(rotated, again) {
				t.files = files
				break
			}
		}
		closePieces(files)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := t.ctx.Err(); err != nil {
			return err // somebody makes and removes files all the time
		}
	}
	if len(t.files) == 0 {
		return ErrNoLog
	}
	return nil
}

// openPieces opens the listed files and the current one if there is one.
func (t *track) openPieces(dir *os.Root, rotated []rotatedFile) ([]*piece, error) {
	var files []*piece
	stamp := ""
	for _, r := range rotated {
		name := r.plain
		if !r.isPlain {
			name += gzSuffix
		}
		p, err := t.openPiece(dir, name, r.stamp)
		if err != nil {
			return files, err
		}
		files, stamp = append(files, p), r.stamp
	}
	current, err := t.openPiece(dir, t.base, stamp)
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return files, err
	}
	current.current = true
	return append(files, current), nil
}

func (t *track) openPiece(dir *os.Root, name, stamp string) (*piece, error) {
	f, err := beneath.Open(dir, name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &piece{f: f, in: untilDone{t.ctx, f}, info: info, stamp: stamp}, nil
}

func closePieces(files []*piece) {
	for _, p := range files {
		p.f.Close()
	}
}

func (t *track) close() { closePieces(t.files) }

// copyTo prints the first file from where the last copy stopped to its end.
func (t *track) copyTo(ctx context.Context, p *printer) error {
	if len(t.files) == 0 {
		return nil
	}
	first := t.files[0]
	if err := first.begin(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("cannot read log %s: %w", first.f.Name(), err)
	}
	for ctx.Err() == nil {
		line, err := first.lines.next()
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read log %s: %w", first.f.Name(), err)
		}
		if err := p.print(line); err != nil {
			return err
		}
	}
	return nil
}

// next leaves the first file behind if there is another.
func (t *track) next() bool {
	if len(t.files) < 2 {
		return false
	}
	t.files[0].f.Close()
	t.files = t.files[1:]
	return true
}

// grow looks for files that came after the last one and adds them.
func (t *track) grow() (bool, error) {
	last := t.files[len(t.files)-1]
	if info, err := os.Lstat(filepath.Join(t.dir, t.base)); err == nil && os.SameFile(info, last.info) {
		return false, nil
	}
	now := track{ctx: t.ctx, dir: t.dir, base: t.base}
	if err := now.open(); errors.Is(err, ErrNoLog) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	after := now.after(last)
	closePieces(now.files[:after])
	t.files = append(t.files, now.files[after:]...)
	return after < len(now.files), nil
}

// after is the index of the file that follows last. If last is gone, it is the
// first of a later stamp, or the current one, which may not be made yet.
func (t *track) after(last *piece) int {
	info, err := last.f.Stat()
	if err != nil {
		info = last.info
	}
	for i, p := range t.files {
		if os.SameFile(p.info, info) || p.isSqueezed(last, info) {
			return i + 1
		}
	}
	for i, p := range t.files {
		if p.stamp > last.stamp {
			return i
		}
	}
	n := len(t.files)
	if n > 0 && t.files[n-1].current {
		return n - 1
	}
	return n
}

// isSqueezed tells whether p is what compression made of last. The time alone does not tell: the kernel gives files that
// are written within one tick the same one.
func (p *piece) isSqueezed(last *piece, info fs.FileInfo) bool {
	if last.current && p.stamp <= last.stamp || !last.current && p.stamp != last.stamp {
		return false
	}
	return p.isGzip() && p.info.ModTime().Equal(info.ModTime())
}

func (p *piece) isGzip() bool { return filepath.Ext(p.f.Name()) == gzSuffix }

// begin makes the file ready for reading from the line that was asked for.
func (p *piece) begin() error {
	if p.ready {
		return nil
	}
	p.ready = true
	p.lines.r = p.in
	if !p.isGzip() {
		_, err := p.f.Seek(p.skip, io.SeekStart)
		return err
	}
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	z, err := gzip.NewReader(p.in)
	if err != nil {
		return err
	}
	p.lines.r = z
	_, err = io.CopyN(io.Discard, z, p.skip)
	return err
}
