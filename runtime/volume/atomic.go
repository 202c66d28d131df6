package volume

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The names that Kubernetes' users see in such a volume: every file is a link into ..data, which is a link to a
// folder of one version, so that one rename changes them all.
const (
	currentLink = "..data"
	newLink     = "..data_tmp"
	versionTime = "..2006_01_02_15_04_05."
)

// Write brings the folder of a volume to a payload in one step, and says whether there was anything to do. A reader
// sees all of the old files or all of the new ones. dir must be there.
func Write(dir string, p Payload, owner Owner, now time.Time) (changed bool, err error) {
	for name := range p {
		if err := checkPath(name); err != nil {
			return false, err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("cannot open a volume: %w", err)
	}
	defer func() { _ = root.Close() }()
	w := writer{root, p, owner}
	current, _ := root.Readlink(currentLink)
	if current != "" && w.same(current) {
		return false, errors.Join(w.links(), w.sweep(current)) // an earlier daemon may have died before either
	}
	if err := w.version(now, current); err != nil {
		return false, fmt.Errorf("cannot write a volume: %w", err)
	}
	return true, nil
}

// checkPath holds what validation has held before: podd's own names start with two dots.
func checkPath(name string) error {
	if name == "" || name == "." || path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(name, "..") || len(name) > 4096 {
		return fmt.Errorf("%w: %q", ErrEscapes, name)
	}
	return nil
}

type writer struct {
	root  *os.Root
	files Payload
	owner Owner
}

// version writes the payload into a new folder and makes it the current one.
func (w *writer) version(now time.Time, old string) error {
	name := now.UTC().Format(versionTime) + fmt.Sprintf("%09d", now.Nanosecond())
	if err := errors.Join(w.root.RemoveAll(name), w.root.Mkdir(name, 0o755), w.root.Chmod(name, 0o755)); err != nil {
		return err
	}
	if err := w.fill(name); err != nil {
		return errors.Join(err, w.root.RemoveAll(name))
	}
	_ = w.root.Remove(newLink) // an earlier daemon may have died here
	if err := errors.Join(w.root.Symlink(name, newLink), w.links(), w.root.Rename(newLink, currentLink)); err != nil {
		return errors.Join(err, w.root.RemoveAll(name))
	}
	return w.sweep(name)
}

func (w *writer) fill(version string) error {
	if err := w.folder(version); err != nil {
		return err
	}
	for name, f := range w.files {
		if dir := path.Dir(name); dir != "." {
			if err := w.parents(version, dir); err != nil {
				return err
			}
		}
		at := path.Join(version, name)
		if err := w.root.WriteFile(at, f.Data, 0o600); err != nil {
			return err
		}
		// Owner before mode: a chown clears bits.
		uid, gid, mode := w.owner.ofFile(f)
		if err := errors.Join(w.root.Lchown(at, uid, gid), w.root.Chmod(at, fs.FileMode(mode))); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) parents(version, dir string) error {
	at := version
	for _, part := range strings.Split(dir, "/") {
		at = path.Join(at, part)
		err := w.root.Mkdir(at, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.folder(at); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) folder(at string) error {
	mode := fs.FileMode(0o755)
	if w.owner.Group == nil {
		return w.root.Chmod(at, mode)
	}
	return errors.Join(w.root.Lchown(at, 0, int(*w.owner.Group)), w.root.Chmod(at, mode|fs.ModeSetgid))
}

// tops are the names that are to be seen in the volume itself.
func (w *writer) tops() []string {
	var list []string
	for name := range w.files {
		top, _, _ := strings.Cut(name, "/")
		list = append(list, top)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// links makes the names that are missing. One that comes too early points to nothing, which is what it is so far.
func (w *writer) links() error {
	for _, top := range w.tops() {
		want := currentLink + "/" + top
		if have, err := w.root.Readlink(top); err == nil && have == want {
			continue
		}
		if err := errors.Join(w.root.RemoveAll(top), w.root.Symlink(want, top)); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the names and the versions that are not the current one's.
func (w *writer) sweep(current string) error {
	keep := append(w.tops(), currentLink, current)
	entries, err := fs.ReadDir(w.root.FS(), ".")
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !slices.Contains(keep, e.Name()) {
			errs = append(errs, w.root.RemoveAll(e.Name()))
		}
	}
	return errors.Join(errs...)
}

// same says whether a version holds exactly the payload.
func (w *writer) same(version string) bool {
	seen := 0
	err := fs.WalkDir(w.root.FS(), version, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, ok := w.files[strings.TrimPrefix(at, version+"/")]
		if !ok || !w.sameFile(at, f) {
			return fs.ErrInvalid
		}
		seen++
		return nil
	})
	return err == nil && seen == len(w.files)
}

func (w *writer) sameFile(at string, f File) bool {
	info, err := w.root.Lstat(at)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(f.Data)) {
		return false
	}
	uid, gid, mode := w.owner.ofFile(f)
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != uid || int(st.Gid) != gid || st.Mode&0o777 != mode {
		return false
	}
	data, err := w.root.ReadFile(at)
	return err == nil && bytes.Equal(data, f.Data)
}
