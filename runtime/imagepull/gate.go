package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"podd/images"
	"podd/images/archive"
	"podd/images/reference"
	"podd/images/registry"
	"podd/images/trust"
)

// Rules say which images may run.
type Rules struct {
	Policy     *trust.Policy // nil: every image
	Lookasides *trust.Lookasides
	Verifiers  trust.Verifiers // no folder: there are none
}

func (r *Rules) open() bool { return r.Policy == nil && r.Verifiers.Dir == "" }

// Gate decides whether images may run. What it has decided counts until the rules change, or podd ends: nothing is asked again
// at each start of a container. Several goroutines may use it. A nil Gate lets every image run.
type Gate struct {
	Store *images.Store
	// Load reads the rules. After an error no image passes.
	Load func() (*Rules, error)
	// Client fetches signatures; nil: nobody does.
	Client *registry.Client

	mu     sync.Mutex
	rules  *Rules
	fault  error
	passed map[string]bool // by the image's name in the pod and its ID
	age    int             // of the rules
}

// Reload reads the rules anew. What was decided by others counts no more.
func (g *Gate) Reload() error {
	rules, err := g.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules, g.fault, g.passed = rules, err, map[string]bool{}
	g.age++
	return err
}

// maxPassed bounds what is remembered.
const maxPassed = 4096

func passKey(image, id string) string { return image + "\x00" + id }

// Passes says whether it is known that an image that is there may run. It does no I/O.
func (g *Gate) Passes(image, id string) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault == nil && g.rules != nil && g.rules.open() {
		return true
	}
	return g.passed[passKey(image, id)]
}

// now are the rules that count.
func (g *Gate) now() (rules *Rules, age int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault != nil {
		return nil, g.age, g.fault
	}
	if g.rules == nil {
		return nil, g.age, errors.New("the policy of images has not been read")
	}
	return g.rules, g.age, nil
}

func (g *Gate) pass(image, id string, age int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.age != age {
		return // by rules that count no more
	}
	if len(g.passed) >= maxPassed {
		clear(g.passed)
	}
	g.passed[passKey(image, id)] = true
}

// signatureError is an ErrSignature whose text stands alone.
type signatureError struct{ err error }

func (s *signatureError) Error() string   { return s.err.Error() }
func (s *signatureError) Unwrap() []error { return []error{ErrSignature, s.err} }

// candidate is an image that is to be judged.
type candidate struct {
	image string // as the pod names it
	names []string
	id    string
	from  images.Provenance
	// attached is the registry that gives the image; nil: it is asked for if need be.
	attached trust.Registry
	keys     registry.Keyring
	// fresh: the image comes from the registry now, and so do its signatures.
	fresh bool
}

// JudgePresent judges an image that is on the board, and remembers what it has found. An error that is not ErrSignature says that
// it could not be judged.
func (g *Gate) JudgePresent(ctx context.Context, image string, img images.Image, keys registry.Keyring) error {
	if g == nil {
		return nil
	}
	from, err := g.Store.Provenance(img.ID)
	if err != nil {
		return err
	}
	found, err := g.judge(ctx, candidate{image: image, names: namesOf(image, from.Names), id: img.ID, from: from, keys: keys})
	if err != nil {
		return err
	}
	return g.Store.SetTrust(img.ID, found)
}

// judgeRemote judges an image that is about to come from a registry, before anything of it is unpacked.
func (g *Gate) judgeRemote(ctx context.Context, image string, attached trust.Registry, m images.Missing, keys registry.Keyring) (images.Trust, error) {
	if g == nil {
		return images.Trust{}, nil
	}
	c := candidate{image: image, names: []string{image}, id: m.ID, attached: attached, keys: keys, fresh: true}
	c.from.Digests, c.from.Root = m.Digests, m.Root
	if have, err := g.Store.Provenance(m.ID); err == nil {
		c.from.Trust = have.Trust
	}
	return g.judge(ctx, c)
}

// namesOf are the names that an image is judged by: the one that the pod gives it, or, if that is an ID, those that it has.
func namesOf(image string, names []string) []string {
	full, err := reference.Normalize(image)
	if err == nil && (slices.Contains(names, full) || !reference.IsHex(strings.TrimPrefix(image, "sha256:"))) {
		return []string{full}
	}
	return names
}

// judge asks policy and verifiers. What it returns is to be kept with the image.
func (g *Gate) judge(ctx context.Context, c candidate) (images.Trust, error) {
	rules, age, err := g.now()
	if err != nil {
		return images.Trust{}, &signatureError{fmt.Errorf("image %s is not allowed: %w", c.image, err)}
	}
	out := c.from.Trust
	if rules.open() {
		return out, nil
	}
	names := c.names
	if len(names) == 0 {
		names = []string{""} // it has lost its last name: what counts for all images counts
	}
	var first error
	for _, name := range names {
		if out, err = g.judgeAs(ctx, rules, name, c, out); err == nil {
			g.pass(c.image, c.id, age)
			return out, nil
		}
		if first == nil {
			first = err
		}
	}
	return images.Trust{}, first
}

