package kinds

import (
	"context"
	"encoding/json"
	"slices"
	"sort"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"podd/runtime/api/printers"
	"podd/runtime/manifest/kinds"
)

// CategoryStored names all kinds that podd stores and does not act on, as all names those that make pods.
const CategoryStored = "stored"

// Stored are the kinds that podd stores and does not act on: those of Kubernetes, and those of others that the folder has an
// object of, or defines by a CustomResourceDefinition.
func Stored(b Source) []*Kind {
	var list []*Kind
	for _, r := range kinds.StoredResources() {
		list = append(list, newStored(&r))
	}
	definitions, _ := b.Objects("CustomResourceDefinition")
	for _, o := range definitions {
		if r := defined(o); r != nil && find(list, r.Group, r.Kind) == nil {
			list = append(list, newStored(r))
		}
	}
	objects, _ := b.Objects("")
	sort.Slice(objects, func(i, j int) bool {
		return objects[i].(*kinds.Stored).Kind+objects[i].GetName() < objects[j].(*kinds.Stored).Kind+objects[j].GetName()
	})
	guessed := map[*Kind]bool{}
	for _, o := range objects {
		of := o.(*kinds.Stored)
		group, v := kinds.GroupOf(of.APIVersion)
		k := find(list, group, of.Kind)
		if k == nil {
			if group == "" {
				continue // the Node of another board
			}
			k = newStored(&kinds.StoredResource{Group: group, Version: v, Kind: of.Kind, Plural: kinds.PluralOf(of.Kind), Cluster: true})
			guessed[k] = true
			list = append(list, k)
		}
		if guessed[k] && of.Namespace != "" {
			k.Namespaced = true
		}
		if !slices.Contains(k.Versions, of.APIVersion) {
			k.Versions = append(k.Versions, of.APIVersion)
		}
	}
	for _, k := range list {
		k.showVersions()
	}
	return list
}

// FindStored is the kind of a resource of a group and version, nil if there is none.
func FindStored(b Source, groupVersion, resource string) *Kind {
	for _, k := range Stored(b) {
		if k.Resource == resource && (k.Version() == groupVersion || slices.Contains(k.Versions, groupVersion)) {
			return k
		}
	}
	return nil
}

// StoredCore are those of the group that has no name.
func StoredCore() []*Kind {
	var list []*Kind
	for _, r := range kinds.StoredResources() {
		if r.Group == "" {
			list = append(list, newStored(&r))
		}
	}
	return list
}

func find(list []*Kind, group, kind string) *Kind {
	i := slices.IndexFunc(list, func(k *Kind) bool { return k.GroupName() == group && k.Name == kind })
	if i < 0 {
		return nil
	}
	return list[i]
}

// defined is the kind that a CustomResourceDefinition defines, nil if it does not say so.
func defined(o Object) *kinds.StoredResource {
	of, ok := o.(*kinds.Stored)
	if !ok {
		return nil
	}
	var spec struct {
		Group string `json:"group"`
		Scope string `json:"scope"`
		Names struct {
			Plural     string   `json:"plural"`
			Kind       string   `json:"kind"`
			ShortNames []string `json:"shortNames"`
		} `json:"names"`
		Versions []struct {
			Name    string `json:"name"`
			Served  bool   `json:"served"`
			Storage bool   `json:"storage"`
		} `json:"versions"`
	}
	if json.Unmarshal(of.Content["spec"], &spec) != nil {
		return nil
	}
	r := &kinds.StoredResource{
		Group: spec.Group, Kind: spec.Names.Kind, Plural: spec.Names.Plural, Short: spec.Names.ShortNames, Cluster: spec.Scope == "Cluster",
	}
	for _, v := range spec.Versions {
		if v.Served && (r.Version == "" || v.Storage) {
			r.Version = v.Name
		}
	}
	head := kinds.Header{TypeMeta: metav1.TypeMeta{APIVersion: r.Group + "/" + r.Version, Kind: r.Kind}}
	if r.Version == "" || r.Plural == "" || !kinds.IsStored(&head) {
		return nil
	}
	return r
}

func newStored(r *kinds.StoredResource) *Kind {
	k := &Kind{
		Resource: r.Plural, Name: r.Kind, Short: r.Short, Namespaced: !r.Cluster, Stored: true, Folder: true,
		key: kinds.StoredName(r.Group, r.Kind), Blank: blank[kinds.Stored], Columns: printers.StoredColumns, Row: printers.StoredRow,
		Complete: func(o Object) Object { return o }, // it says what it is
		Fields:   nameFields,
	}
	if r.Group != "" {
		k.Group = r.Group + "/" + r.Version
	}
	k.List = func(b Source) ([]Object, uint64) {
		list, rv := b.Objects(k.key)
		list = slices.Clone(list)
		for i := range list {
			list[i] = k.placed(list[i])
		}
		return list, rv
	}
	k.Watch = func(b Source, since uint64) (Changes, error) {
		changes, err := k.watchObjects(b, since)
		next := changes.Next
		changes.Next = func(ctx context.Context) (Change, bool) {
			c, ok := next(ctx)
			if ok {
				c.Obj = k.placed(c.Obj)
			}
			return c, ok
		}
		return changes, err
	}
	return k
}

// placed is an object in the namespace that it is in: of a kind of others nobody knew when it was read that it has one.
func (k *Kind) placed(o Object) Object {
	of, ok := o.(*kinds.Stored)
	if !ok || !k.Namespaced || of.Namespace != "" {
		return o
	}
	out := *of
	out.Namespace = metav1.NamespaceDefault
	return &out
}

// showVersions shows the newest version that there are objects of as that of the kind.
func (k *Kind) showVersions() {
	if len(k.Versions) == 0 || k.Group == "" {
		k.Versions = nil
		return
	}
	sort.Slice(k.Versions, func(i, j int) bool {
		_, x := kinds.GroupOf(k.Versions[i])
		_, y := kinds.GroupOf(k.Versions[j])
		return version.CompareKubeAwareVersionStrings(x, y) > 0
	})
	k.Group, k.Versions = k.Versions[0], k.Versions[1:]
}
