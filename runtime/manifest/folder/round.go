package folder

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"

	"podd/internal/hostfile"
	"podd/runtime/manifest"
)

// round is one Scan in progress.
type round struct {
	folder  *Folder
	now     time.Time
	first   bool // of this process
	changed bool
	recheck time.Duration
	fresh   []freshName
	inodes  map[inode]string // names of files by what they were before this round; nil until asked for
	comers  []*file          // that came of late, by name; see newcomers
}

// freshName is a name that a file did not have before this round.
type freshName struct {
	file    *file
	key     string
	doc     int
	since   time.Time
	written time.Time // mtime, to tell several newcomers of one round apart
	seeded  bool
}

// again asks for another Scan after at most d.
func (r *round) again(d time.Duration) {
	if r.recheck == 0 || d < r.recheck {
		r.recheck = max(d, time.Millisecond)
	}
}

// look takes in the present state of one file. It returns false if the file is no candidate after all.
func (r *round) look(name string, link bool) bool {
	f := r.folder
	path := filepath.Join(f.o.Dir, name)
	g, err := f.glanceAt(path, link)
	st := g.st
	if err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return false // a link to a folder, as ..data
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := os.Lstat(path); lerr != nil {
			return false // gone since it was listed
		}
	}
	known := f.files[name]
	if known == nil {
		known = &file{path: path, ages: map[string]age{}}
		f.files[name] = known
		if r.first {
			r.adopt(known)
		} else {
			known.came = r.now
		}
	}
	known.missed, known.links = time.Time{}, g.links
	delete(f.deleted, name)
	if err != nil {
		r.unreadable(known, err)
		return true
	}
	if now := (inode{st.Dev, st.Ino}); now != known.seen {
		known.seen = now
		r.renamed(name, known)
	}
	if now := stampOf(st); now != known.read {
		r.read(name, known, now)
	}
	return true
}

// adopt starts a file with what is known of it from before podd was last alive: the pods that ran, and what was kept of
// it when it turned bad.
func (r *round) adopt(known *file) {
	known.objects = slices.Clone(r.folder.seeded(known.path))
	known.kept = r.folder.isKept(known.path)
	has := manifest.IndexOf(known.objects)
	for _, old := range r.folder.loadKept(known.path) {
		if ran := has[old.Key()]; ran != nil {
			ran.Stale = ran.Hash == old.Hash
			continue
		}
		known.objects = append(known.objects, old)
	}
	for i := range known.objects {
		r.name(known, &known.objects[i])
	}
}

// read parses a version of a file that was not seen before.
func (r *round) read(name string, known *file, now stamp) {
	f := r.folder
	closed := f.closed[name]
	data, read, err := f.readFile(known.path, func(st *syscall.Stat_t) bool { return closed || !r.young(st.Mtim) })
	switch {
	case errors.Is(err, errBusy) && r.young(syscall.NsecToTimespec(now.mtime)):
		r.again(settleAge)
	case errors.Is(err, errBusy):
		r.again(busyRecheck)
	case errors.Is(err, fs.ErrNotExist):
		r.again(vanishAge)
	case err != nil:
		r.unreadable(known, err)
		if errors.Is(err, errTooLarge) {
			known.read = now // it stays so until the file changes
		}
	default:
		delete(f.closed, name)
		objects, problems := manifest.ParseFor(known.path, data, f.board())
		if len(problems) > 0 && r.young(syscall.NsecToTimespec(read.mtime)) {
			r.again(settleAge)
			return
		}
		r.take(known, read, objects, problems)
	}
}

// young tells whether a file was written within settleAge. A time of writing in the future says nothing: clocks of
// boards jump.
func (r *round) young(mtime syscall.Timespec) bool {
	age := r.now.Sub(time.Unix(mtime.Unix()))
	return age > -settleAge && age < settleAge
}

