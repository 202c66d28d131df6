package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podd/images/imagetest"
	"podd/images/registry/registrytest"
)

// impatient waits a few milliseconds where a board waits seconds.
func impatient() Patience {
	return Patience{Dial: 5 * time.Second, Idle: 5 * time.Second, First: time.Millisecond, Most: 4 * time.Millisecond, Obey: time.Second}
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func ref(t *testing.T, host, rest string) Reference {
	t.Helper()
	r, err := ParseReference(host + "/" + rest)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func simple(names ...string) imagetest.Image {
	return imagetest.Image{Names: names, Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("hello", "world")}}}}
}

// open opens an image of a registry that is expected to give it.
func open(t *testing.T, c *Client, r Reference, keys Keyring) *Image {
	t.Helper()
	img, err := c.Open(context.Background(), r, keys, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(img.Close)
	return img
}

func entries(t *testing.T, config string) *Entries {
	t.Helper()
	var e Entries
	if err := e.AddDockerConfigJSON([]byte(config), SecretRef{Namespace: "default", Name: "regcred"}); err != nil {
		t.Fatal(err)
	}
	return &e
}

func TestOpenFindsTagsAndDigests(t *testing.T) {
	reg := registrytest.New()
	digest := reg.Add(t, "app", "v1", simple())
	host := reg.Start(t)
	c := &Client{Patience: impatient()}
	for _, rest := range []string{"app:v1", "app@" + digest, "app:gone@" + digest} {
		if img := open(t, c, ref(t, host, rest), nil); img.Digest != digest || img.Used.Username != "" {
			t.Errorf("%s gives %s as %v", rest, img.Digest, img.Used)
		}
	}
}

func TestCredentialsAreTriedInTurn(t *testing.T) {
	for _, bearer := range []bool{false, true} {
		reg := registrytest.New()
		reg.User, reg.Password, reg.Bearer = "bob", "secret", bearer
		reg.Add(t, "team/app", "v1", simple())
		host := reg.Start(t)
		c := &Client{Patience: impatient()}
		keys := entries(t, `{"auths":{"`+host+`":{"username":"bob","password":"secret"},"`+host+`/team":{"auth":"Ym9iOm9sZA=="}}}`)
		img := open(t, c, ref(t, host, "team/app:v1"), keys)
		if img.Used.Password != "secret" || img.Used.Secret.Name != "regcred" {
			t.Errorf("it was pulled with %#v", img.Used)
		}
		_, err := c.Open(context.Background(), ref(t, host, "team/app:v1"), nil, false)
		if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "auth at "+host) || strings.Contains(err.Error(), "secret") {
			t.Errorf("without credentials: %v", err)
		}
	}
}

