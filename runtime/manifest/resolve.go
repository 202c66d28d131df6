package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// resolve makes the Set of what the files say: of several objects of one kind and name only the oldest counts.
func (f *Folder) resolve() Set {
	var set Set
	winners := map[string]*Object{}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		file := f.files[name]
		set.Problems = append(set.Problems, attributed(file)...)
		for i := range file.objects {
			o := &file.objects[i]
			o.Since = file.ages[o.key()].since
			if w := winners[o.key()]; w == nil || f.rankOf(o) < f.rankOf(w) {
				winners[o.key()] = o
			}
		}
		// A name that left the file is new when it comes back.
		maps.DeleteFunc(file.ages, func(key string, _ age) bool { return objectOf(file.objects, key) == nil })
	}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		for i := range f.files[name].objects {
			o := &f.files[name].objects[i]
			switch w := winners[o.key()]; {
			case w != o:
				set.Problems = append(set.Problems, duplicate(o, w))
			case o.Kind == kindPod:
				set.Pods = append(set.Pods, o.pod())
			default:
				set.Objects = append(set.Objects, *o)
			}
		}
	}
	sort.SliceStable(set.Problems, func(i, j int) bool {
		a, b := &set.Problems[i], &set.Problems[j]
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Doc, b.Doc)) < 0
	})
	return set
}

// attributed gives the first problem that names no object to the last good objects of the file that no other names:
// what cannot be parsed was theirs.
func attributed(f *file) []Problem {
	nameless := slices.IndexFunc(f.problems, func(p Problem) bool { return p.Name == "" && !p.other })
	if nameless < 0 {
		return f.problems
	}
	var named []Problem
	for i := range f.objects {
		o := &f.objects[i]
		if !o.Stale || slices.ContainsFunc(f.problems, func(p Problem) bool { return p.Name != "" && p.concerns(o) }) {
			continue
		}
		p := f.problems[nameless]
		if !p.concerns(o) {
			continue
		}
		p.Kind, p.Namespace, p.Name = o.Kind, o.Namespace, o.Name
		named = append(named, p)
	}
	if len(named) == 0 {
		return f.problems
	}
	return slices.Replace(slices.Clone(f.problems), nameless, nameless+1, named...)
}

func (f *Folder) rankOf(o *Object) int {
	for _, file := range f.files {
		if file.path == o.File {
			return file.ages[o.key()].rank
		}
	}
	return 0
}

func duplicate(o, winner *Object) Problem {
	where := "is already defined by the older file " + winner.File
	if o.File == winner.File {
		where = fmt.Sprintf("is already defined by document %d of the same file", winner.Doc+1)
	}
	in := ""
	if o.Namespace != "" {
		in = fmt.Sprintf(" in namespace %q", o.Namespace)
	}
	return Problem{
		File: o.File, Doc: o.Doc, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Reason: ReasonDuplicate + o.Kind,
		Message: fmt.Sprintf("%s: %s %q%s %s; give it another metadata.name or remove it", o.File, o.Kind, o.Name, in, where),
	}
}
