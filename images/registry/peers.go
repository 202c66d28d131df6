package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Peers are neighbours with podd that are asked for parts of images before a registry is. Nothing that they say is believed:
// documents are verified here, by their digests, and layers by whoever unpacks them, by their diffIDs. One that is away is left
// alone for a while, and one that gives what it should not for an hour. Several goroutines may use them.
type Peers struct {
	Addresses func() []string // http://10.0.0.5:5000
	// Client is that of registries: certificates, the rate, the clock. Its proxies and its patience do not count.
	Client *Client
	// Refused is told of a peer that gave what it should not; nil: nobody is.
	Refused func(address string, err error)

	mu    sync.Mutex
	apart map[string]apart
}

// apart is why a peer is not asked.
type apart struct {
	until time.Time
	fails int
}

// Times of peers. They are near: whoever takes longer is no help.
const (
	peerAnswers = time.Second      // from the first packet to the first answer
	peerHeader  = 5 * time.Second  // until any other answer begins
	peerIdle    = 10 * time.Second // between two bytes
	peerPause   = 30 * time.Second // after the first failure, twice as long after each that follows
	peerMost    = 15 * time.Minute
	peerLied    = time.Hour
	peerSlow    = 32 << 10 // bytes a second of a layer or a document, over
	peerPaced   = 15 * time.Second
)

// CheckPeer says what is wrong with the address of a peer.
func CheckPeer(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
		return fmt.Errorf("must be an address such as http://10.0.0.5:5000, not %q", clip(address, 200))
	}
	return nil
}

// Near are the peers that answer now, for one image.
type Near struct {
	p    *Peers
	ref  Reference
	live []*nearPeer

	mu   sync.Mutex
	gave []string
}

type nearPeer struct {
	address string
	s       *session
	bad     bool // by Near.mu
}

// Near asks all peers at once whether they are there, for a second at most. A nil *Peers has none.
func (p *Peers) Near(ctx context.Context, ref Reference) *Near {
	n := &Near{p: p, ref: ref}
	if p == nil {
		return n
	}
	var all sync.WaitGroup
	found := make([]*nearPeer, 0)
	for _, address := range p.Addresses() {
		if p.isApart(address) {
			continue
		}
		at := &nearPeer{address: address}
		found = append(found, at)
		all.Go(func() {
			s, err := p.greet(ctx, address, ref)
			if err == nil {
				at.s = s
			}
			if ctx.Err() == nil {
				p.noteAnswer(address, err)
			}
		})
	}
	all.Wait()
	for _, at := range found {
		if at.s != nil {
			n.live = append(n.live, at)
		}
	}
	return n
}

// greet finds out whether a registry answers.
func (p *Peers) greet(ctx context.Context, address string, ref Reference) (*session, error) {
	s, err := p.Client.peer(address, ref)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, peerAnswers)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.e.base.String()+"/", nil)
	if err == nil {
		var resp *http.Response
		if resp, err = s.http.Do(req); err == nil {
			err = transport.CheckError(resp, http.StatusOK)
			_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		s.pooled.CloseIdleConnections()
		return nil, p.Client.explain(HopConnect, s.e.name(), err)
	}
	return s, nil
}

// peer makes the session of a peer: without credentials, redirects and proxies.
func (c *Client) peer(address string, ref Reference) (*session, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	e := &endpoint{base: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/v2"}, repo: ref.Path, query: url.Values{"ns": {ref.Domain}}.Encode()}
	if folder, ok := findHostFolder(c.Hosts.Certs, u.Host); ok {
		if err := e.loadCertificates(folder); err != nil {
			return nil, err
		}
	}
	patience := Patience{Dial: peerAnswers, Idle: peerIdle, First: 200 * time.Millisecond, Most: time.Second, Tries: 1, Breaks: 2, Obey: time.Second}
	pool := c.transport(e, patience)
	pool.Proxy, pool.ResponseHeaderTimeout = nil, peerHeader
	c.limited.Do(func() { c.limit.rate = c.Rate })
	w := &wire{
		base: pool, patience: patience, limit: &c.limit, plain: func(host string) bool { return u.Scheme == "http" && host == u.Host },
		header: http.Header{"Podd-Peer": {"1"}}, host: u.Host, agent: c.agent(),
	}
	s := &session{c: c, e: e, pooled: pool, patience: patience, peer: true}
	s.http = &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error {
		return &redirectError{"it sends to another address"}
	}}
	return s, nil
}

func (p *Peers) isApart(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.apart[address].until)
}

