package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"podd/images"
	"podd/images/reference"
	"podd/images/registry"
	"podd/runtime/state"
)

// Settings of pulls; they may change at any time.
type Settings struct {
	// Parallel is how many images are pulled at once; 0: as many as are needed.
	Parallel int
	// Layers of one image that are fetched at once; 0: 3.
	Layers int
	// Offline: where the policy is Always and the registry cannot be asked, what is there is used.
	Offline bool
	// PeerTags: where the registry does not answer, peers may say what a tag stands for.
	PeerTags bool
	// Deltas: of layers with a table of contents only the files that the store has not got are fetched.
	Deltas bool
	// Window are the hours in which images are pulled for pods; the zero value: all.
	Window Window
	// Verification says which images that are there a pod has to show credentials for.
	Verification Verification
}

// Puller pulls images. Several goroutines may use it.
type Puller struct {
	Store    *images.Store
	Client   *registry.Client // nil: images are only judged, and not pulled
	Peers    *registry.Peers  // that are asked before registries; nil: there are none
	Settings func() Settings
	Records  *Records
	// Gate judges images before anything of them is unpacked, and those that are there before they run.
	Gate *Gate
	// Pulled is called after each pull that went well; nil: nothing is.
	Pulled func(ctx context.Context)
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now

	turns   turns
	mu      sync.Mutex
	flights map[string]*flight
}

// ErrSignature: an image is not signed as the policy demands.
var ErrSignature = errors.New("signature validation failed")

// Request asks for an image.
type Request struct {
	Image string // as the pod names it
	// Keyring has the pod's own credentials; nil: none.
	Keyring registry.Keyring
	// Identity tells requests with different credentials apart.
	Identity string
	// Present: an image of the name is there, and is used if the registry cannot be asked.
	Present bool
	// ByHand: somebody waits for it, whatever the hours.
	ByHand   bool
	Platform string
	// Judge asks for a verdict on an image that is there, by its ID, and for nothing else.
	Judge string
	// Watch is told how it goes on; nil: nobody is.
	Watch func(Progress)
}

// Result is how a pull came out.
type Result struct {
	Err          error
	Reason       string        // a reason why a container waits, see package state; "": it went well
	Message      string        // the sentence about that
	After        time.Duration // the registry asks for this much patience, or the hours do
	Image        images.Image
	Took, Waited time.Duration
	// Present is why what is there is used; "": the registry has been asked.
	Present string
	// Peers says what came from peers; "": nothing did.
	Peers  string
	Judged bool // the image was there, and may run
}

// CanPull says that images are pulled, and not judged alone.
func (p *Puller) CanPull() bool { return p.Client != nil }

// Passes says whether it is known that an image that is there may run.
func (p *Puller) Passes(image, id string) bool { return p.Gate.Passes(image, id) }

// Progress is a step of a pull.
type Progress struct {
	Status string `json:"status"` // resolving, waiting, found, pulling, done
	Layer  string `json:"layer,omitempty"`
	Host   string `json:"host,omitempty"`
	// Current of Total bytes of the layer have come; Total is 0 when nobody knows.
	Current int64 `json:"current,omitempty"`
	Total   int64 `json:"total,omitempty"`
}

// flight is a pull that several may wait for.
type flight struct {
	done    chan struct{}
	result  Result
	cancel  context.CancelCauseFunc
	waiting int
	watch   map[int]func(Progress)
	next    int
}

// Pull brings an image, and waits for its turn. Whoever asks for the same with the same credentials meanwhile gets the same
// answer. It ends early when ctx does and nobody else waits.
func (p *Puller) Pull(ctx context.Context, r Request) Result {
	if r.Judge != "" {
		return p.judge(ctx, r)
	}
	name, err := reference.Normalize(r.Image)
	if err != nil {
		return Result{Err: err, Reason: state.ReasonImageName, Message: err.Error()}
	}
	if after := p.closed(r); after > 0 {
		return p.outOfHours(r, after)
	}
	f, n := p.join(name, r)
	defer p.leave(f, n)
	select {
	case <-f.done:
		return f.result
	case <-ctx.Done():
		return Result{Err: context.Cause(ctx), Reason: state.ReasonImagePull, Message: "the pull was given up"}
	}
}

// Layer opens a layer of an image that is there where its name leads to, with the node's credentials.
func (p *Puller) Layer(ctx context.Context, img images.Image, diffID, blob string) (io.ReadCloser, error) {
	if blob == "" {
		blob = diffID // it came as it is
	}
	err := fmt.Errorf("image %s has no name in a registry", img.ID)
	for _, name := range img.Names {
		var ref registry.Reference
		if ref, err = registry.ParseReference(name); err != nil {
			continue
		}
		var at registry.Attached
		var done func()
		if at, done, err = p.Client.Beside(ctx, ref, nil); err != nil {
			continue
		}
		return &closing{at.Layer(ctx, blob), done}, nil
	}
	return nil, err
}

