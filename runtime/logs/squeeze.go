package logs

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
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
	dir, base := filepath.Split(path)
	rotated, err := listRotated(dir, base)
	if err != nil {
		return
	}
	for i, f := range rotated {
		if i == len(rotated)-1 || f.isGzip {
			continue
		}
		plain := filepath.Join(dir, f.plain)
		if err := squeeze(plain); err != nil {
			os.Remove(plain + tmpSuffix)
			continue
		}
		w.mu.Lock()
		if _, err := os.Lstat(plain); err != nil {
			os.Remove(plain + tmpSuffix) // pruned meanwhile
		} else if os.Rename(plain+tmpSuffix, plain+gzSuffix) == nil {
			os.Remove(plain)
		}
		w.mu.Unlock()
	}
}

// squeeze writes the compressed copy under a temporary name, on disk and with the
// time of the original: that is how a follower knows the file again.
func squeeze(plain string) error {
	in, err := os.Open(plain)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(plain+tmpSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
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
	return os.Chtimes(plain+tmpSuffix, info.ModTime(), info.ModTime())
}