// noteAnswer lets a peer that does not answer alone for a while.
func (p *Peers) noteAnswer(address string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		delete(p.apart, address)
		return
	}
	a := p.apart[address]
	a.until = time.Now().Add(min(peerPause<<min(a.fails, 10), peerMost))
	a.fails++
	p.set(address, a)
	if p.Client.Log != nil {
		p.Client.Log.Debug("a peer is away", "peer", address, "error", err)
	}
}

func (p *Peers) set(address string, a apart) {
	if p.apart == nil {
		p.apart = map[string]apart{}
	}
	p.apart[address] = a
}

// Close lets go of the connections.
func (n *Near) Close() {
	for _, at := range n.live {
		at.s.pooled.CloseIdleConnections()
	}
}

// Gave lists the peers that something came from.
func (n *Near) Gave() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gave
}

// each asks one peer after the other, until one gives what is wanted. What it has not is no fault.
func (n *Near) each(ctx context.Context, ask func(at *nearPeer) error) bool {
	for _, at := range n.live {
		n.mu.Lock()
		bad := at.bad
		n.mu.Unlock()
		if bad {
			continue
		}
		err := ask(at)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		n.blame(at, err)
	}
	return false
}

// blame sets a peer aside that fails, for the rest of the pull and longer.
func (n *Near) blame(at *nearPeer, err error) {
	if errors.Is(err, ErrNotFound) {
		return
	}
	n.mu.Lock()
	at.bad = true
	n.mu.Unlock()
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnauthorized) {
		n.p.noteAnswer(at.address, err)
		return
	}
	n.p.mu.Lock()
	n.p.set(at.address, apart{until: time.Now().Add(peerLied)})
	n.p.mu.Unlock()
	if n.p.Refused != nil {
		n.p.Refused(at.address, err)
	}
}

func (n *Near) noteGave(at *nearPeer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, address := range n.gave {
		if address == at.address {
			return
		}
	}
	n.gave = append(n.gave, at.address)
}

// Resolve finds an image by its digest, or, where a peer may say so, by its tag; nil: no peer has it.
func (n *Near) Resolve(ctx context.Context) (img *Image, address string) {
	n.each(ctx, func(at *nearPeer) (err error) {
		if img, err = at.s.resolve(ctx, n.ref); err == nil {
			address = at.address
			n.noteGave(at)
		}
		return err
	})
	return img, address
}

// Document reads a manifest or an index, or else a configuration, and verifies it; nil: no peer has it.
func (n *Near) Document(ctx context.Context, digest string, manifest bool) (data []byte) {
	n.each(ctx, func(at *nearPeer) (err error) {
		i := &Image{Host: at.s.e.name(), s: at.s}
		if data, err = i.Document(ctx, digest, manifest); err == nil {
			n.noteGave(at)
		}
		return err
	})
	return data
}

// PlainLayer is a layer as a plain tar that a peer gives. What is read of it is not verified.
type PlainLayer struct {
	io.ReadCloser

	Size int64
	// Refuse says that it was not what it should be.
	Refuse func(err error)
}

// Layer opens a layer by its diffID, if a peer has it and it has most bytes at most; nil: none has.
func (n *Near) Layer(ctx context.Context, diffID string, most int64) (layer *PlainLayer) {
	n.each(ctx, func(at *nearPeer) error {
		b := &blob{ctx: ctx, s: at.s, digest: diffID}
		for b.body == nil { // a connection that was kept may have ended
			if err := b.open(); err != nil {
				return err
			}
		}
		if b.total < 0 || b.total > most {
			_ = b.Close()
			return refuse(HopBlob, at.s.e.name(), "the layer %s has %d bytes, more than the %d that it can have", diffID, b.total, most)
		}
		b.size = b.total
		n.noteGave(at)
		// Over all connections: do holds each to its pace.
		layer = &PlainLayer{ReadCloser: &paced{ReadCloser: b, c: n.p.Client}, Size: b.size, Refuse: func(err error) { n.blame(at, err) }}
		return nil
	})
	return layer
}

var errPace = &Error{Hop: HopBlob, Text: "it gives a part of an image too slowly", Kind: ErrUnavailable}

// paced ends a layer or a document that a registry is likely to give sooner.
type paced struct {
	io.ReadCloser

	c    *Client
	took time.Duration // waiting for bytes
	n    int64
}

func (p *paced) Read(b []byte) (int, error) {
	began := time.Now()
	n, err := p.ReadCloser.Read(b)
	p.took += time.Since(began)
	p.n += int64(n)
	if p.took > peerPaced {
		least := int64(peerSlow)
		if rate := p.c.limit.now(); rate > 0 {
			least = min(least, rate/8)
		}
		if float64(p.n) < float64(least)*p.took.Seconds() {
			return n, errPace
		}
		p.took, p.n = 0, 0
	}
	return n, err
}
