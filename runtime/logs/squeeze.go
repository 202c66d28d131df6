package logs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"podd/internal/beneath"
)

// squeezeLater has the rotated files of a log compressed but for the newest, which
// a shipper may still be reading. One goroutine works for all sinks and lives only
// while there is something to do. The lock is held.
func (w *workshop) squeezeLater(path string) {
	if !slices.Contains(w.waiting, path) {
		w.waiting = append(w.waiting, path)
	}
	if w.squeezing {
		return
	}
	w.squeezing = true
	w.squeezers.Go(w.squeezeAll)
}

func (w *workshop) squeezeAll() {
	for {
		w.mu.Lock()
		if len(w.waiting) == 0 {
			w.squeezing = false
			w.mu.Unlock()
			return
		}
		path := w.waiting[0]
		w.waiting = slices.Delete(w.waiting, 0, 1)
		w.mu.Unlock()
		w.squeezeLog(path)
	}
}

// squeezeLog compresses what there is to compress of one log. A file on which that
// fails stays as it is and is tried again at the next rotation; so there is nothing
// to report.
func (w *workshop) squeezeLog(path string) {
	dir, err := openFolder(filepath.Dir(path))
	if err != nil {
		return
	}
	defer dir.Close()
	rotated, err := listRotated(dir, filepath.Base(path))
	if err != nil {
		return
	}
	for i, f := range rotated {
		if i == len(rotated)-1 || f.isGzip {
			continue
		}
		if err := squeeze(dir, f.plain); err != nil {
			dir.Remove(f.plain + tmpSuffix)
			continue
		}
		w.mu.Lock()
		if _, err := dir.Lstat(f.plain); err != nil {
			dir.Remove(f.plain + tmpSuffix) // pruned meanwhile
		} else if dir.Rename(f.plain+tmpSuffix, f.plain+gzSuffix) == nil {
			dir.Remove(f.plain)
		}
		w.mu.Unlock()
	}
}

// squeeze writes the compressed copy under a temporary name, on disk and with the
// time of the original: that is how a follower knows the file again.
func squeeze(dir *os.Root, plain string) error {
	in, err := beneath.Open(dir, plain)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if isHollow(info) {
		return errors.New("it is no log: it has next to no data")
	}
	// What is there is not podd's: what an interrupted compression has left is removed when the log is opened.
	out, err := dir.OpenFile(plain+tmpSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer out.Close()
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, in); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return os.Chtimes(fmt.Sprintf("/proc/self/fd/%d", out.Fd()), info.ModTime(), info.ModTime())
}

// isHollow tells of a file that somebody has made large without writing it: reading its zeros would keep all other logs
// from being compressed. File systems that compress make logs smaller, but not by that much.
func isHollow(info fs.FileInfo) bool {
	const some, factor = 64 << 20, 100
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Size() > some && info.Size()/factor > st.Blocks*512
}