// judgeAs judges an image by one of its names.
func (g *Gate) judgeAs(ctx context.Context, rules *Rules, name string, c candidate, have images.Trust) (images.Trust, error) {
	var ref reference.Reference
	if name != "" {
		var err error
		if ref, err = reference.Parse(name); err != nil {
			return have, err
		}
	}
	if rules.Policy != nil {
		var err error
		if have, err = g.bySignature(ctx, rules, ref, c, have); err != nil {
			return have, err
		}
	}
	return g.byVerifiers(ctx, rules, name, c, have)
}

func (g *Gate) bySignature(ctx context.Context, rules *Rules, ref reference.Reference, c candidate, have images.Trust) (images.Trust, error) {
	needs := rules.Policy.NeedsSignature(ref) && ref.Path != ""
	var fetchErr error
	if needs && c.fresh {
		have, fetchErr = g.fetch(ctx, rules, ref, c, have)
	}
	by, err := rules.Policy.Check(trust.Image{Name: ref, Digests: c.from.Digests, Signatures: have.Signatures})
	if err != nil && needs && !c.fresh && len(c.from.Digests) > 0 {
		// What is kept with the image does not do: somebody may have signed it since.
		if have, fetchErr = g.fetch(ctx, rules, ref, c, have); fetchErr == nil {
			by, err = rules.Policy.Check(trust.Image{Name: ref, Digests: c.from.Digests, Signatures: have.Signatures})
		}
	}
	if err != nil {
		if fetchErr != nil {
			err = fmt.Errorf("%w; and its signatures cannot be fetched: %w", err, fetchErr)
		}
		if errors.Is(fetchErr, registry.ErrUnavailable) || errors.Is(fetchErr, registry.ErrClock) {
			return have, err
		}
		return have, &signatureError{err}
	}
	have.SignedBy = by
	return have, nil
}

// fetch looks for signatures of an image wherever they may be.
func (g *Gate) fetch(ctx context.Context, rules *Rules, ref reference.Reference, c candidate, have images.Trust) (images.Trust, error) {
	lookaside := rules.Lookasides.Of(ref)
	from := c.attached
	var err error
	if from == nil {
		var done func()
		if from, done, err = g.beside(ctx, ref, c); err == nil {
			defer done()
		} else {
			from = filesOnly{g.Client}
		}
	}
	found, cerr := trust.Collect(ctx, from, ref.Repository(), c.from.Digests, lookaside)
	have.Signatures = trust.Merge(found, have.Signatures)
	if len(found) > 0 {
		return have, nil
	}
	return have, errors.Join(err, cerr)
}

// beside asks the registry of an image that is there for its signatures.
func (g *Gate) beside(ctx context.Context, ref reference.Reference, c candidate) (trust.Registry, func(), error) {
	if g.Client == nil {
		return nil, nil, errors.New("images are not pulled on this board, and so signatures are not fetched")
	}
	r, err := registry.ParseReference(ref.String())
	if err != nil {
		return nil, nil, err
	}
	a, done, err := g.Client.Beside(ctx, r.Written(c.image), c.keys)
	return a, done, err
}

// filesOnly is a registry that cannot be asked, beside which a store of signatures may be.
type filesOnly struct{ client *registry.Client }

func (filesOnly) Manifest(context.Context, string, string, int64) ([]byte, error) {
	return nil, fs.ErrNotExist
}

func (filesOnly) Blob(context.Context, string, string, int64) ([]byte, error) {
	return nil, fs.ErrNotExist
}

func (filesOnly) Referrers(context.Context, string, string, int64) ([]byte, error) {
	return nil, fs.ErrNotExist
}

// URL implements trust.Registry.
func (f filesOnly) URL(ctx context.Context, address string, limit int64) ([]byte, error) {
	client := f.client
	if client == nil {
		if !strings.HasPrefix(address, "file:") {
			return nil, fs.ErrNotExist
		}
		client = &registry.Client{}
	}
	return client.Lookaside(ctx, address, limit)
}

// byVerifiers asks the programs, unless the same ones have accepted the image before.
func (g *Gate) byVerifiers(ctx context.Context, rules *Rules, name string, c candidate, have images.Trust) (images.Trust, error) {
	programs, err := fingerprint(rules.Verifiers.Dir)
	if err != nil {
		return have, &signatureError{fmt.Errorf("image %s is not allowed: cannot list its verifiers: %w", c.image, err)}
	}
	if programs == "" || have.Accepted[name] == programs && !c.fresh {
		return have, nil
	}
	root := c.from.Root
	if root.Digest == "" { // a docker-archive has no manifest
		root = archive.Descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: c.id}
	}
	if root.MediaType == "" {
		root.MediaType = trust.MediaTypeManifest
	}
	target := trust.Target{Name: name, MediaType: root.MediaType, Digest: root.Digest, Size: root.Size}
	if target.Name == "" {
		target.Name = c.id
	}
	if err := rules.Verifiers.Verify(ctx, target); err != nil {
		return have, &signatureError{err}
	}
	have.Accepted = maps.Clone(have.Accepted)
	if have.Accepted == nil {
		have.Accepted = map[string]string{}
	}
	have.Accepted[name] = programs
	return have, nil
}

// fingerprint tells the programs of a folder apart from others; "": there is none.
func fingerprint(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var parts []string
	for _, e := range entries {
		info, err := os.Stat(dir + "/" + e.Name())
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%s:%d:%d", e.Name(), info.Size(), info.ModTime().UnixNano()))
	}
	return strings.Join(parts, " "), nil
}