// closing lets go of the connections with the body.
type closing struct {
	io.ReadCloser
	done func()
}

func (c *closing) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}

// judge looks whether an image that is there may run.
func (p *Puller) judge(ctx context.Context, r Request) Result {
	img, err := p.Store.Get(r.Judge)
	if err == nil {
		err = p.Gate.JudgePresent(ctx, r.Image, img, r.Keyring)
	}
	if err != nil {
		return resultOf(r.Image, err)
	}
	return Result{Image: img, Judged: true}
}

// Allows says of an image that is there whether somebody with these credentials may use it.
func (p *Puller) Allows(id, image string, keys Keys) bool {
	name, err := reference.Normalize(image)
	if err != nil {
		return true // it is named by its ID
	}
	ref, err := registry.ParseReference(name)
	if err != nil {
		return true
	}
	return p.Store.Brought(id) || p.Records.Allows(p.Settings().Verification, id, ref.Repository(), keys.For(image))
}

// join takes part in a pull that is under way, or begins one.
func (p *Puller) join(name string, r Request) (*flight, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ref, _ := registry.ParseReference(name)
	key := strings.Join([]string{name, r.Identity, r.Platform, fmt.Sprint(r.Present, ref.Written(r.Image))}, "\x00")
	f := p.flights[key]
	if f == nil {
		if p.flights == nil {
			p.flights = map[string]*flight{}
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		f = &flight{done: make(chan struct{}), cancel: cancel, watch: map[int]func(Progress){}}
		p.flights[key] = f
		go p.fly(ctx, key, name, r, f)
	}
	f.next++
	f.waiting++
	if r.Watch != nil {
		f.watch[f.next] = r.Watch
	}
	return f, f.next
}

// leave ends a pull that nobody waits for any more.
func (p *Puller) leave(f *flight, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(f.watch, n)
	if f.waiting--; f.waiting == 0 {
		f.cancel(context.Canceled)
	}
}

func (p *Puller) notify(f *flight, step Progress) {
	p.mu.Lock()
	list := make([]func(Progress), 0, len(f.watch))
	for _, w := range f.watch {
		list = append(list, w)
	}
	p.mu.Unlock()
	for _, w := range list {
		w(step)
	}
}

// fly is one pull, from its turn to its end.
func (p *Puller) fly(ctx context.Context, key, name string, r Request, f *flight) {
	began := p.now()
	if r.ByHand {
		f.result = p.pull(ctx, name, r, f)
	} else {
		p.notify(f, Progress{Status: "waiting"})
		release, err := p.turns.take(ctx, func() int { return p.Settings().Parallel })
		if err == nil {
			f.result = p.pull(ctx, name, r, f)
			release()
		} else {
			f.result = Result{Err: err, Reason: state.ReasonImagePull, Message: "the pull was given up"}
		}
	}
	f.result.Waited = p.now().Sub(began)
	p.mu.Lock()
	delete(p.flights, key)
	p.mu.Unlock()
	close(f.done)
}

// errClosed ends a pull when the hours are over.
var errClosed = errors.New("the hours of imagePullWindow are over")

func (p *Puller) pull(ctx context.Context, name string, r Request, f *flight) Result {
	began := p.now()
	settings := p.Settings()
	if left := settings.Window.left(began); left > 0 && !r.ByHand {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, left, errClosed)
		defer cancel()
	}
	img, peers, err := p.fetch(ctx, name, r, f, settings)
	if err == nil {
		if p.Pulled != nil {
			p.Pulled(ctx)
		}
		return Result{Image: img, Peers: peers, Took: p.now().Sub(began)}
	}
	if errors.Is(context.Cause(ctx), errClosed) {
		return p.outOfHours(r, max(p.closed(r), time.Second))
	}
	out := resultOf(name, err)
	if r.Present && settings.Offline && (out.Reason == state.ReasonRegistry || out.Reason == state.ReasonClock) {
		return Result{Present: err.Error()}
	}
	return out
}

