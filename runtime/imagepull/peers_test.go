package imagepull

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"podd/images/distribution"
	"podd/images/imagetest"
	"podd/images/registry"
)

// pair is a board, and its neighbour, which has an image of the same registry.
type pair struct {
	*board

	near    *board
	server  *httptest.Server
	honest  http.Handler // of the neighbour
	mu      sync.Mutex
	asked   []string // of the neighbour
	refused []string
	tags    bool
	// between may answer in the neighbour's place.
	between func(w http.ResponseWriter, r *http.Request) bool
}

func newPair(t *testing.T, img imagetest.Image) *pair {
	t.Helper()
	p := &pair{board: newBoard(t), near: newBoard(t)}
	p.reg.Add(t, "app", "v1", img)
	p.nearPulls(t, Request{Image: p.host + "/app:v1"})
	allow := Allow(p.near.store, p.near.puller.Records, Verification{})
	p.honest = &distribution.Server{Store: p.near.store, Log: slog.New(slog.DiscardHandler), Allow: func() distribution.Allow { return allow }}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.URL.String())
		p.mu.Unlock()
		if p.between == nil || !p.between(w, r) {
			p.honest.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.server.Close)
	p.puller.Settings = func() Settings { return Settings{PeerTags: p.tags, Layers: 1} }
	p.peers(p.server.URL)
	return p
}

func (p *pair) peers(addresses ...string) {
	p.puller.Peers = &registry.Peers{
		Client: p.puller.Client, Addresses: func() []string { return addresses },
		Refused: func(_ string, err error) { p.refused = append(p.refused, err.Error()) },
	}
}

// questions lists what the neighbour was asked. A handler may still begin when its client has gone.
func (p *pair) questions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *pair) nearPulls(t *testing.T, r Request) {
	t.Helper()
	if out := p.near.puller.Pull(t.Context(), r); out.Err != nil {
		t.Fatal(out.Err)
	}
}

// since lists what the registry has been asked for after the first n requests, without pings.
func (p *pair) since(n int) []string {
	return slices.DeleteFunc(p.reg.Requests()[n:], func(s string) bool { return s == "GET /v2/" })
}

func twoLayers() imagetest.Image {
	return imagetest.Image{Compress: "gzip", Layers: []imagetest.Layer{
		{Files: []imagetest.File{imagetest.Regular("big", string(noise(300_000)))}},
		{Files: []imagetest.File{imagetest.Regular("small", "small")}},
	}}
}

// With a neighbour that has the image, the registry gives what the tag stands for, and not one byte more.
func TestPeersGiveAllButTheTag(t *testing.T) {
	for _, platforms := range []int{1, 2} {
		p := newPair(t, twoLayers())
		if platforms == 2 {
			other := twoLayers()
			other.Architecture = "s390x"
			p.reg.Add(t, "app", "v1", other, twoLayers())
			p.nearPulls(t, Request{Image: p.host + "/app:v1"})
		}
		before := len(p.reg.Requests())
		out := p.pull(p.host + "/app:v1")
		if out.Err != nil {
			t.Fatal(out.Err)
		}
		if got := p.since(before); !slices.Equal(got, []string{"GET /v2/app/manifests/v1"}) {
			t.Errorf("the registry was asked for %v", got)
		}
		if !strings.Contains(out.Peers, p.server.URL) || len(p.refused) > 0 {
			t.Errorf("it says %q, refused %v", out.Peers, p.refused)
		}
		want, err := p.near.store.Get(p.host + "/app:v1")
		if err != nil || want.ID != out.Image.ID || want.Digest != out.Image.Digest {
			t.Errorf("the neighbour has %+v (%v), and here came %+v", want, err, out.Image)
		}
		if !p.puller.Records.Public(Verification{}, out.Image.ID, p.host+"/app", true) {
			t.Error("the registry gives it to everybody, and it counts as private")
		}
	}
}

