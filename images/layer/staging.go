package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"podd/images/fault"
)

// Record is one unpacked layer, <root>/l/<dir>.
type Record struct {
	DiffID   string   `json:"diffID"`
	Blob     string   `json:"blob,omitempty"` // digest of the compressed file that it came from
	Dir      string   `json:"dir"`
	Size     int64    `json:"size"`
	TarSize  int64    `json:"tarSize,omitempty"`  // of the plain tar
	Shape    string   `json:"shape,omitempty"`    // of the tree, as of Shape
	Implicit []string `json:"implicit,omitempty"` // directories that the layer's tar uses without describing them
	Opaque   bool     `json:"opaque,omitempty"`   // hides all layers below
	// HighestID is the largest user or group of its files; nil: an earlier podd has not looked.
	HighestID *uint32 `json:"highestID,omitempty"`
}

// Staging is the directory of one load, <root>/tmp/<random>: what is in it does not exist for anybody else.
type Staging struct {
	Dir    string
	limits Limits
	Known  func(digest string) (Record, bool) // layers of the store, by diffID or blob digest
	Layers map[string]*Staged                 // by diffID
	mu     sync.Mutex                         // of what is below, and of Layers while several layers are unpacked
	count  int
	left   Limits // of all layers together
}

// A load may bring several images, or a hostile one thousands of layers.
const (
	loadFactor = 4
	maxStaged  = 10000
)

// Staged is an unpacked layer that is not part of the store yet.
type Staged struct {
	unpacked
	Path string
}

// ledgerSuffix is that of a staged layer's ledger, which lies beside it.
const ledgerSuffix = ".ledger"

// Ledger is the file that says what the layer is.
func (s *Staged) Ledger() string { return s.Path + ledgerSuffix }

// NewStaging makes a staging area below tmp. known gives the layers that the store has.
func NewStaging(tmp string, l Limits, known func(string) (Record, bool)) (*Staging, error) {
	dir, err := os.MkdirTemp(tmp, "load-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the layers: %w", err)
	}
	left := Limits{Bytes: loadFactor * l.Bytes, Files: loadFactor * l.Files}
	return &Staging{Dir: dir, limits: l, left: left, Known: known, Layers: map[string]*Staged{}}, nil
}

// Discard removes what the store has not taken.
func (st *Staging) Discard() error { return os.RemoveAll(st.Dir) }

// Knows tells a layer by the digest in its file name ("<digest>.tar", "blobs/sha256/<digest>").
func (st *Staging) Knows(name string) bool {
	_, ok := st.Known("sha256:" + strings.TrimSuffix(path.Base(name), ".tar"))
	return ok
}

// ErrNoInode: nothing can be made on the file system of the store, which may have bytes.
var ErrNoInode = errors.New("the file system of the store has no inode free")

// ErrStagingGone is said when somebody removes the staging area while it is used.
var ErrStagingGone = errors.New("the folder that it is unpacked in is gone")

// Unpack makes a layer of the blob r. Nothing is left of a layer that fails. Several goroutines may call it at once.
func (st *Staging) Unpack(ctx context.Context, r io.Reader) (*Staged, error) {
	return st.UnpackAs(ctx, r, "")
}

// ErrOtherLayer is said of a blob that is sound and is not the layer that it was to be.
var ErrOtherLayer = errors.New("it is another layer")

// UnpackAs is Unpack of a blob that nobody vouches for: what has not this diffID is thrown away (ErrOtherLayer).
func (st *Staging) UnpackAs(ctx context.Context, r io.Reader, diffID string) (*Staged, error) {
	l, err := st.unpack(ctx, r, diffID)
	if errors.Is(err, fs.ErrNotExist) { // r is open: what is not there is a part of the staging area
		err = fmt.Errorf("%w: %v", ErrStagingGone, err)
	}
	return l, err
}

func (st *Staging) unpack(ctx context.Context, r io.Reader, want string) (*Staged, error) {
	dir, l, err := st.reserve()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make a folder for a layer: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
		return nil, err
	}
	u, err := unpackBlob(ctx, r, dir, l)
	if err == nil && want != "" && u.DiffID != want {
		u, err = unpacked{}, ErrOtherLayer
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.left.Bytes -= u.Size
	st.left.Files -= u.files
	if err != nil {
		var disk unix.Statfs_t
		if errors.Is(err, unix.ENOSPC) && unix.Statfs(dir, &disk) == nil && disk.Files > 0 && disk.Ffree == 0 { // as long as the files are there
			err = fmt.Errorf("%w (%w)", err, ErrNoInode)
		}
		return nil, errors.Join(err, os.RemoveAll(dir), os.RemoveAll(dir+ledgerSuffix))
	}
	if old := st.Layers[u.DiffID]; old != nil {
		return old, errors.Join(os.RemoveAll(dir), os.Remove(dir+ledgerSuffix))
	}
	st.Layers[u.DiffID] = &Staged{u, dir}
	return st.Layers[u.DiffID], nil
}

// reserve names the folder of the next layer, and what it may take.
func (st *Staging) reserve() (dir string, l Limits, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.count++; st.count > maxStaged {
		return "", Limits{}, fault.Refusef("it has too many layers")
	}
	l = Limits{min(st.limits.Bytes, st.left.Bytes), min(st.limits.Files, st.left.Files), st.limits.Ratio}
	return filepath.Join(st.Dir, strconv.Itoa(st.count)), l, nil
}

// Staged is the unpacked layer of a diffID; nil: it is not unpacked yet.
func (st *Staging) Staged(diffID string) *Staged {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.Layers[diffID]
}

// Take lets go of a layer that has got its place in the store.
func (st *Staging) Take(diffID string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.Layers, diffID)
}
