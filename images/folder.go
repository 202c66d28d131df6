package images

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/fault"
	"podd/internal/atomicfile"
	"podd/internal/hostfile"
)

// imports follows the folder of archives.
type imports struct{ s *Store }

func (s *Store) imports() imports { return imports{s} }

// ImportResult is what became of one archive of a folder.
type ImportResult struct {
	File    string
	New     bool    // it was read by this call; otherwise it is as it was when it was read last
	Images  []Image // of an archive that was read by this call
	Err     error   // one sentence; repeated by later calls until the file changes
	Pending bool    // somebody is still writing it: the end of that is an event for WatchFolder
}

// memory is one archive in <root>/folder.json: a start must not read all archives again.
type memory struct {
	Size  int64     `json:"size"`
	MTime time.Time `json:"mtime"`
	Err   string    `json:"error,omitempty"`
	// IDs of the images that it gave and that nobody has removed since: what of them the store lacks is imported again.
	IDs []string `json:"ids,omitempty"`
}

// ImportFolder imports the archives of dir that are new or changed (by name, size and time) or whose images the store has
// lost, oldest first, so that the newest keeps a name that several give. Hidden files, editors' and downloaders' leftovers and notes are ignored; a
// folder with an oci-layout counts as an archive. A folder that does not exist holds none. The results are in the order
// of the names. One goroutine of one process may import at a time.
func (s *Store) ImportFolder(ctx context.Context, dir string) ([]ImportResult, error) {
	found, hanging, err := s.imports().listArchives(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the folder of image archives %s: %w", dir, err)
	}
	known := s.imports().readMemory()
	next := map[string]memory{}
	var results []ImportResult
	for _, path := range hanging {
		results = append(results, ImportResult{File: path, New: true, Err: fmt.Errorf("cannot import %s: %w", path, hostfile.ErrHangs)})
		if m, ok := known[path]; ok {
			next[path] = m
		}
	}
	for _, a := range found {
		m, ok := known[a.path]
		r := ImportResult{File: a.path}
		if !ok || m.Size != a.size || !m.MTime.Equal(a.mtime) || s.imports().lacks(m.IDs) {
			r = s.imports().importArchive(ctx, a)
			m = memory{Size: a.size, MTime: a.mtime}
			for _, img := range r.Images {
				m.IDs = append(m.IDs, img.ID)
			}
			if r.Err != nil {
				m.Err = r.Err.Error()
			}
		} else if m.Err != "" {
			r.Err = &fault.Sentence{Kind: ErrRefused, Text: m.Err}
		}
		if !r.Pending && (r.Err == nil || isFinal(r.Err)) {
			next[a.path] = m
		}
		results = append(results, r)
	}
	sort.Slice(results, func(i, j int) bool { return results[i].File < results[j].File })
	if maps.EqualFunc(known, next, sameMemory) {
		return results, nil
	}
	return results, s.changing(func() error {
		for path, m := range next { // what was removed meanwhile is not to come back
			m.IDs = slices.DeleteFunc(m.IDs, func(id string) bool { return s.state.Load().byID[id] == nil })
			next[path] = m
		}
		return s.imports().writeMemory(next)
	})
}

func sameMemory(a, b memory) bool {
	return a.Size == b.Size && a.MTime.Equal(b.MTime) && a.Err == b.Err && slices.Equal(a.IDs, b.IDs)
}

// lacks says that the store has lost an image.
func (im imports) lacks(ids []string) bool {
	state := im.s.state.Load()
	return slices.ContainsFunc(ids, func(id string) bool {
		img := state.byID[id]
		return img == nil || img.lost != ""
	})
}

// forgetImported lets an image that somebody removes stay away though its archive is still in the folder.
func (im imports) forgetImported(id string) error {
	known := im.readMemory()
	changed := false
	for path, m := range known {
		if slices.Contains(m.IDs, id) {
			m.IDs = slices.DeleteFunc(m.IDs, func(have string) bool { return have == id })
			known[path], changed = m, true
		}
	}
	if !changed {
		return nil
	}
	return im.writeMemory(known)
}

// isFinal tells a verdict on the archive from a failure of the machine, after which the same file may well go in.
func isFinal(err error) bool {
	return errors.Is(err, ErrRefused) || errors.Is(err, ErrTruncated) || errors.Is(err, ErrPlatform)
}