// By its digest, be it that of the index, an image comes without the registry; by its tag only where the owner wants it so.
func TestPeersWithoutTheRegistry(t *testing.T) {
	p := newPair(t, twoLayers())
	other := twoLayers()
	other.Architecture = "s390x"
	index := p.reg.Add(t, "app", "v1", other, twoLayers())
	p.nearPulls(t, Request{Image: p.host + "/app:v1"})
	before := len(p.reg.Requests())
	p.reg.Before = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	out := p.pull(p.host + "/app@" + index)
	if out.Err != nil || len(p.reg.Requests()) > before {
		t.Fatalf("by its digest: %v; the registry was asked for %v", out.Err, p.since(before))
	}
	if p.puller.Records.Public(Verification{}, out.Image.ID, p.host+"/app", true) {
		t.Error("an image that the registry was not asked for counts as public")
	}
	if out := p.pull(p.host + "/app:v1"); out.Reason != "RegistryUnavailable" {
		t.Errorf("by its tag, which peers may not resolve: %+v", out)
	}
	p.tags = true
	out = p.pull(p.host + "/app:v1")
	if out.Err != nil || !strings.Contains(out.Peers, "has by this name") || !strings.Contains(out.Peers, "502") {
		t.Fatalf("by its tag: %v, %q", out.Err, out.Peers)
	}
	// What is there is not replaced by what a neighbour says.
	out = p.puller.Pull(t.Context(), Request{Image: p.host + "/app:v1", Present: true})
	if out.Err == nil {
		t.Errorf("a neighbour has replaced what is there: %+v", out)
	}
	// A policy that wants signatures is not satisfied by what nobody can look up.
	p.policy = fmt.Sprintf(`{"default": [{"type": "reject"}], "transports": {"docker": {%q: [{"type": "sigstoreSigned", "keyPath": %q}]}}}`, p.host, newSigner(t).file)
	p.reload(t)
	if out := p.pull(p.host + "/app@" + index); out.Err == nil {
		t.Error("an image that is not signed came from a neighbour")
	}
}

// A neighbour that lies is set aside, and the registry gives what it should have given; nothing of the lie is left.
func TestPeersThatLie(t *testing.T) {
	blobs := func(answer func(w http.ResponseWriter, r *http.Request, data []byte)) func(p *pair) {
		return func(p *pair) {
			p.between = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/blobs/") {
					return false
				}
				rec := httptest.NewRecorder()
				p.honest.ServeHTTP(rec, r)
				answer(w, r, rec.Body.Bytes())
				return true
			}
		}
	}
	write := func(w http.ResponseWriter, data []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data)
	}
	bomb, err := imagetest.Compress(make([]byte, 100<<20), "gzip")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		lie   func(p *pair)
		blame bool
	}{
		"another byte": {blobs(func(w http.ResponseWriter, _ *http.Request, data []byte) {
			data[len(data)/2] ^= 1
			write(w, data)
		}), true},
		"cut short": {blobs(func(w http.ResponseWriter, _ *http.Request, data []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(data[:len(data)/2])
			panic(http.ErrAbortHandler)
		}), false},
		"a web page": {blobs(func(w http.ResponseWriter, _ *http.Request, _ []byte) { write(w, []byte("<html>please log in</html>")) }), true},
		"nothing":    {blobs(func(w http.ResponseWriter, _ *http.Request, _ []byte) { write(w, nil) }), true},
		"without end": {blobs(func(w http.ResponseWriter, r *http.Request, _ []byte) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}), true},
		"huge": {blobs(func(w http.ResponseWriter, _ *http.Request, data []byte) {
			if len(data) > 0 && data[0] == '{' {
				write(w, data)
				return
			}
			w.Header().Set("Content-Length", "1099511627776")
			_, _ = w.Write(make([]byte, 1000))
		}), true},
		"a bomb": {blobs(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			write(w, bomb)
		}), true},
		"elsewhere": {blobs(func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}), true},
		"in trouble": {blobs(func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusInternalServerError) }), false},
		"asks":       {blobs(func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusUnauthorized) }), false},
		"another layer": {func(p *pair) {
			var layer []byte
			blobs(func(w http.ResponseWriter, _ *http.Request, data []byte) {
				if len(data) > 0 && data[0] != '{' && layer == nil {
					layer = bytes.Clone(data)
					write(w, data)
					return
				}
				if len(data) > 0 && data[0] != '{' {
					data = layer
				}
				write(w, data)
			})(p)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, twoLayers())
			test.lie(p)
			out := p.pull(p.host + "/app:v1")
			if out.Err != nil {
				t.Fatal(out.Err)
			}
			if (len(p.refused) > 0) != test.blame {
				t.Errorf("told of a lie: %q", p.refused)
			}
			if p.reg.Served() == 0 {
				t.Error("nothing came from the registry")
			}
			asked := len(p.questions())
			p.reg.Add(t, "other", "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("other", "other")}}}})
			if out := p.pull(p.host + "/other:v1"); out.Err != nil || len(p.questions()) > asked {
				t.Errorf("%v; the neighbour is asked again: %v", out.Err, p.questions()[asked:])
			}
		})
	}
}

