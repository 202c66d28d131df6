package folder

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"podd/runtime/manifest"
)

// inode identifies a file whatever its name.
type inode struct{ dev, ino uint64 }

// renamed looks for the name that a file had before, and hands its pods over: should the file be bad, they stay.
func (r *round) renamed(name string, known *file) {
	if r.inodes == nil {
		r.inodes = make(map[inode]string, len(r.folder.files))
		for before, old := range r.folder.files {
			if before != name {
				r.inodes[old.seen] = before
			}
		}
	}
	before := r.inodes[known.seen]
	old := r.folder.files[before]
	// The number of a deleted file is free for the next one.
	if old == nil || before == name || old.seen != known.seen || r.folder.deleted[before] {
		return
	}
	if _, err := os.Lstat(old.path); errors.Is(err, fs.ErrNotExist) {
		r.inherit(known, old.objects, old)
		r.drop(before, old)
	}
}

// inherit makes objects of one file last good ones of another until that is read.
func (r *round) inherit(known *file, objects []manifest.Object, old *file) {
	merged, has := slices.Clone(known.objects), manifest.IndexOf(known.objects)
	for _, o := range objects {
		key := o.Key()
		if has[key] != nil {
			continue
		}
		o.File = known.path
		merged = append(merged, o)
		known.ages[key] = old.ages[key]
	}
	r.folder.keep(known, slices.DeleteFunc(slices.Clone(merged), func(o manifest.Object) bool { return !o.Stale }))
	known.objects, known.read = merged, stamp{}
	r.changed = true
}

// together tells whether a file came when old went, as a copy under another name does.
func together(came, old *file) bool {
	return came != old && came.missed.IsZero() && came.came.After(old.missed.Add(-settleAge))
}

// newcomers are the files that were not there from the start, by name. It is asked once all files have been looked at.
func (r *round) newcomers() []*file {
	if r.comers == nil {
		r.comers = []*file{}
		for _, name := range slices.Sorted(maps.Keys(r.folder.files)) {
			if f := r.folder.files[name]; !f.came.IsZero() && f.missed.IsZero() && r.now.Sub(f.came) <= 10*settleAge {
				r.comers = append(r.comers, f)
			}
		}
	}
	return r.comers
}

// unjudged tells whether a file that came when old went has not been read to the end yet.
func (r *round) unjudged(old *file) bool {
	for _, file := range r.newcomers() {
		if together(file, old) && file.read == (stamp{}) && len(file.problems) == 0 {
			return true
		}
	}
	return false
}

// succeed hands the pods of a file that went to bad files that came in the same time and name them.
func (r *round) succeed(old *file) {
	for _, file := range r.newcomers() {
		if !together(file, old) {
			continue
		}
		var heirs []manifest.Object
		for _, o := range old.objects {
			if slices.ContainsFunc(file.problems, func(p manifest.Problem) bool { return p.Name != "" && p.Concerns(&o) }) {
				o.Stale = true
				heirs = append(heirs, o)
			}
		}
		if len(heirs) > 0 {
			read := file.read
			r.inherit(file, heirs, old)
			file.read = read // it has been: its problems are why they are stale
		}
	}
}
