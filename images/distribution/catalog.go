package distribution

import (
	"slices"
	"strings"

	"podd/images"
	"podd/images/reference"
)

// Allow says whether an image may be given by the name of a repository, with its registry; "" is no name.
type Allow func(a *images.Artifact, repository string) bool

// catalog is what a store has at one moment. It does not change.
type catalog struct {
	generation uint64
	names      map[string]*images.Artifact // docker.io/library/app:1
	documents  map[string][]document       // by digest
	tars       map[string][]tar            // by diffID
}

type document struct {
	images.Document

	of *images.Artifact
	// came: its layers are compressed, and cannot be had here.
	came bool
}

type tar struct {
	images.Tar

	of *images.Artifact
}

func newCatalog(generation uint64, list []images.Artifact) *catalog {
	c := &catalog{generation: generation, names: map[string]*images.Artifact{}, documents: map[string][]document{}, tars: map[string][]tar{}}
	for i := range list {
		a := &list[i]
		for _, name := range a.Names {
			c.names[name] = a
		}
		c.add(document{a.Plain, a, false})
		c.add(document{a.Configuration, a, false})
		for _, d := range a.Came {
			c.add(document{d, a, d.Digest != a.Plain.Digest})
		}
		for _, t := range a.Tars {
			c.tars[t.DiffID] = append(c.tars[t.DiffID], tar{t, a})
		}
	}
	return c
}

func (c *catalog) add(d document) { c.documents[d.Digest] = append(c.documents[d.Digest], d) }

// public says whether an image may be given at all, by any of its names.
func public(allow Allow, a *images.Artifact) bool {
	if len(a.Names) == 0 {
		return allow(a, "")
	}
	return slices.ContainsFunc(a.Names, func(name string) bool { return allow(a, repositoryOf(name)) })
}

func repositoryOf(name string) string {
	r, err := reference.Parse(name)
	if err != nil {
		return ""
	}
	return r.Repository()
}

// tagged finds an image by a repository's path and a tag. A path is enough where no two registries have it; of several Docker
// Hub is meant, or else the first. registry, where somebody asks so exactly, tells them apart.
func (c *catalog) tagged(allow Allow, registry, path, tag string) *images.Artifact {
	for _, repository := range c.repositories(allow, registry, path) {
		if a := c.names[repository+":"+tag]; a != nil && allow(a, repository) {
			return a
		}
	}
	return nil
}

// repositories lists those that a path can stand for, with their registries.
func (c *catalog) repositories(allow Allow, registry, path string) []string {
	if registry != "" {
		return []string{registry + "/" + path}
	}
	var list []string
	if r, err := reference.Parse(path); err == nil {
		list = []string{r.Repository()}
	}
	var others []string
	for name, a := range c.names {
		r, err := reference.Parse(name)
		if err == nil && r.Path == path && allow(a, r.Repository()) {
			others = append(others, r.Repository())
		}
	}
	slices.Sort(others)
	return append(list, slices.Compact(others)...)
}

// tags lists the tags of a repository.
func (c *catalog) tags(allow Allow, registry, path string) (list []string) {
	for _, repository := range c.repositories(allow, registry, path) {
		for name, a := range c.names {
			tag, ok := strings.CutPrefix(name, repository+":")
			if ok && !strings.Contains(tag, "@") && allow(a, repository) {
				list = append(list, tag)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// paths lists the paths of all repositories that have tags.
func (c *catalog) paths(allow Allow) (list []string) {
	for name, a := range c.names {
		if r, err := reference.Parse(name); err == nil && r.Digest == "" && allow(a, r.Repository()) {
			list = append(list, r.Path)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