// Neighbours that are away, silent or no registry cost a second together and spoil nothing.
func TestPeersThatAreAway(t *testing.T) {
	p := newPair(t, twoLayers())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	p.peers("http://127.0.0.1:1", "http://"+silent.Addr().String(), page.URL, "https://"+silent.Addr().String(), p.server.URL)
	before := len(p.reg.Requests())
	if out := p.pull(p.host + "/app:v1"); out.Err != nil || !strings.Contains(out.Peers, p.server.URL) {
		t.Errorf("%v, %q", out.Err, out.Peers)
	}
	if got := p.since(before); len(got) != 1 || len(p.refused) > 0 {
		t.Errorf("the registry was asked for %v; refused: %v", got, p.refused)
	}
}

// A private image does not come from a neighbour: not to a pod without its Secret, nor to one with it.
func TestPeersKeepPrivateImages(t *testing.T) {
	p := newPair(t, twoLayers())
	p.reg.User, p.reg.Password = "board", "secret"
	index := p.reg.Add(t, "private", "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("private", "private")}}}})
	keys := func(text string) registry.Keyring {
		e := &registry.Entries{}
		if err := e.AddDockerConfigJSON([]byte(fmt.Sprintf(`{"auths":{%q:%s}}`, p.host, text)), registry.SecretRef{Namespace: "default", Name: "regcred"}); err != nil {
			t.Fatal(err)
		}
		return e
	}
	good := keys(`{"username":"board","password":"secret"}`)
	p.nearPulls(t, Request{Image: p.host + "/private:v1", Keyring: good})
	p.tags = true
	for _, image := range []string{p.host + "/private:v1", p.host + "/private@" + index} {
		if out := p.pull(image); out.Err == nil {
			t.Errorf("%s came without the Secret", image)
		}
		if out := p.puller.Pull(context.Background(), Request{Image: image, Keyring: keys(`{"username":"board","password":"wrong"}`)}); out.Err == nil {
			t.Errorf("%s came with a wrong Secret", image)
		}
	}
	served := p.reg.Served()
	out := p.puller.Pull(context.Background(), Request{Image: p.host + "/private:v1", Keyring: good})
	if out.Err != nil || out.Peers != "" || p.reg.Served() == served {
		t.Errorf("with the Secret: %v, %q", out.Err, out.Peers)
	}
}

// A layer that differs is mended with what a neighbour has.
func TestPeerLayerForRepair(t *testing.T) {
	p := newPair(t, twoLayers())
	out := p.pull(p.host + "/app:v1")
	if out.Err != nil {
		t.Fatal(out.Err)
	}
	d, err := p.store.Details(out.Image.ID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.puller.PeerLayer(t.Context(), out.Image, d.LayerList[1].DiffID, d.LayerList[1].Blob)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || imagetest.Digest(data) != d.LayerList[1].DiffID || r.Close() != nil {
		t.Errorf("%d bytes: %v", len(data), err)
	}
	if _, err := p.puller.PeerLayer(t.Context(), out.Image, imagetest.Digest([]byte("none")), ""); err == nil {
		t.Error("there is a layer that nobody has")
	}
}
