package folder

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/manifest/kinds"
)

// resolve makes the Set of what the files say: of several objects of one kind and name only the oldest counts.
func (f *Folder) resolve() manifest.Set {
	var set manifest.Set
	winners := map[string]*manifest.Object{}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		file := f.files[name]
		set.Problems = append(set.Problems, attributed(file)...)
		for i := range file.objects {
			o := &file.objects[i]
			o.Since = file.ages[o.Key()].since
			if w := winners[o.Key()]; w == nil || f.rankOf(o) < f.rankOf(w) {
				winners[o.Key()] = o
			}
		}
		// A name that left the file is new when it comes back.
		has := manifest.IndexOf(file.objects)
		maps.DeleteFunc(file.ages, func(key string, _ age) bool { return has[key] == nil })
	}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		for i := range f.files[name].objects {
			o := &f.files[name].objects[i]
			switch w := winners[o.Key()]; {
			case w != o:
				set.Problems = append(set.Problems, manifest.DuplicateOf(o, w))
			case o.Kind == kinds.KindPod:
				set.Pods = append(set.Pods, o.Pod())
			default:
				set.Objects = append(set.Objects, *o)
			}
		}
	}
	set.Problems = append(set.Problems, f.copied...)
	f.keepOwners(winners)
	sort.SliceStable(set.Problems, func(i, j int) bool {
		a, b := &set.Problems[i], &set.Problems[j]
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Doc, b.Doc)) < 0
	})
	return set
}

// attributed gives the first problem that names no object to the last good objects of the file that no other names:
// what cannot be parsed was theirs.
func attributed(f *file) []manifest.Problem {
	nameless := slices.IndexFunc(f.problems, func(p manifest.Problem) bool { return p.Name == "" && !p.Other })
	if nameless < 0 {
		return f.problems
	}
	var named []manifest.Problem
	others := manifest.NewConcern(slices.DeleteFunc(slices.Clone(f.problems), func(p manifest.Problem) bool { return p.Name == "" }))
	for i := range f.objects {
		o := &f.objects[i]
		if !o.Stale || others.Has(o) {
			continue
		}
		p := f.problems[nameless]
		if !p.Concerns(o) {
			continue
		}
		p.Kind, p.Namespace, p.Name = o.Kind, o.Namespace, o.Name
		named = append(named, p)
	}
	if len(named) == 0 {
		return f.problems
	}
	return slices.Concat(f.problems[:nameless], named, f.problems[nameless+1:])
}

func (f *Folder) rankOf(o *manifest.Object) int {
	if file := f.files[filepath.Base(o.File)]; file != nil && file.path == o.File {
		return file.ages[o.Key()].rank
	}
	return 0
}

// ownersFile remembers over a reboot which file has the object that several files have: what ran before runs after.
func (f *Folder) ownersFile() string { return filepath.Join(f.o.CacheDir, "owners") } // not *.json: those are last good versions

// loadOwners reads it. Without it the file that was written first wins.
func (f *Folder) loadOwners() {
	if f.owners != nil {
		return
	}
	f.owners = map[string]string{}
	if f.o.CacheDir == "" {
		return
	}
	if err := atomicfile.LoadJSON(f.ownersFile(), &f.owners, nil); err != nil {
		f.o.Damaged.Of(err, "of several files with one object the one that was written first counts")
		f.owners = map[string]string{}
	}
}

// keepOwners writes it when it changes, which is when somebody puts a name into a second file.
func (f *Folder) keepOwners(winners map[string]*manifest.Object) {
	f.loadOwners()
	owners := map[string]string{}
	for _, file := range f.files {
		for i := range file.objects {
			if o := &file.objects[i]; winners[o.Key()].File != o.File {
				owners[o.Key()] = winners[o.Key()].File
			}
		}
	}
	if maps.Equal(owners, f.owners) {
		return
	}
	f.owners = owners
	if f.o.CacheDir == "" {
		return
	}
	if data, err := json.Marshal(owners); err == nil && len(owners) > 0 {
		_ = atomicfile.WriteSync(f.ownersFile(), data, 0o600)
		return
	}
	_ = os.Remove(f.ownersFile())
}