// fetch asks the registry, and neighbours, and brings what the store lacks. peers says what came from neighbours.
func (p *Puller) fetch(ctx context.Context, name string, r Request, f *flight, settings Settings) (img images.Image, peers string, err error) {
	ref, err := registry.ParseReference(name)
	if err != nil {
		return images.Image{}, "", err
	}
	p.notify(f, Progress{Status: "resolving"})
	from, err := p.resolve(ctx, ref.Written(r.Image), r, settings)
	if err != nil {
		return images.Image{}, "", err
	}
	defer from.close()
	var found images.Trust
	img, err = p.Store.Pull(ctx, from, from.root, images.PullOptions{
		Name: name, Platform: r.Platform, Parallel: settings.Layers,
		Found: func(m images.Missing) error {
			p.notify(f, Progress{Status: "found", Host: from.host})
			var err error
			if found, err = p.Gate.judgeRemote(ctx, r.Image, from.attached(), m, r.Keyring); err != nil {
				return err
			}
			for _, l := range m.Layers {
				p.notify(f, Progress{Status: "pulling", Layer: l.Digest, Total: l.Size})
			}
			// Before the image can be seen: whoever may not have it is not to find it without a record.
			used, public := from.used(ctx, r.Keyring, ref.Repository())
			return p.Records.Add(m.ID, ref.Repository(), used, public)
		},
		Plain: from.plain,
		Whole: !settings.Deltas,
		Delta: func(d images.Delta) {
			switch {
			case p.Log == nil:
			case d.Err != nil:
				p.Log.Info("layer is fetched whole: its files cannot be fetched one by one", "image", name, "layer", d.Digest, "error", d.Err)
			default:
				p.Log.Info("layer fetched by file", "image", name, "layer", d.Digest, "size", d.Size, "fetched", d.Fetched, "reused", d.Reused)
			}
		},
		Watch: func(digest string, total int64, in io.Reader) io.Reader {
			return &watched{in: in, tell: func(n int64) { p.notify(f, Progress{Status: "pulling", Layer: digest, Current: n, Total: total}) }}
		},
	})
	if err == nil && p.Gate != nil {
		if err := p.Store.SetTrust(img.ID, found); err != nil && p.Log != nil { // it is found again when it is needed
			p.Log.Warn("cannot keep the signatures of an image", "image", name, "error", err)
		}
		img.SignedBy = found.SignedBy
	}
	peers = from.note()
	if err == nil && peers != "" && p.Log != nil {
		p.Log.Info("peers have given an image", "image", name, "what", peers)
	}
	return img, peers, err
}

// watched tells about each half MiB of a layer.
type watched struct {
	in      io.Reader
	n, told int64
	tell    func(n int64)
}

const tellEach = 512 << 10

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.in.Read(b)
	w.n += int64(n)
	if w.n-w.told >= tellEach || err != nil && w.n > w.told {
		w.told = w.n
		w.tell(w.n)
	}
	return n, err
}

// resultOf says in the kubelet's words why a pull has failed.
// kubernetes pkg/kubelet/images, evalCRIPullErr
func resultOf(name string, err error) Result {
	out := Result{Err: err, Reason: state.ReasonImagePull, Message: err.Error()}
	var e *registry.Error
	if errors.As(err, &e) {
		out.After = e.After
	}
	switch {
	case errors.Is(err, registry.ErrClock):
		out.Reason = state.ReasonClock
	case errors.Is(err, registry.ErrUnavailable):
		out.Reason = state.ReasonRegistry
		out.Message = fmt.Sprintf("image pull failed for %s because the registry is unavailable: %v", name, err)
	case errors.Is(err, ErrSignature):
		out.Reason = state.ReasonSignature
		out.Message = fmt.Sprintf("image pull failed for %s because the signature validation failed: %v", name, err)
	case errors.Is(err, images.ErrBadName):
		out.Reason = state.ReasonImageName
	}
	return out
}

func (p *Puller) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// closed is how long a request has to wait for the hours; 0: it has not.
func (p *Puller) closed(r Request) time.Duration {
	if r.ByHand {
		return 0
	}
	return p.Settings().Window.until(p.now())
}

func (p *Puller) outOfHours(r Request, after time.Duration) Result {
	w := p.Settings().Window
	text := fmt.Sprintf("images are pulled from %s only (imagePullWindow)", w)
	if r.Present && p.Settings().Offline {
		return Result{Present: text}
	}
	return Result{Err: errClosed, Reason: state.ReasonImagePullWindow, Message: text, After: after}
}

// turns hands out turns in the order of asking.
type turns struct {
	mu    sync.Mutex
	used  int
	queue []chan struct{}
}

// take waits for a turn; limit is asked whenever one may be free, 0: there is no limit.
func (t *turns) take(ctx context.Context, limit func() int) (release func(), err error) {
	release = sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.used--
		t.wake(limit)
	})
	t.mu.Lock()
	mine := make(chan struct{})
	t.queue = append(t.queue, mine)
	t.wake(limit)
	t.mu.Unlock()
	select {
	case <-mine:
		return release, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(t.queue, mine)
	if i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 {
		release() // it came at the same moment
	}
	return nil, context.Cause(ctx)
}

func (t *turns) wake(limit func() int) {
	for len(t.queue) > 0 && (limit() == 0 || t.used < limit()) {
		t.used++
		close(t.queue[0])
		t.queue = t.queue[1:]
	}
}
