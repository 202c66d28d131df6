package registry

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What is known of a layer after its first bytes decides whether it is spooled.
const (
	judgeBytes = 4 << 20
	judgeTime  = 5 * time.Second
	// undecided is what all layers together may hold in memory before they are judged, in bytes: then one of them is judged by
	// less.
	undecided  = 8 << 20
	earlyBlock = 256 << 10
)

// A spool is two files: the blob as far as it came, and a checksum of each block of it. A block that a power cut has torn is
// found by its checksum and fetched again; so there is no order of writes to keep.
const (
	spoolBlock = 64 << 10
	spoolSync  = 4 << 20 // bytes between two fsyncs
	// spoolWait is the longest time between two: on the slowest links 4 MiB are what comes in half an hour.
	spoolWait = 5 * time.Second
)

// spooled reads a blob, and keeps what has come of a slow one, so that no death of podd or of the machine costs it twice.
type spooled struct {
	b        *blob
	path     string
	early    [][]byte // all that has come, as long as it is not decided
	inMemory int64    // bytes of early
	began    time.Time
	slow     time.Duration
	file     *os.File // that is written; nil: it is not spooled, or not yet
	sums     *os.File
	block    []byte // what has come of the block that is not full
	dirty    int
	synced   time.Time
	held     *bufio.Reader // what an earlier try has left, which is read first
	left     int64
	kept     *os.File // of held
}

// spool opens the spool of a blob, if there is one, and lets the blob go on behind it.
func (c *Client) spool(b *blob) (io.ReadCloser, error) {
	if c.Spool == "" {
		return b, nil
	}
	slow := c.SlowAfter
	if slow == 0 {
		slow = time.Minute
	}
	s := &spooled{b: b, path: c.spoolFile(b.digest), began: time.Now(), slow: slow}
	have, err := verifySpool(s.path)
	if have == 0 || err != nil {
		return s, nil
	}
	if b.size > 0 && have > b.size {
		removeSpool(s.path)
		return s, nil
	}
	if err := s.resume(have); err != nil {
		s.stop()
		removeSpool(s.path)
		s.held = nil
	}
	return s, nil
}

func (c *Client) spoolFile(digest string) string {
	return filepath.Join(c.Spool, strings.ReplaceAll(digest, ":", "-"))
}

// resume goes on with a spool of which have bytes are good.
func (s *spooled) resume(have int64) (err error) {
	if s.kept, err = os.Open(s.path); err != nil {
		return err
	}
	if s.file, err = os.OpenFile(s.path, os.O_WRONLY, 0); err != nil {
		return err
	}
	if s.sums, err = os.OpenFile(s.path+".sums", os.O_WRONLY, 0); err != nil {
		return err
	}
	if err := errors.Join(s.file.Truncate(have), s.sums.Truncate(have/spoolBlock*4)); err != nil {
		return err
	}
	if _, err := s.file.Seek(have, io.SeekStart); err != nil {
		return err
	}
	if _, err := s.sums.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	s.held, s.left = bufio.NewReaderSize(io.LimitReader(s.kept, have), spoolBlock), have
	s.b.off = have
	return nil
}

func (s *spooled) Read(p []byte) (int, error) {
	if s.held != nil {
		n, err := s.held.Read(p)
		s.left -= int64(n)
		if n > 0 {
			return n, nil
		}
		if s.left > 0 {
			return 0, fmt.Errorf("cannot read a layer that was kept: %w", err)
		}
		s.held = nil
		_ = s.kept.Close() // it was only read
		s.kept = nil
	}
	n, err := s.b.Read(p)
	if n > 0 {
		s.take(p[:n])
	}
	return n, err
}

// take keeps what has come. A disk without room for it is no reason to stop: it is then merely not kept.
func (s *spooled) take(p []byte) {
	if s.file != nil {
		if err := s.write(p); err != nil {
			s.stop()
			removeSpool(s.path)
		}
		return
	}
	if s.slow < 0 {
		return // decided
	}
	together := s.hold(p)
	took := time.Since(s.began)
	if s.inMemory < judgeBytes && took < judgeTime && together < undecided {
		return
	}
	rate := float64(s.inMemory) / max(took.Seconds(), 1e-6)
	rest := float64(s.b.size - s.b.off)
	slow := s.b.size == 0 || rest/rate > s.slow.Seconds()
	s.slow = -1
	early := s.early
	s.drop()
	if !slow {
		return
	}
	err := s.begin()
	for _, block := range early {
		if err == nil {
			err = s.write(block)
		}
	}
	if err != nil {
		s.stop()
		removeSpool(s.path)
	}
}

