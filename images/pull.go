package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"podd/images/archive"
	"podd/images/fault"
	"podd/images/layer"
)

// PullOptions of one image.
type PullOptions struct {
	Name     string // normalised: what the image is to be called
	Platform string // "linux/arm64" instead of the store's
	Parallel int    // layers that are fetched at once; 0 is 3
	// Watch wraps the reader of each layer that is fetched; nil: nobody looks.
	Watch func(digest string, total int64, r io.Reader) io.Reader
	// Whole: layers are fetched whole, also where the store has most of their files.
	Whole bool
	// Delta is told of each layer that was fetched by file, or was not for a reason; nil: nobody is.
	Delta func(Delta)
	// Plain asks neighbours for the plain tar of a layer by its diffID, before the registry; nil: none has it, or it has more than
	// most bytes. nil: there are none.
	Plain func(ctx context.Context, diffID string, most int64) *PlainLayer
	// Found is told once what of the image has to be fetched; an error ends the pull. nil: nobody is.
	Found func(Missing) error
}

// Missing is what the store lacks of an image that is to be pulled.
type Missing struct {
	ID      string             // of the image
	Digests []string           // of its manifest, and of the indexes that led to it
	Root    archive.Descriptor // what the name points to
	Layers  []Blob             // that have to be fetched
	Free    [2]int64           // bytes and inodes that the file system of the store has free; -1: it does not tell
}

// Blob is a layer in a registry.
type Blob struct {
	Digest string
	Size   int64 // as the manifest promises; 0: it does not
}

// Bytes is how much has to be fetched.
func (m Missing) Bytes() (n int64) {
	for _, b := range m.Layers {
		n += b.Size
	}
	return n
}

// ErrNoSpace: what is to be fetched does not fit. Nothing was fetched.
var ErrNoSpace = errors.New("no space for the image")

// Pull brings an image from a registry: its layers are unpacked while they come. The error is one sentence, as Load's is.
func (s *Store) Pull(ctx context.Context, src archive.Source, root archive.Descriptor, o PullOptions) (Image, error) {
	parallel := o.Parallel
	if parallel <= 0 {
		parallel = 3
	}
	var p *pulled
	pull := func() ([]Image, error) {
		p = &pulled{store: s, src: src, o: o, parallel: parallel, synced: time.Now(), blobs: map[string]string{}}
		return s.loads().stageAndCommit(ctx, LoadOptions{Platform: o.Platform}, func(ctx context.Context, _ *layer.Staging) (archive.Archive, error) {
			p.Archive = archive.OpenRemote(ctx, src, root, o.Name, p.watch)
			return p, nil
		})
	}
	list, err := pull()
	if (outOfSpace(err) || errors.Is(err, ErrNoSpace)) && s.makeRoom != nil && s.makeRoom(p.room(err)) {
		list, err = pull()
	}
	if err != nil {
		return Image{}, p.explain(err)
	}
	p.forget()
	if err := s.removal().collect(); err != nil { // the image is there
		s.records().warnOnce(err)
	}
	return list[0], nil
}

// pulled is an image of a registry on its way.
type pulled struct {
	archive.Archive

	store    *Store
	src      archive.Source
	o        PullOptions
	parallel int

	mu      sync.Mutex
	synced  time.Time         // layers that are whole are kept since
	waiting []*layer.Staged   // whole, but not kept yet
	missing Missing           // as it was before the pull
	came    int64             // bytes of layers
	others  int64             // bytes of files of other images' layers, before the pull
	blobs   map[string]string // of layers that are whole, by diffID
}

// unpackedFactor is how much larger files are than the layers that they come in, as a rule.
const unpackedFactor = 3

// watch counts what comes, for the sentence about what is missing.
func (p *pulled) watch(digest string, total int64, r io.Reader) io.Reader {
	if p.o.Watch != nil {
		r = p.o.Watch(digest, total, r)
	}
	return &counted{r, p}
}

type counted struct {
	io.Reader
	p *pulled
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.mu.Lock()
	c.p.came += int64(n)
	c.p.mu.Unlock()
	return n, err
}

// explain says how much space is missing, at least: what has not come yet is as large unpacked as it is compressed.
func (p *pulled) explain(err error) error {
	if outOfSpace(err) && !errors.Is(err, layer.ErrNoInode) {
		left := max(p.missing.Bytes()-p.came, 1)
		err = fmt.Errorf("%w; at least %s more are needed", err, size(left))
	}
	return pullError(err)
}

