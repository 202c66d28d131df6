package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// resolve makes the Set of what the files say: of several pods with one name only the oldest runs.
func (f *Folder) resolve() Set {
	var set Set
	winners := map[string]*Pod{}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		file := f.files[name]
		set.Problems = append(set.Problems, attributed(file)...)
		for i := range file.pods {
			pod := &file.pods[i]
			pod.Since = file.ages[pod.key()].since
			if w := winners[pod.key()]; w == nil || f.rankOf(pod) < f.rankOf(w) {
				winners[pod.key()] = pod
			}
		}
		// A name that left the file is new when it comes back.
		maps.DeleteFunc(file.ages, func(key string, _ age) bool { return podOf(file.pods, key) == nil })
	}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		for i := range f.files[name].pods {
			pod := &f.files[name].pods[i]
			if w := winners[pod.key()]; w == pod {
				set.Pods = append(set.Pods, *pod)
			} else {
				set.Problems = append(set.Problems, duplicate(pod, w))
			}
		}
	}
	slices.SortStableFunc(set.Problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Doc, b.Doc))
	})
	return set
}

// attributed gives the first problem that names no pod to the last good pods of the file that no other names: what
// cannot be parsed was theirs.
func attributed(f *file) []Problem {
	nameless := slices.IndexFunc(f.problems, func(p Problem) bool { return p.Name == "" && !p.other })
	if nameless < 0 {
		return f.problems
	}
	var named []Problem
	for i := range f.pods {
		pod := &f.pods[i]
		if !pod.Stale || slices.ContainsFunc(f.problems, func(p Problem) bool { return p.Name != "" && p.concerns(pod.key()) }) {
			continue
		}
		p := f.problems[nameless]
		p.Namespace, p.Name = pod.Object.Namespace, pod.Object.Name
		named = append(named, p)
	}
	if len(named) == 0 {
		return f.problems
	}
	return slices.Replace(slices.Clone(f.problems), nameless, nameless+1, named...)
}

func (f *Folder) rankOf(p *Pod) int {
	for _, file := range f.files {
		if file.path == p.File {
			return file.ages[p.key()].rank
		}
	}
	return 0
}

func duplicate(pod, winner *Pod) Problem {
	where := "is already defined by the older file " + winner.File
	if pod.File == winner.File {
		where = fmt.Sprintf("is already defined by document %d of the same file", winner.Doc+1)
	}
	return Problem{
		File: pod.File, Doc: pod.Doc, Namespace: pod.Object.Namespace, Name: pod.Object.Name, Reason: ReasonDuplicate,
		Message: fmt.Sprintf("%s: Pod %q in namespace %q %s; give it another metadata.name or remove it",
			pod.File, pod.Object.Name, pod.Object.Namespace, where),
	}
}