// hold keeps what has come in memory, and says how much all layers hold there.
func (s *spooled) hold(p []byte) (together int64) {
	for rest := p; len(rest) > 0; {
		last := len(s.early) - 1
		if last < 0 || len(s.early[last]) == cap(s.early[last]) {
			s.early = append(s.early, make([]byte, 0, earlyBlock))
			last++
		}
		n := min(len(rest), cap(s.early[last])-len(s.early[last]))
		s.early[last] = append(s.early[last], rest[:n]...)
		rest = rest[n:]
	}
	s.inMemory += int64(len(p))
	return s.b.s.c.held.Add(int64(len(p)))
}

// drop forgets it.
func (s *spooled) drop() {
	s.b.s.c.held.Add(-s.inMemory)
	s.early, s.inMemory = nil, 0
}

func (s *spooled) begin() (err error) {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	const flags = os.O_CREATE | os.O_TRUNC | os.O_WRONLY | unix.O_NOFOLLOW
	if s.file, err = os.OpenFile(s.path, flags, 0o600); err != nil {
		return err
	}
	s.sums, err = os.OpenFile(s.path+".sums", flags, 0o600)
	return err
}

// write appends whole blocks, each with its checksum.
func (s *spooled) write(p []byte) error {
	for len(p) > 0 {
		if s.block == nil {
			s.block = make([]byte, 0, spoolBlock)
		}
		n := min(len(p), spoolBlock-len(s.block))
		s.block = append(s.block, p[:n]...)
		p = p[n:]
		if len(s.block) < spoolBlock {
			break
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (s *spooled) flush() error {
	if _, err := s.file.Write(s.block); err != nil {
		return err
	}
	var sum [4]byte
	binary.LittleEndian.PutUint32(sum[:], crc32.Checksum(s.block, castagnoli()))
	if _, err := s.sums.Write(sum[:]); err != nil {
		return err
	}
	s.dirty += len(s.block)
	s.block = s.block[:0]
	now := time.Now()
	if s.dirty < spoolSync && now.Sub(s.synced) < spoolWait {
		return nil
	}
	s.dirty, s.synced = 0, now
	return errors.Join(unix.Fdatasync(int(s.file.Fd())), unix.Fdatasync(int(s.sums.Fd())))
}

// stop closes the files; what is in them stays.
func (s *spooled) stop() {
	for _, f := range []**os.File{&s.file, &s.sums, &s.kept} {
		if *f != nil {
			_ = (*f).Close() // a block that did not get to the disk is fetched again
			*f = nil
		}
	}
}

// Close lets go of the connection. What has come stays: Forget removes it.
func (s *spooled) Close() error {
	s.drop()
	s.stop()
	return s.b.Close()
}

// castagnoli: hardware knows this checksum.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// verifySpool says how many bytes of a spool are good.
func verifySpool(path string) (int64, error) {
	sums, err := os.ReadFile(path + ".sums")
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read
	block := make([]byte, spoolBlock)
	good := int64(0)
	for ; len(sums) >= 4; sums = sums[4:] {
		if _, err := io.ReadFull(f, block); err != nil {
			break
		}
		if crc32.Checksum(block, castagnoli()) != binary.LittleEndian.Uint32(sums) {
			break
		}
		good += spoolBlock
	}
	return good, nil
}

func removeSpool(path string) {
	_ = os.Remove(path)
	_ = os.Remove(path + ".sums")
}

// Forget removes what is kept of a layer: it is in the store, or what came was wrong.
func (i *Image) Forget(digest string) {
	if i.s.c.Spool != "" {
		removeSpool(i.s.c.spoolFile(digest))
	}
}

// CleanSpool removes what was kept of layers that nobody has asked for since a time, and of those that are there: podd may have
// died between taking a layer into the store and forgetting how it came. have may be nil.
func (c *Client) CleanSpool(before time.Time, have func(digest string) bool) error {
	entries, err := os.ReadDir(c.Spool)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look for old downloads: %w", err)
	}
	for _, e := range entries {
		blob := strings.TrimSuffix(e.Name(), ".sums")
		_, gone := os.Lstat(filepath.Join(c.Spool, blob))
		info, err := e.Info()
		if err != nil || gone == nil && info.ModTime().After(before) && (have == nil || !have(strings.Replace(blob, "-", ":", 1))) {
			continue
		}
		_ = os.RemoveAll(filepath.Join(c.Spool, e.Name()))
	}
	return nil
}