func TestBlobGoesOnWhereItStopped(t *testing.T) {
	data := randomBytes(1 << 20)
	digest := imagetest.Digest(data)
	var expired atomic.Bool
	tests := map[string]struct {
		set    func(r *registrytest.Registry)
		served int64 // at most, in bytes
	}{
		"range":    {func(r *registrytest.Registry) { r.Chunk = 100 << 10 }, 1<<20 + 1<<18},
		"no range": {func(r *registrytest.Registry) { r.Chunk, r.NoRange, r.Breaks = 700<<10, true, 3 }, 5 << 20},
		"206 from another offset": {func(r *registrytest.Registry) {
			r.Chunk = 300 << 10
			r.Before = func(w http.ResponseWriter, req *http.Request, what string) bool {
				if what == "blobs" && req.Header.Get("Range") != "" {
					req.Header.Set("Range", "bytes=1000-")
				}
				return false
			}
			r.Breaks = 1
		}, 3 << 20},
		"206 of what comes later": {func(r *registrytest.Registry) {
			r.Chunk, r.Breaks = 300<<10, 1
			r.Before = func(w http.ResponseWriter, req *http.Request, what string) bool {
				if what == "blobs" && req.Header.Get("Range") != "" {
					req.Header.Set("Range", "bytes=900000-")
				}
				return false
			}
		}, 3 << 20},
		"400 after a reconnect": {func(r *registrytest.Registry) {
			r.Chunk, r.Breaks = 300<<10, 1
			r.Before = func(w http.ResponseWriter, req *http.Request, what string) bool {
				if what == "blobs" && req.Header.Get("Range") != "" {
					w.WriteHeader(http.StatusBadRequest)
					return true
				}
				return false
			}
		}, 3 << 20},
		"503 in between": {func(r *registrytest.Registry) {
			r.Chunk = 300 << 10
			n := 0
			r.Before = func(w http.ResponseWriter, req *http.Request, what string) bool {
				if n++; what == "blobs" && n%2 == 0 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				}
				return false
			}
		}, 2 << 20},
		"429 without Retry-After": {func(r *registrytest.Registry) {
			n := 0
			r.Before = func(w http.ResponseWriter, req *http.Request, what string) bool {
				if n++; what == "blobs" && n < 5 {
					w.WriteHeader(http.StatusTooManyRequests)
					return true
				}
				return false
			}
		}, 2 << 20},
		"a token that expires": {func(r *registrytest.Registry) {
			r.User, r.Password, r.Bearer, r.Chunk = "u", "p", true, 300<<10
			r.Before = func(_ http.ResponseWriter, req *http.Request, what string) bool {
				if what == "blobs" && req.Header.Get("Range") != "" && expired.CompareAndSwap(false, true) {
					r.ExpireTokens()
				}
				return false
			}
		}, 2 << 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reg := registrytest.New()
			reg.Add(t, "app", "v1", simple())
			reg.AddBlob(digest, data)
			test.set(reg)
			host := reg.Start(t)
			c := &Client{Patience: impatient(), Node: entries(t, `{"auths":{"`+host+`":{"username":"u","password":"p"}}}`)}
			img := open(t, c, ref(t, host, "app:v1"), nil)
			body, err := img.Layer(context.Background(), digest, int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes of %d came: %v", len(got), len(data), err)
			}
			if n := reg.Served(); n > test.served {
				t.Errorf("the registry sent %d bytes for %d", n, len(data))
			}
			_ = body.Close()
		})
	}
}

func TestRedirectsThatExpire(t *testing.T) {
	data := randomBytes(1 << 20)
	digest := imagetest.Digest(data)
	store := registrytest.New()
	store.AddBlob(digest, data)
	store.Chunk = 200 << 10
	used := map[string]bool{}
	store.Before = func(w http.ResponseWriter, req *http.Request, what string) bool {
		if req.Header.Get("Authorization") != "" {
			t.Error("the credentials of the registry have come to another host")
		}
		key := req.URL.Query().Get("signature")
		if used[key] {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		used[key] = true
		return false
	}
	far := store.Start(t)
	reg := registrytest.New()
	reg.User, reg.Password = "u", "p"
	reg.Add(t, "app", "v1", simple())
	n := 0
	reg.Before = func(w http.ResponseWriter, req *http.Request, what string) bool {
		if what == "blobs" && req.Header.Get("Authorization") != "" {
			n++
			// Another name of this machine: another host.
			registrytest.Redirect(w, req, "http://localhost:"+far[strings.LastIndex(far, ":")+1:]+"/v2/x/blobs/"+digest+"?signature="+strings.Repeat("s", n))
			return true
		}
		return false
	}
	host := reg.Start(t)
	c := &Client{Patience: impatient(), Node: entries(t, `{"auths":{"`+host+`":{"username":"u","password":"p"}}}`)}
	body, err := open(t, c, ref(t, host, "app:v1"), nil).Layer(context.Background(), digest, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes of %d came: %v", len(got), len(data), err)
	}
}

func TestSpoolSurvivesDeaths(t *testing.T) {
	data := randomBytes(4 << 20)
	digest := imagetest.Digest(data)
	reg := registrytest.New()
	reg.Add(t, "app", "v1", simple())
	reg.AddBlob(digest, data)
	host := reg.Start(t)
	spool := filepath.Join(t.TempDir(), "spool")
	client := func() *Client {
		return &Client{Patience: impatient(), Spool: spool, SlowAfter: time.Nanosecond}
	}
	// The first 4 MiB decide, and so a layer of a little more is spooled at its end only; a spool that is there goes on.
	for _, upTo := range []int{1 << 20, 2 << 20, 3 << 20} {
		if upTo == 1<<20 {
			writeSpool(t, spool, digest, data[:upTo])
		}
		body, err := open(t, client(), ref(t, host, "app:v1"), nil).Layer(context.Background(), digest, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, upTo+100)
		if _, err := io.ReadFull(body, got); err != nil || !bytes.Equal(got, data[:len(got)]) {
			t.Fatalf("what is read is not what is there: %v", err)
		}
		_ = body.Close() // as a death: nothing else is told
	}
	img := open(t, client(), ref(t, host, "app:v1"), nil)
	body, err := img.Layer(context.Background(), digest, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes of %d came: %v", len(got), len(data), err)
	}
	_ = body.Close()
	img.Forget(digest)
	if left, _ := os.ReadDir(spool); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

// writeSpool leaves what a dead podd would have.
func writeSpool(t *testing.T, dir, digest string, data []byte) {
	t.Helper()
	s := &spooled{path: filepath.Join(dir, strings.ReplaceAll(digest, ":", "-"))}
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	if err := s.write(data); err != nil {
		t.Fatal(err)
	}
	s.stop()
}

func TestTornSpoolIsFetchedAgain(t *testing.T) {
	data := randomBytes(1 << 20)
	path := filepath.Join(t.TempDir(), "spool", "sha256-x")
	writeSpool(t, filepath.Dir(path), "sha256:x", data)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 100), 5*spoolBlock+10); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if n, err := verifySpool(path); err != nil || n != 5*spoolBlock {
		t.Errorf("%d bytes are taken for good, not %d: %v", n, 5*spoolBlock, err)
	}
}