// unreadable takes in that a file cannot be read. Each Scan tries again: nothing may tell when it can be.
func (r *round) unreadable(known *file, err error) {
	text := err.Error()
	if errors.Is(err, hostfile.ErrHangs) {
		text = "it cannot be read: " + text + "; bring that back, or remove the file from the folder"
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		text = fmt.Sprintf("it cannot be read: %v; repair the file or remove it", pe.Err)
		if errors.Is(err, fs.ErrNotExist) {
			text = "it is a link to a file that does not exist; create the file or remove the link"
		}
		if errors.Is(err, syscall.EIO) {
			r.again(busyRecheck)
		}
	}
	problem := manifest.Problem{File: known.path, Reason: manifest.ReasonUnreadable, Message: known.path + ": " + text}
	if !slices.Equal(known.problems, []manifest.Problem{problem}) {
		r.take(known, stamp{}, nil, []manifest.Problem{problem})
	}
}

// take makes a parsed version of a file the present one. Objects of the version before stay, as stale, if their
// documents may be among the bad ones.
func (r *round) take(known *file, read stamp, objects []manifest.Object, problems []manifest.Problem) {
	before := known.objects
	objects, refused := refuseUpdates(before, objects)
	objects, changed := r.folder.immutables.refuse(before, objects)
	problems = append(append(problems, refused...), changed...)
	were, are := manifest.IndexOf(before), manifest.IndexOf(objects)
	for i := range objects {
		objects[i].Mode = fs.FileMode(read.mode).Perm()
		if old := were[objects[i].Key()]; old != nil && old.UID == objects[i].UID && old.Hash == objects[i].Hash {
			objects[i].Value = old.Value
		}
	}
	var stale []manifest.Object
	concerned := manifest.NewConcern(problems)
	for _, old := range before {
		if are[old.Key()] == nil && concerned.Has(&old) {
			old.Stale = true
			stale = append(stale, old)
		}
	}
	r.folder.keep(known, stale)
	known.read, known.problems, known.objects, known.judged = read, problems, append(objects, stale...), true
	for i := range known.objects {
		r.name(known, &known.objects[i])
	}
	r.changed = true
}

// name notes a name that is new in its file. Ranks are given when all files have been looked at.
func (r *round) name(known *file, o *manifest.Object) {
	key := o.Key()
	if _, ok := known.ages[key]; ok {
		return
	}
	fresh := freshName{file: known, key: key, doc: o.Doc, since: r.now, written: time.Unix(0, known.read.mtime)}
	if r.first {
		r.folder.loadOwners()
		fresh.since, fresh.seeded = fresh.written, r.folder.owners[key] == known.path
		if old := r.folder.seedOf(known.path, key); old != nil {
			fresh.seeded = true
			fresh.since = old.Since
		} else if o.Stale {
			fresh.since = o.Since
		}
	}
	known.ages[key] = age{}
	r.fresh = append(r.fresh, fresh)
}

// rank orders the names that this round brought: those that ran before podd died, then by time.
func (r *round) rank() {
	sort.SliceStable(r.fresh, func(i, j int) bool {
		a, b := &r.fresh[i], &r.fresh[j]
		if a.seeded != b.seeded {
			return a.seeded
		}
		return cmp.Or(a.since.Compare(b.since), a.written.Compare(b.written), strings.Compare(a.file.path, b.file.path), a.doc-b.doc) < 0
	})
	for _, n := range r.fresh {
		r.folder.ranks++
		n.file.ages[n.key] = age{since: n.since, rank: r.folder.ranks}
	}
}

// miss takes in that a file is not there, at once or after a while.
func (r *round) miss(name string, known *file) {
	if known.missed.IsZero() || r.now.Before(known.missed) {
		known.missed = r.now
	}
	wait := vanishAge
	if r.folder.deleted[name] {
		wait = deleteAge
	}
	if len(known.objects) > 0 && r.unjudged(known) {
		wait = 2 * settleAge
	}
	if left := wait - r.now.Sub(known.missed); left > 0 && len(known.objects) > 0 {
		r.again(left)
		return
	}
	r.succeed(known)
	r.drop(name, known)
}

// drop forgets a file.
func (r *round) drop(name string, known *file) {
	r.folder.keep(known, nil)
	delete(r.folder.files, name)
	delete(r.folder.closed, name)
	delete(r.folder.deleted, name)
	r.changed = true
}
