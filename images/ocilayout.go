package images

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
)

// maxDepth of indexes inside indexes; builders write one or two.
const maxDepth = 4

// descriptor points to a blob (OCI image specification, "descriptor.md").
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform"`
	Annotations map[string]string `json:"annotations"`
}

// ociDocument is an index or a manifest: the lists tell which.
type ociDocument struct {
	Manifests []descriptor `json:"manifests"`
	Config    *descriptor  `json:"config"`
	Layers    []descriptor `json:"layers"`
}

// leaf is an image manifest and the indexes that lead to it.
type leaf struct {
	descriptor

	digests []string // manifest first
	rank    int
}

// ociImages lists the images of an OCI layout: one for each name, the one that fits the machine best.
func ociImages(a archive, data []byte, want platform) ([]*candidate, error) {
	var top ociDocument
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, refusef("its index.json is no valid JSON (%v)", err)
	}
	w := &ociWalk{a: a, want: want}
	var out []*candidate
	for _, group := range byName(top.Manifests) {
		c, err := w.best(group)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		if name := ociName(group[0]); name != "" {
			if err := c.addName(name); err != nil {
				return nil, err
			}
		}
		out = append(out, c)
	}
	if len(out) == 0 && len(w.others) > 0 {
		slices.Sort(w.others)
		return nil, platformf("it is for %s and this machine is %s: save the image with --platform %s",
			strings.Join(slices.Compact(w.others), ", "), want, want)
	}
	return out, nil
}

// byName groups descriptors that are one image for several platforms: those of one name, and all nameless ones that
// tell a platform.
func byName(list []descriptor) [][]descriptor {
	var groups [][]descriptor
	at := map[string]int{}
	for _, d := range list {
		key := ociName(d)
		if key == "" && d.Platform == nil {
			key = "@" + d.Digest
		}
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}

// ociName is the image's name: containerd and BuildKit write it whole, others only where the specification has a mere
// reference, which may be a tag alone and then names nothing.
func ociName(d descriptor) string {
	if name := d.Annotations["io.containerd.image.name"]; name != "" {
		return name
	}
	name := d.Annotations["org.opencontainers.image.ref.name"]
	if strings.ContainsAny(name, ":/@") || (name != "" && !looksLikeTag(name)) {
		return name
	}
	return ""
}

func looksLikeTag(s string) bool {
	return s == "latest" || isDigit(s[0]) || (s[0] == 'v' && len(s) > 1 && isDigit(s[1]))
}

type ociWalk struct {
	a      archive
	want   platform
	others []string // platforms that did not fit
}

// best finds the image of a group that fits best and whose manifest is there: "docker save" keeps the whole index of an
// image of which it has one platform only.
func (w *ociWalk) best(group []descriptor) (*candidate, error) {
	var leaves []leaf
	for _, d := range group {
		var err error
		if leaves, err = w.walk(leaves, d, nil); err != nil {
			return nil, err
		}
	}
	sort.SliceStable(leaves, func(i, j int) bool { return leaves[i].rank < leaves[j].rank })
	for _, l := range leaves {
		c, err := w.image(l)
		if isMissing(err) && w.a.whole() {
			w.others = append(w.others, "another platform")
			continue
		}
		if c != nil || err != nil {
			return c, err
		}
	}
	return nil, nil
}

// walk collects the manifests below d that this machine may run. above has the digests of the indexes on the way, which
// an index that contains itself would repeat.
func (w *ociWalk) walk(leaves []leaf, d descriptor, above []string) ([]leaf, error) {
	if len(above) >= maxDepth || slices.Contains(above, d.Digest) {
		return nil, refusef("its indexes contain each other without end")
	}
	rank := 0
	if d.Platform != nil && d.Platform.Architecture != "" {
		if rank = w.want.rank(*d.Platform); rank < 0 {
			w.other(d.Platform.String())
			return leaves, nil
		}
	}
	doc, err := w.read(d)
	if isMissing(err) {
		return append(leaves, leaf{d, append([]string{d.Digest}, above...), rank}), nil // image() decides
	}
	if err != nil {
		return nil, err
	}
	if doc.Config != nil {
		return append(leaves, leaf{d, append([]string{d.Digest}, above...), rank}), nil
	}
	above = append([]string{d.Digest}, above...)
	for _, sub := range doc.Manifests {
		if leaves, err = w.walk(leaves, sub, above); err != nil {
			return nil, err
		}
	}
	return leaves, nil
}

func (w *ociWalk) other(p string) {
	if p != "unknown/unknown" { // BuildKit's attestations
		w.others = append(w.others, p)
	}
}
