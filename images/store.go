package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"podd/images/fault"
	"podd/images/layer"
	"podd/images/platform"
	"podd/internal/atomicfile"
	"podd/internal/filelock"
	"podd/internal/hostfile"
)

// Options of a store. The zero value is right for a board.
type Options struct {
	Platform      string // "linux/arm/v7"; "" is this machine's
	MaxLayerBytes int64  // of the files of one layer; 0 is 8 GiB
	MaxFiles      int    // entries of one layer; 0 is a million
	MaxRatio      int64  // bytes written for a compressed one, beyond 32 MiB; 0 is 200
	// InUse gives the layers, by the names of their folders, that pods have mounted or are about to mount. They stay,
	// whatever the records of images say. After an error all layers stay. nil: none is in use.
	InUse func() (layers map[string]bool, err error)
	// Boot is the id of this boot of the machine. If it is not that in which the store was open last, and it was not closed in
	// order then, Open looks at all layers. "": it does not.
	Boot string
	// MakeRoom is asked for space when an image does not fit. true: there is
	// more now, and it is tried once more.
	MakeRoom func(Room) bool
	// Warn is told once of each record or layer that is lost; nil: nobody is.
	Warn func(error)
	// Unpack is told that one more image is on its way into the store (1), or one less (-1), by several goroutines, and gives
	// memory back. nil: the store does.
	Unpack func(change int)
}

// Store is a folder of unpacked images:
//
//	i/<id>.json   one record an image
//	l/<dir>/      one unpacked layer, exactly as overlayfs wants it
//	d/<dir>       what that layer was when it was unpacked; d/<dir>.torn: it is no longer that, and nothing runs from it
//	checked       the boot in which the layers were looked at, or "clean"
//	tmp/          what is being unpacked or removed
//	pins.json     names and IDs of images that are not to be collected
//	used.json     when images came and were used last, to a day
//	generation    a file whose size counts the changes
//	lock, loads   flock(2): changes of the above; loads that are under way
//
// Its methods may be called from several goroutines, and several processes may have the same store open.
type Store struct {
	root   string
	want   platform.Platform
	limits layer.Limits
	inUse  func() (map[string]bool, error)
	// makeRoom: see Options
	makeRoom func(Room) bool
	warn     func(error)
	unpack   func(change int)
	state    atomic.Pointer[snapshot]
	// brought are the images that archives of the folder have brought, by ID.
	brought atomic.Pointer[map[string]bool]
	change  sync.Mutex // serialises this process's changes of state
	warnMu  sync.Mutex
	warned  map[string]bool
	uses    uses
	// archives is of a folder of archives that does not answer.
	archives hostfile.Guard
}

//go:noinline
func (s *Store) dir(name string) string { return filepath.Join(s.root, name) }

// Open opens the store at root, making it if needed, and clears away what a crash has left behind. With an error, on a disk
// that is full or cannot be read or written, the store is there all the same, with the images that could be read: Recheck
// tries again.
func Open(root string, o Options) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("cannot open image store: %w", err)
	}
	s := &Store{root: root, want: platform.Host(), limits: o.limits(), inUse: o.InUse, makeRoom: o.MakeRoom, warn: o.Warn, unpack: o.Unpack, warned: map[string]bool{}, archives: hostfile.Guard{Patience: archivePatience, Most: 3}}
	if s.unpack == nil {
		s.unpack = giveBack
	}
	if o.Platform != "" {
		if s.want, err = platform.Parse(o.Platform); err != nil {
			return nil, err
		}
	}
	s.state.Store(newSnapshot(root, nil, nil))
	s.imports().noteBrought(s.imports().readMemory())
	if err := s.Recheck(); err != nil {
		return s, err
	}
	return s, errors.Join(s.checks().checkAfterBoot(o.Boot), s.removal().collect())
}

// giveBack gives back what decoders had for their windows.
func giveBack(change int) {
	if change < 0 {
		debug.FreeOSMemory()
	}
}

func (rc records) ensureFolders() error {
	for _, dir := range []string{rc.s.root, rc.s.dir("i"), rc.s.dir("l"), rc.s.dir("d"), rc.s.dir("tmp")} {
		// 0700: set-user-ID programs of images must not be reachable for the machine's own users.
		if err := atomicfile.EnsureDir(dir, 0o700, rc.reportDamage, "images are imported again"); err != nil {
			return fmt.Errorf("cannot open image store: %w", err)
		}
	}
	return nil
}

