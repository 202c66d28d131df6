package api

import (
	"k8s.io/apimachinery/pkg/watch"

	"podd/runtime/api/kinds"
)

// filter turns the changes of all objects into those that a watcher of a selection sees:
// an object that begins to match is ADDED for it, one that ceases to is DELETED.
type filter struct {
	selection *selection
	seen      map[string]bool // keys that the client knows as matching
	seeded    uint64          // seen was right at this resource version
}

// newFilter begins with the objects as they are at the resource version rv.
func newFilter(sel *selection, objs []kinds.Object, rv uint64) *filter {
	f := &filter{selection: sel, seen: map[string]bool{}, seeded: rv}
	if sel.fields.Empty() && sel.labels.Empty() {
		f.seen = nil // names do not change: the type of each change is right as it is
		return f
	}
	for _, o := range objs {
		if sel.matches(o) {
			f.seen[key(o)] = true
		}
	}
	return f
}

// filter returns the change as the client is to see it, or false.
func (f *filter) filter(c kinds.Change) (kinds.Change, bool) {
	matches := f.selection.matches(c.Obj)
	if f.seen == nil {
		return c, matches
	}
	k := key(c.Obj)
	// Of changes before the picture in seen (a watch that resumes) nobody knows what the
	// client had: better one DELETED too many than one too few.
	known := f.seen[k] || c.RV <= f.seeded
	switch {
	case c.Type == watch.Deleted || !matches:
		delete(f.seen, k)
		c.Type = watch.Deleted
		return c, known
	case !known:
		c.Type = watch.Added
	}
	f.seen[k] = true
	return c, true
}

func key(o kinds.Object) string { return o.GetNamespace() + "/" + o.GetName() }