func (im imports) importArchive(ctx context.Context, a foundArchive) ImportResult {
	r := ImportResult{File: a.path, New: true}
	if a.file && beingWritten(a.path) {
		return ImportResult{File: a.path, Pending: true}
	}
	r.Images, r.Err = im.s.LoadPath(ctx, a.path, LoadOptions{})
	if isFinal(r.Err) {
		// A store that somebody is removing makes a good archive look bad: the verdict is remembered, so it is given twice.
		r.Images, r.Err = im.s.LoadPath(ctx, a.path, LoadOptions{})
	}
	if r.Err != nil && a.file && beingWritten(a.path) {
		return ImportResult{File: a.path, Pending: true}
	}
	return r
}

// beingWritten asks the kernel for a read lease, which it gives for no file that is open for writing (man 2 fcntl,
// F_SETLEASE). A file system without leases says no more than that nobody knows.
func beingWritten(path string) bool {
	f, err := hostfile.Open(path)
	if err != nil {
		return false // the import will say why
	}
	defer func() { _ = f.Close() }() // gives the lease back, too
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	return errors.Is(err, unix.EAGAIN)
}

type foundArchive struct {
	path  string
	size  int64
	mtime time.Time
	file  bool
}

// archivePatience is how long the folder, and each archive, may take to answer.
const archivePatience = 4 * time.Second

// OnAnswer sets what is called when the folder of archives, or one of them, answers that did not for a while.
func (s *Store) OnAnswer(hint func()) { s.archives.Returned = func(string) { hint() } }

// listArchives lists the archives of a folder, and those that do not answer.
func (im imports) listArchives(dir string) (out []foundArchive, hanging []string, err error) {
	type answer struct {
		entries []fs.DirEntry
		err     error
	}
	a, err := hostfile.Do(&im.s.archives, dir, func() (a answer) {
		a.entries, a.err = os.ReadDir(dir)
		return a
	})
	if err = cmp.Or(err, a.err); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range a.entries {
		if isNoArchive(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		found, err := hostfile.Do(&im.s.archives, path, func() *foundArchive { return lookAtArchive(path) })
		if err != nil {
			hanging = append(hanging, path)
		} else if found != nil {
			out = append(out, *found)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].mtime.Before(out[j].mtime) })
	return out, hanging, nil
}

// lookAtArchive follows links; nil: it is no archive, gone meanwhile, or a dangling link.
func lookAtArchive(path string) *foundArchive {
	st, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if st.Mode().IsRegular() {
		return &foundArchive{path, st.Size(), st.ModTime(), true}
	}
	if !st.IsDir() {
		return nil
	}
	// Builders write index.json last.
	if st, err = os.Stat(filepath.Join(path, "index.json")); err != nil {
		return nil
	}
	return &foundArchive{path, st.Size(), st.ModTime(), false}
}

// isNoArchive tells names that stand beside archives everywhere.
func isNoArchive(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
		return true
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".bak", ".swp", ".tmp", ".part", ".partial", ".crdownload", ".filepart",
		".sha256", ".sha512", ".md5", ".sig", ".asc", ".txt", ".md", ".json", ".yaml", ".yml":
		return true
	}
	return false
}

// readMemory: without it archives are merely read once more, so that a damaged file is no error.
func (im imports) readMemory() map[string]memory {
	m := map[string]memory{}
	if err := atomicfile.LoadJSON(im.s.dir("folder.json"), &m, nil); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			im.s.records().warnOnce(fmt.Errorf("all archives are read once more: %w", err))
		}
		return map[string]memory{}
	}
	return m
}

func (im imports) writeMemory(m map[string]memory) error {
	data, err := json.Marshal(m)
	if err == nil {
		err = atomicfile.WriteSync(im.s.dir("folder.json"), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot remember which archives were imported: %w", err)
	}
	im.noteBrought(m)
	return nil
}

// Brought says of an image that an archive in the folder of archives has brought it, which nobody has removed since.
func (s *Store) Brought(id string) bool {
	brought := s.brought.Load()
	return brought != nil && (*brought)[id]
}

// noteBrought remembers which images archives have brought: who asks is in a hurry.
func (im imports) noteBrought(m map[string]memory) {
	ids := map[string]bool{}
	for _, a := range m {
		for _, id := range a.IDs {
			ids[id] = true
		}
	}
	im.s.brought.Store(&ids)
}