// A registry that says when to come again is asked then, if that is soon; else the pull ends and says so. Without a word the
// waits grow.
func TestRetryAfterIsObeyed(t *testing.T) {
	w := &wire{patience: Patience{Obey: time.Minute}.filled()}
	for name, c := range map[string]struct {
		status int
		after  string
		try    int
		wait   time.Duration
		again  bool
		told   time.Duration
	}{
		"soon":                    {http.StatusTooManyRequests, "7", 1, 7 * time.Second, true, 7 * time.Second},
		"soon, in trouble":        {http.StatusServiceUnavailable, "7", 2, 7 * time.Second, true, 7 * time.Second},
		"late":                    {http.StatusTooManyRequests, "3600", 1, 0, false, time.Hour},
		"without a word":          {http.StatusTooManyRequests, "", 1, time.Second, true, 0},
		"without a word, again":   {http.StatusTooManyRequests, "", 2, 2 * time.Second, true, 0},
		"too often":               {http.StatusTooManyRequests, "7", 3, 7 * time.Second, false, 7 * time.Second},
		"not to be asked again":   {http.StatusNotFound, "7", 1, 0, false, 0},
		"a date that is no date":  {http.StatusTooManyRequests, "tomorrow", 1, time.Second, true, 0},
		"a gateway that gives up": {http.StatusGatewayTimeout, "", 1, time.Second, true, 0},
	} {
		note := &retryAfter{}
		req, err := http.NewRequestWithContext(context.WithValue(t.Context(), afterKey{}, note), http.MethodGet, "https://a.example/v2/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp := &http.Response{StatusCode: c.status, Header: http.Header{}}
		if c.after != "" {
			resp.Header.Set("Retry-After", c.after)
		}
		if wait, again := w.again(req, resp, nil, c.try); again != c.again || again && wait != c.wait || note.get() != c.told {
			t.Errorf("%s: again %t, after %v; the pull is told %v", name, again, wait, note.get())
		}
	}
}

// A part of a blob that is said to be shorter than its manifest promises is given up at once, and the whole blob is fetched
// instead: asking again, as for a whole one that a proxy has cut short, took minutes.
func TestRangeOfAnotherBlob(t *testing.T) {
	const size = 1000
	for _, total := range []int{size - 1, size + 1} {
		digest := imagetest.Digest([]byte("whatever it is"))
		reg := registrytest.New()
		reg.Add(t, "app", "v1", simple())
		var asked atomic.Int64
		reg.Before = func(w http.ResponseWriter, r *http.Request, what string) bool {
			if what != "blobs" || !strings.HasSuffix(r.URL.Path, digest) {
				return false
			}
			asked.Add(1)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 10-19/%d", total))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(make([]byte, 10))
			return true
		}
		c := &Client{Patience: impatient()}
		body, err := open(t, c, ref(t, reg.Start(t), "app:v1"), nil).Range(context.Background(), digest, size, 10, 20)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(body)
		if want := fmt.Sprintf("has %d bytes where the manifest promises %d", total, size); err == nil || !strings.Contains(err.Error(), want) || asked.Load() != 1 {
			t.Errorf("asked %d times: %v", asked.Load(), err)
		}
		_ = body.Close()
	}
}