func (o Options) limits() layer.Limits {
	l := layer.Limits{Bytes: 8 << 30, Files: 1e6, Ratio: 200}
	if o.MaxLayerBytes > 0 {
		l.Bytes = o.MaxLayerBytes
	}
	if o.MaxFiles > 0 {
		l.Files = o.MaxFiles
	}
	if o.MaxRatio > 0 {
		l.Ratio = o.MaxRatio
	}
	return l
}

// Get finds an image by name (in any form that Docker takes), by ID ("sha256:...") or by the beginning of an ID that no
// other image has. The error is ErrNotFound or ErrBadName. It does no I/O: what other processes did shows after Refresh.
func (s *Store) Get(ref string) (Image, error) {
	img, err := s.state.Load().find(ref)
	if err != nil {
		return Image{}, err
	}
	if img.lost != "" {
		what := "has lost"
		if s.state.Load().torn[img.lost] {
			what = "has damaged files in"
		}
		return Image{}, &fault.Sentence{Kind: ErrNotFound, Text: fmt.Sprintf("image %q %s its layer %s: load its archive again", ref, what, img.lost)}
	}
	s.uses.note(img.ID, time.Now())
	return *img, nil
}

// List gives all images, those with names first, sorted by name and ID.
func (s *Store) List() []Image {
	state := s.state.Load()
	out := make([]Image, len(state.images))
	for i, img := range state.images {
		out[i] = *img
	}
	return out
}

// HasLayer says whether a layer is there, by the digest of its tar or of the file that it came in.
func (s *Store) HasLayer(digest string) bool {
	_, ok := s.loads().knownLayer(digest)
	return ok
}

// Generation changes whenever the set of images or their names change, by this process or, after Refresh, by another.
func (s *Store) Generation() uint64 { return uint64(s.state.Load().generation) }

// Refresh looks with one stat(2) whether another process changed the store, and reads it again if so.
func (s *Store) Refresh() error {
	s.change.Lock()
	defer s.change.Unlock()
	if s.state.Load().generation == s.records().readGeneration() {
		return nil
	}
	return s.locked(func() error { return nil })
}

// Recheck reads the store again, whatever its generation says: records and layers may have been lost.
func (s *Store) Recheck() error {
	return errors.Join(s.records().ensureFolders(), s.changing(func() error { return nil }))
}

// readGeneration: a file's size needs no block on flash, and one stat gives it whole.
func (rc records) readGeneration() int64 {
	st, err := os.Stat(rc.s.dir("generation"))
	if err != nil {
		return 0
	}
	return st.Size()
}

func (rc records) ensureGeneration() error {
	f, err := atomicfile.Open(rc.s.dir("generation"))
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		rc.warnOnce(atomicfile.SetAside(rc.s.dir("generation"), err))
	}
	f, err = os.OpenFile(rc.s.dir("generation"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot count a change of the image store: %w", err)
	}
	return f.Close()
}

func (rc records) bumpGeneration() error {
	if err := rc.ensureGeneration(); err != nil {
		return err
	}
	return os.Truncate(rc.s.dir("generation"), rc.readGeneration()+1)
}

// locked runs fn, which may change the store, alone among all processes and on the newest state, and reads the outcome.
// It does not trust the generation: a process may have died between a change and its count.
func (s *Store) locked(fn func() error) error {
	if err := s.records().ensureFolders(); err != nil { // somebody may have removed them while podd runs
		return errors.Join(err, s.reread())
	}
	lock, err := filelock.Wait(s.dir("lock"), filelock.Exclusive, s.records().reportDamage)
	if err != nil {
		return errors.Join(err, s.reread()) // what there is can be used, and nothing is changed
	}
	defer lock.Close()
	if err := s.reread(); err != nil {
		return err
	}
	err = fn()
	if s.state.Load().generation != s.records().readGeneration() {
		err = errors.Join(err, s.reread())
	}
	return err
}

func (s *Store) reread() error {
	gen := s.records().readGeneration()
	state, err := s.records().readSnapshot()
	if err != nil {
		return err
	}
	state.generation = gen
	s.state.Store(state)
	return nil
}
