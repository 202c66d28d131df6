package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// staging is the directory of one load, <root>/tmp/<random>: what is in it does not exist for anybody else.
type staging struct {
	dir    string
	limits limits
	known  func(digest string) (layerRecord, bool) // layers of the store, by diffID or blob digest
	layers map[string]*staged                      // by diffID
	count  int
	left   limits // of all layers together
}

// A load may bring several images, or a hostile one thousands of layers.
const loadFactor = 4

// staged is an unpacked layer that is not part of the store yet.
type staged struct {
	unpacked
	path string
}

func newStaging(tmp string, l limits, known func(string) (layerRecord, bool)) (*staging, error) {
	dir, err := os.MkdirTemp(tmp, "load-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the layers: %w", err)
	}
	left := limits{bytes: loadFactor * l.bytes, files: loadFactor * l.files}
	return &staging{dir: dir, limits: l, left: left, known: known, layers: map[string]*staged{}}, nil
}

func (st *staging) discard() error { return os.RemoveAll(st.dir) }

// knows tells a layer by the digest in its file name ("<digest>.tar", "blobs/sha256/<digest>").
func (st *staging) knows(name string) bool {
	_, ok := st.known("sha256:" + strings.TrimSuffix(path.Base(name), ".tar"))
	return ok
}

// unpack makes a layer of the blob r. Nothing is left of a layer that fails.
func (st *staging) unpack(ctx context.Context, r io.Reader) (*staged, error) {
	if st.count++; st.count > maxEntries {
		return nil, refusef("it has too many layers")
	}
	dir := filepath.Join(st.dir, strconv.Itoa(st.count))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make a folder for a layer: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
		return nil, err
	}
	l := limits{min(st.limits.bytes, st.left.bytes), min(st.limits.files, st.left.files), st.limits.ratio}
	u, err := unpackLayer(ctx, r, dir, l)
	st.left.bytes -= u.size
	st.left.files -= u.files
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if old := st.layers[u.diffID]; old != nil {
		return old, os.RemoveAll(dir)
	}
	st.layers[u.diffID] = &staged{u, dir}
	return st.layers[u.diffID], nil
}