// found says what is to be fetched, and looks whether there is room for it.
func (lo loads) found(c *archive.Image, p *pulled) error {
	o := p.o
	m := Missing{ID: c.ID, Digests: c.Digests, Root: c.Root, Free: freeOf(lo.s.root)}
	seen := map[string]bool{}
	for _, l := range c.Layers {
		if _, known := lo.knownLayer(l.DiffID); !known && !seen[l.DiffID] {
			seen[l.DiffID] = true
			m.Layers = append(m.Layers, Blob{l.Blob, max(l.Size, 0)})
		}
	}
	p.missing, p.others = m, lo.others(c)
	if o.Found != nil {
		if err := o.Found(m); err != nil {
			return err
		}
	}
	return m.fits()
}

// room is how much the image takes as far as it shows: what it came with while the disk became full says how large the rest
// will be.
func (p *pulled) room(err error) Room {
	r := Room{Bytes: unpackedFactor * p.missing.Bytes(), Inodes: errors.Is(err, layer.ErrNoInode)}
	if had := p.missing.Free[0]; outOfSpace(err) && had > 0 {
		r.Bytes = max(r.Bytes, had+1, int64(float64(had)*float64(p.missing.Bytes())/float64(max(p.came, 1))))
	}
	return r
}

// fits says what is certain: the files of a layer are never smaller than what it is compressed to, but for a few bytes.
func (m Missing) fits() error {
	need := m.Bytes()
	if m.Free[0] >= 0 && need > m.Free[0] {
		return &fault.Sentence{Kind: ErrNoSpace, Text: fmt.Sprintf("its layers have %s compressed and the store has %s free: at least %s more are needed",
			size(need), size(m.Free[0]), size(need-m.Free[0]))}
	}
	if m.Free[1] == 0 && len(m.Layers) > 0 {
		return &fault.Sentence{Kind: fmt.Errorf("%w: %w", ErrNoSpace, layer.ErrNoInode), Text: layer.ErrNoInode.Error()}
	}
	return nil
}

// size spells bytes for a person.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// stage fetches the layers that are missing, several at once. Those that are whole are kept, whatever becomes of the others.
func (p *pulled) stage(ctx context.Context, c *archive.Image, st *layer.Staging) error {
	if err := p.store.loads().found(c, p); err != nil {
		return err
	}
	err := eachLayer(ctx, c, p.parallel, func(ctx context.Context, ref archive.Layer) error { return p.stageOne(ctx, ref, st) })
	if err != nil && !outOfSpace(err) { // else what is whole stands in the way of others
		err = errors.Join(err, p.persist(st))
	}
	return err
}

func (p *pulled) stageOne(ctx context.Context, ref archive.Layer, st *layer.Staging) error {
	if !p.stagePlain(ctx, ref, st) && !p.stageDelta(ctx, ref, st) {
		if _, err := stageLayer(ctx, p.Archive, st, ref); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := st.Staged(ref.DiffID); l != nil {
		p.waiting = append(p.waiting, l)
		p.blobs[ref.DiffID] = ref.Blob
	}
	if time.Since(p.synced) < keepEach {
		return nil
	}
	return p.persistLocked(st)
}

func (p *pulled) persist(st *layer.Staging) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.persistLocked(st)
}

func (p *pulled) persistLocked(st *layer.Staging) error {
	list := p.waiting
	p.waiting = nil
	if err := p.store.kept().persist(st, list); err != nil {
		return err
	}
	for _, l := range list {
		p.src.Forget(p.blobs[l.DiffID])
	}
	p.synced = time.Now()
	return nil
}

// forget drops what the source has kept of layers that are in the store.
func (p *pulled) forget() {
	for _, blob := range p.blobs {
		p.src.Forget(blob)
	}
}

// pullError adds what to do.
func pullError(err error) error {
	switch {
	case outOfSpace(err), errors.Is(err, ErrNoSpace):
		kind := fmt.Errorf("%w: %w", ErrNoSpace, err)
		return &fault.Sentence{Kind: kind, Text: fmt.Sprintf("disk: %v; nothing of it was kept: free some space, for example with podd images prune", err)}
	case errors.Is(err, ErrPlatform):
		text, _, _ := strings.Cut(err.Error(), ": save the image") // which is for archives
		return &fault.Sentence{Kind: err, Text: text}
	case errors.Is(err, ErrTruncated), errors.Is(err, ErrRefused):
		return &fault.Sentence{Kind: err, Text: fmt.Sprintf("%v; nothing of it was kept", err)}
	}
	return err
}
