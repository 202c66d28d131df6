package registry

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// drip gives a byte now and then.
type drip struct{ left int }

func (d *drip) Read(b []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(peerIdle / 2) // of the bubble's clock
	d.left--
	b[0] = ' '
	return 1, nil
}

type answer func(*http.Request) *http.Response

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// A peer that gives a byte before it counts as silent does not hold a pull up, whatever it answers: a document of 4 MiB would
// take it months.
func TestPeerThatDrips(t *testing.T) {
	const bytes, address = 1000, "http://10.0.0.5:5000"
	digest := digestOf([]byte(strings.Repeat(" ", bytes)))
	for name, c := range map[string]struct {
		status int
		ask    func(n *Near) bool
	}{
		"a document":       {200, func(n *Near) bool { return n.Document(context.Background(), digest, true) != nil }},
		"no document":      {404, func(n *Near) bool { return n.Document(context.Background(), digest, true) != nil }},
		"no layer":         {404, func(n *Near) bool { return n.Layer(context.Background(), digest, 1<<20) != nil }},
		"a name's meaning": {200, func(n *Near) bool { img, _ := n.Resolve(context.Background()); return img != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body, client := &drip{bytes}, &Client{}
				s := &session{c: client, e: &endpoint{base: &url.URL{Scheme: "http", Host: "10.0.0.5:5000", Path: "/v2"}, repo: "app"}, patience: Patience{Tries: 1}, peer: true}
				s.http = &http.Client{Transport: answer(func(r *http.Request) *http.Response {
					return &http.Response{StatusCode: c.status, Request: r, Body: io.NopCloser(body), ContentLength: -1}
				})}
				p := &Peers{Client: client}
				n := &Near{p: p, ref: Reference{Digest: digest}, live: []*nearPeer{{address: address, s: s}}}
				if c.ask(n) || body.left < bytes/2 {
					t.Errorf("it is waited for: %d of %d bytes are left", body.left, bytes)
				}
				if !p.isApart(address) {
					t.Error("the peer is asked again")
				}
				if p.apart[address].fails == 0 {
					t.Error("it is blamed for lying")
				}
				s.peer, c.status, body.left = false, 200, bytes
				if _, _, err := s.get(context.Background(), HopManifest, "manifests/x", nil); err != nil {
					t.Errorf("a registry may take its time: %v", err)
				}
			})
		})
	}
}
