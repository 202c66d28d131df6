package archive

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"podd/images/fault"
	"podd/images/platform"
	"podd/images/reference"
	"podd/internal/boundedjson"
)

// image reads one manifest; nil when it is no image, or one for another machine.
func (w *ociWalk) image(l leaf) (*Image, error) {
	manifest, err := readBlob(w.a, l.descriptor)
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(l.Digest, manifest)
	if err != nil {
		return nil, err
	}
	if doc.Config == nil {
		return nil, nil
	}
	if !isImageConfig(doc.Config.MediaType) {
		w.odd = doc.Config.MediaType
		return nil, nil
	}
	if i := slices.IndexFunc(doc.Layers, isNoLayer); i >= 0 {
		w.odd = doc.Layers[i].MediaType
		return nil, nil
	}
	data, err := readBlob(w.a, *doc.Config)
	if IsMissing(err) {
		return nil, MissingError(w.a, "the image's configuration", doc.Config.Digest)
	}
	if err != nil {
		return nil, err
	}
	layers := make([]Layer, len(doc.Layers))
	for i, d := range doc.Layers {
		if !reference.ValidDigest(d.Digest) {
			return nil, fault.Refusef("layer %d has the digest %q, which is no sha256 digest", i+1, fault.Clip(d.Digest))
		}
		if err := checkLayerType(d); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		layers[i] = Layer{Name: blobName(d.Digest), Blob: d.Digest, Size: d.Size, Annotations: d.Annotations}
	}
	c, err := newImage(data, layers)
	if err != nil {
		return nil, err
	}
	c.Digests, c.Manifest, c.Root = l.digests, manifest, Descriptor{l.root.MediaType, l.root.Digest, l.root.Size}
	for _, digest := range l.digests[1:] {
		c.Indexes = append(c.Indexes, w.indexes[digest])
	}
	if c.fits(w.want) < 0 {
		w.other(c.Platform)
		return nil, nil
	}
	return c, nil
}

// isImageConfig tells images from the other things that are kept as manifests today (charts, signatures, attestations).
func isImageConfig(mediaType string) bool {
	return mediaType == "" || strings.HasPrefix(mediaType, "application/vnd.oci.image.config.v1+json") ||
		strings.HasPrefix(mediaType, "application/vnd.docker.container.image.v1+json")
}

// isNoLayer tells what signatures have in the place of layers: cosign gives them the configuration of an image.
func isNoLayer(d descriptor) bool {
	return d.MediaType != "" && !strings.HasPrefix(d.MediaType, "application/vnd.oci.image.layer.") &&
		!strings.HasPrefix(d.MediaType, "application/vnd.docker.image.rootfs.")
}

// checkLayerType refuses layers that are no files of the image: those of Windows lie elsewhere, encrypted ones need a key.
func checkLayerType(d descriptor) error {
	switch {
	case strings.Contains(d.MediaType, ".foreign."), strings.Contains(d.MediaType, ".nondistributable."):
		return fault.Refusef("it is a foreign layer (%s), which lies elsewhere and which podd does not fetch", fault.Clip(d.MediaType))
	case strings.HasSuffix(d.MediaType, "+encrypted"):
		return fault.Refusef("it is encrypted (%s), and podd has no key", fault.Clip(d.MediaType))
	}
	return nil
}

func (w *ociWalk) read(d descriptor) (*ociDocument, error) {
	data, err := readBlob(w.a, d)
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(d.Digest, data)
	if err == nil && doc.Config == nil {
		w.indexes[d.Digest] = data
	}
	return doc, err
}

func parseDocument(digest string, data []byte) (*ociDocument, error) {
	doc := new(ociDocument)
	if err := boundedjson.Unmarshal(data, doc); err != nil {
		return nil, fault.Refusef("manifest %s is no valid JSON (%v)", digest, err)
	}
	return doc, nil
}

func blobName(digest string) string { return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:") }

// readBlob reads a document and verifies it.
func readBlob(a Archive, d descriptor) ([]byte, error) {
	if !reference.ValidDigest(d.Digest) {
		return nil, fault.Refusef("it names a blob by %q, which is no sha256 digest", fault.Clip(d.Digest))
	}
	data, err := a.Document(blobName(d.Digest))
	if err != nil {
		return nil, err
	}
	if got := digestBytes(data); got != d.Digest {
		return nil, fault.Refusef("blob %s has the digest %s", d.Digest, got)
	}
	if d.Size > 0 && d.Size != int64(len(data)) {
		return nil, fault.Refusef("blob %s is %d bytes long instead of %d", d.Digest, len(data), d.Size)
	}
	return data, nil
}

// maxDepth of indexes inside indexes; builders write one or two.
const maxDepth = 4

// descriptor points to a blob (OCI image specification, "descriptor.md").
type descriptor struct {
	MediaType   string             `json:"mediaType"`
	Digest      string             `json:"digest"`
	Size        int64              `json:"size"`
	Platform    *platform.Platform `json:"platform"`
	Annotations map[string]string  `json:"annotations"`
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
	root    descriptor // that led to it
}

// ociImages lists the images of an OCI layout: one for each name, the one that fits the machine best.
func ociImages(a Archive, data []byte, want platform.Platform) ([]*Image, error) {
	var top ociDocument
	if err := boundedjson.Unmarshal(data, &top); err != nil {
		return nil, fault.Refusef("its index.json is no valid JSON (%v)", err)
	}
	w := &ociWalk{a: a, want: want, indexes: map[string][]byte{}}
	var out []*Image
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
		return nil, platformError(strings.Join(slices.Compact(w.others), ", "), want)
	}
	if len(out) == 0 && w.odd != "" {
		return nil, fault.Refusef("there is no image in it, but something of the type %s", fault.Clip(w.odd))
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
	digit := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	return s == "latest" || digit(s) || (s[0] == 'v' && digit(s[1:]))
}

type ociWalk struct {
	a       Archive
	want    platform.Platform
	others  []string          // platforms that did not fit
	odd     string            // the type of something that is no image
	indexes map[string][]byte // by digest
}

// best finds the image of a group that fits best and whose manifest is there: "docker save" keeps the whole index of an
// image of which it has one platform only.
func (w *ociWalk) best(group []descriptor) (*Image, error) {
	var leaves []leaf
	for _, d := range group {
		found, err := w.walk(nil, d, nil)
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			l.root = d
			leaves = append(leaves, l)
		}
	}
	sort.SliceStable(leaves, func(i, j int) bool { return leaves[i].rank < leaves[j].rank })
	for _, l := range leaves {
		c, err := w.image(l)
		if IsMissing(err) && w.a.Whole() {
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
		return nil, fault.Refusef("its indexes contain each other without end")
	}
	rank := 0
	if d.Platform != nil && d.Platform.Architecture != "" {
		if rank = w.want.Rank(*d.Platform); rank < 0 {
			w.other(d.Platform.String())
			return leaves, nil
		}
	}
	doc, err := w.read(d)
	if IsMissing(err) {
		return append(leaves, leaf{descriptor: d, digests: append([]string{d.Digest}, above...), rank: rank}), nil // image() decides
	}
	if err != nil {
		return nil, err
	}
	if doc.Config != nil {
		return append(leaves, leaf{descriptor: d, digests: append([]string{d.Digest}, above...), rank: rank}), nil
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
