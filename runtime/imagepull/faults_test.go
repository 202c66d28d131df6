package imagepull

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podd/images"
	"podd/images/imagetest"
	"podd/images/registry"
	"podd/images/registry/registrytest"
	"podd/runtime/state"
)

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// with answers requests of a kind in the registry's place.
func with(kind string, answer func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request, string) bool {
	return func(w http.ResponseWriter, r *http.Request, what string) bool {
		if what != kind {
			return false
		}
		answer(w, r)
		return true
	}
}

func status(code int, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func describe(mediaType string, data []byte, more map[string]any) map[string]any {
	d := map[string]any{"mediaType": mediaType, "digest": imagetest.Digest(data), "size": len(data)}
	for k, v := range more {
		d[k] = v
	}
	return d
}

func document(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// edit changes the manifest of app:v1 and puts it back under its tag.
func (b *board) edit(t *testing.T, change func(m map[string]any)) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b.reg.Manifest("app", "v1"), &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	b.reg.AddManifest("app", "v1", ociManifest, document(t, m))
}

func layer(m map[string]any) map[string]any { return m["layers"].([]any)[0].(map[string]any) }

// Whatever a registry does, a pull that fails says why in one sentence, and leaves nothing on the disk.
func TestFaultsOfRegistries(t *testing.T) {
	type test struct {
		set    func(t *testing.T, b *board)
		image  string // below the host; "": app:v1
		reason string
		says   []string
	}
	before := func(f func(w http.ResponseWriter, r *http.Request, what string) bool) func(*testing.T, *board) {
		return func(_ *testing.T, b *board) { b.reg.Before = f }
	}
	edit := func(change func(m map[string]any)) func(*testing.T, *board) {
		return func(t *testing.T, b *board) { b.edit(t, change) }
	}
	blob := func(change func(data []byte) []byte) func(*testing.T, *board) {
		return func(t *testing.T, b *board) {
			b.edit(t, func(m map[string]any) {
				digest := layer(m)["digest"].(string)
				b.reg.AddBlob(digest, change(bytes.Clone(b.reg.Blob(digest))))
			})
		}
	}
	failed, away := state.ReasonImagePull, state.ReasonRegistry
	tests := map[string]test{
		"400":                    {before(with("manifests", status(400))), "", failed, []string{"manifest at ", "400 Bad Request"}},
		"401":                    {before(with("manifests", status(401))), "", failed, []string{"auth at ", "401 Unauthorized", "imagePullSecrets"}},
		"403":                    {before(with("manifests", status(403))), "", failed, []string{"auth at ", "403 Forbidden"}},
		"404":                    {before(with("manifests", status(404))), "", failed, []string{"manifest at ", "does not have it", "check the name and the tag"}},
		"410":                    {before(with("manifests", status(410))), "", failed, []string{"does not have it (410 Gone"}},
		"429":                    {before(with("manifests", status(429))), "", away, []string{"allows no more pulls for now"}},
		"429 with Retry-After":   {before(with("manifests", status(429, "Retry-After", "3600"))), "", away, []string{"429"}},
		"500":                    {before(with("manifests", status(500))), "", away, []string{"manifest at ", "in trouble (500"}},
		"503 for a layer":        {before(with("blobs", status(503))), "", away, []string{"blob at ", "503"}},
		"404 for a layer":        {before(with("blobs", status(404))), "", failed, []string{"blob at ", "does not have a part of the image", "push the image again"}},
		"a web page":             {before(with("manifests", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Log in!</html>") })), "", failed, []string{"a web page and not with a manifest"}},
		"a web page by its type": {before(with("manifests", status(200, "Content-Type", "text/html"))), "", failed, []string{"a web page"}},
		"no JSON":                {before(with("manifests", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })), "", failed, []string{"gives is no manifest"}},
		"an empty document":      {before(with("manifests", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })), "", failed, []string{"no image"}},
		"a manifest of 100 MB":   {before(with("manifests", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100<<20)) })), "", failed, []string{"larger than 4 MiB"}},
		"a login page for a layer": {before(with("blobs", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>Log in!</html>")
		})), "", failed, []string{" at "}},
		"redirects in circles": {before(with("blobs", func(w http.ResponseWriter, r *http.Request) { registrytest.Redirect(w, r, r.URL.String()) })), "", failed, []string{"from one address to the next"}},
		"a redirect without TLS": {before(with("blobs", func(w http.ResponseWriter, r *http.Request) {
			registrytest.Redirect(w, r, "http://registry.invalid/x?signature=secret")
		})), "", failed, []string{"sends to registry.invalid without TLS"}},
		"another digest": {func(t *testing.T, b *board) {
			b.reg.AddManifest("app", imagetest.Digest([]byte("x")), ociManifest, b.reg.Manifest("app", "v1"))
		}, "app@" + imagetest.Digest([]byte("x")), failed, []string{"digest at ", "it was asked for sha256:"}},
		"another layer":                        {blob(func(data []byte) []byte { data[600] ^= 1; return data }), "", failed, []string{"layer 1 of ", "the digest sha256:"}},
		"a shorter layer":                      {blob(func(data []byte) []byte { return data[:len(data)-512] }), "", away, []string{"blob at ", "ended in the middle"}},
		"a longer layer":                       {blob(func(data []byte) []byte { return append(data, make([]byte, 512)...) }), "", failed, []string{"has "}},
		"a layer of another size":              {edit(func(m map[string]any) { layer(m)["size"] = 17 }), "", failed, []string{"where the manifest promises 17"}},
		"a layer by no digest":                 {edit(func(m map[string]any) { layer(m)["digest"] = "sha256:../../x" }), "", failed, []string{"no sha256 digest"}},
		"a layer of another kind than it says": {edit(func(m map[string]any) { layer(m)["mediaType"] = ociLayer + "+zstd" }), "", "", nil},
		"a layer of a kind that is none":       {edit(func(m map[string]any) { layer(m)["mediaType"] = "text/html" }), "", failed, []string{"text/html"}},
		"something that is no image": {edit(func(m map[string]any) {
			m["config"].(map[string]any)["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
		}), "", failed, []string{"helm"}},
		"a foreign layer": {edit(func(m map[string]any) {
			layer(m)["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
		}), "", failed, []string{"foreign layer"}},
		"an encrypted layer": {edit(func(m map[string]any) { layer(m)["mediaType"] = ociLayer + "+encrypted" }), "", failed, []string{"encrypted"}},
		"ten thousand layers": {edit(func(m map[string]any) {
			list := make([]any, 10000)
			for i := range list {
				list[i] = layer(m)
			}
			m["layers"] = list
		}), "", failed, []string{"10000 layers"}},
		"a missing configuration": {edit(func(m map[string]any) { m["config"].(map[string]any)["digest"] = imagetest.Digest([]byte("gone")) }), "", failed, []string{"blob at ", "does not have a part of the image"}},
		"a configuration that is none": {func(t *testing.T, b *board) {
			b.reg.AddBlob(imagetest.Digest([]byte("[]")), []byte("[]"))
			b.edit(t, func(m map[string]any) { m["config"] = describe(ociConfig, []byte("[]"), nil) })
		}, "", failed, []string{"configuration"}},
		"schema 1": {func(_ *testing.T, b *board) {
			b.reg.AddManifest("app", "v1", "application/vnd.docker.distribution.manifest.v1+prettyjws", []byte(`{"schemaVersion":1,"fsLayers":[]}`))
		}, "", failed, []string{"schema 1"}},
		"for another machine": {func(t *testing.T, b *board) {
			img := small()
			img.Architecture = "s390x"
			b.reg.Add(t, "app", "v1", img)
		}, "", failed, []string{"it is for linux/s390x and this machine is "}},
		"an index that lies about the machine": {func(t *testing.T, b *board) {
			img := small()
			img.Architecture = "s390x"
			b.reg.Add(t, "other", "v1", img)
			m := b.reg.Manifest("other", "v1")
			b.reg.AddManifest("app", imagetest.Digest(m), ociManifest, m)
			b.reg.AddManifest("app", "v1", ociIndex, document(t, map[string]any{"schemaVersion": 2, "manifests": []any{
				describe(ociManifest, m, map[string]any{"platform": map[string]string{"os": "linux", "architecture": "amd64"}}),
				describe(ociManifest, m, map[string]any{"platform": map[string]string{"os": "linux", "architecture": "arm64"}}),
			}}))
		}, "", failed, []string{"s390x"}},
		"an index of a thousand": {func(t *testing.T, b *board) {
			var list []any
			for i := range 1000 {
				doc := document(t, map[string]any{"schemaVersion": 2, "manifests": []any{}, "annotations": map[string]string{"n": fmt.Sprint(i)}})
				b.reg.AddManifest("app", imagetest.Digest(doc), ociIndex, doc)
				list = append(list, describe(ociIndex, doc, nil))
			}
			b.reg.AddManifest("app", "v1", ociIndex, document(t, map[string]any{"schemaVersion": 2, "manifests": list}))
		}, "", failed, []string{"more than 64 documents"}},
		"indexes in indexes": {func(t *testing.T, b *board) {
			doc := document(t, map[string]any{"schemaVersion": 2, "manifests": []any{}})
			for range 20 {
				b.reg.AddManifest("app", imagetest.Digest(doc), ociIndex, doc)
				doc = document(t, map[string]any{"schemaVersion": 2, "manifests": []any{describe(ociIndex, doc, nil)}})
			}
			b.reg.AddManifest("app", "v1", ociIndex, doc)
		}, "", failed, []string{"indexes contain each other"}},
		"a bomb": {func(t *testing.T, b *board) {
			b.reg.Add(t, "app", "v1", imagetest.Image{Compress: "gzip", Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("zeros", strings.Repeat("a", 96<<20))}}}})
		}, "", failed, []string{"layer 1 of "}},
		"a path that leaves": {func(t *testing.T, b *board) {
			b.reg.Add(t, "app", "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("../canary", "x")}}}})
		}, "", failed, []string{"../canary"}},
		"a whiteout that climbs": {func(t *testing.T, b *board) {
			b.reg.Add(t, "app", "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Symlink("l", "../.."), imagetest.Regular("l/.wh.canary", "")}}}})
		}, "", "", nil},
		"no name": {func(*testing.T, *board) {}, "App:v1", state.ReasonImageName, []string{"App"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			spool := filepath.Join(t.TempDir(), "spool")
			b.puller.Client.Spool = spool
			b.reg.Add(t, "app", "v1", small())
			c.set(t, b)
			if c.image == "" {
				c.image = "app:v1"
			}
			out := b.pull(b.host + "/" + c.image)
			if c.reason == "" { // it may come, as long as nothing is outside
				if _, err := os.Stat(filepath.Join(filepath.Dir(spool), "canary")); err == nil {
					t.Error("it has left the store")
				}
				return
			}
			if out.Reason != c.reason {
				t.Errorf("the reason is %q: %s", out.Reason, out.Message)
			}
			for _, want := range c.says {
				if !strings.Contains(out.Message, want) {
					t.Errorf("%q does not say %q", out.Message, want)
				}
			}
			if strings.ContainsAny(out.Message, "\n\r") || len(out.Message) > 700 || strings.Contains(out.Message, "signature=") {
				t.Errorf("it is no sentence for people: %q", out.Message)
			}
			b.wantNothing(t, spool)
		})
	}
}

// Whatever a registry sends, a pull that is refused takes little memory: documents are bounded before anything is made of them.
func TestHostileDocumentsTakeLittleMemory(t *testing.T) {
	const most = 48 << 20
	// As many of an element as fit into what is read of a document.
	filled := func(before, element, after string) []byte {
		n := (4<<20 - len(before) - len(after)) / len(element)
		return []byte(before + strings.Repeat(element, n-1) + strings.TrimSuffix(element, ",") + after)
	}
	manifest := func(t *testing.T, b *board, mediaType string, data []byte) {
		t.Helper()
		if !json.Valid(data) {
			t.Fatal("the document is none")
		}
		b.reg.AddManifest("app", "v1", mediaType, data)
	}
	config := func(data []byte) func(t *testing.T, b *board) {
		return func(t *testing.T, b *board) {
			t.Helper()
			b.reg.AddBlob(imagetest.Digest(data), data)
			b.edit(t, func(m map[string]any) { m["config"] = describe(ociConfig, data, nil) })
		}
	}
	page := make([]byte, 64<<10)
	for name, set := range map[string]func(t *testing.T, b *board){
		"a manifest of 100 MB": func(_ *testing.T, b *board) {
			b.reg.Before = with("manifests", func(w http.ResponseWriter, _ *http.Request) {
				for range 1600 {
					_, _ = w.Write(page)
				}
			})
		},
		"a configuration of 100 MB": func(_ *testing.T, b *board) {
			b.reg.Before = with("blobs", func(w http.ResponseWriter, _ *http.Request) {
				for range 1600 {
					_, _ = w.Write(page)
				}
			})
		},
		"a manifest of empty layers": func(t *testing.T, b *board) {
			manifest(t, b, ociManifest, filled(`{"schemaVersion":2,"config":{},"layers":[`, `{},`, `]}`))
		},
		"an index of empty manifests": func(t *testing.T, b *board) {
			manifest(t, b, ociIndex, filled(`{"schemaVersion":2,"manifests":[`, `{},`, `]}`))
		},
		"annotations in each layer": func(t *testing.T, b *board) {
			manifest(t, b, ociManifest, filled(`{"schemaVersion":2,"config":{},"layers":[`, `{"annotations":{"a":""}},`, `]}`))
		},
		"a configuration of empty digests": config(filled(`{"rootfs":{"diff_ids":[`, `"",`, `]}}`)),
		"a configuration of variables":     config(filled(`{"config":{"Env":[`, `"",`, `]}}`)),
		"a configuration of commands":      config(filled(`{"config":{"Entrypoint":[`, `"a",`, `]}}`)),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			b.reg.Add(t, "app", "v1", small())
			set(t, b)
			if out := b.pull(b.host + "/nothing:v1"); out.Err == nil { // what every pull takes is made
				t.Fatal("it is there")
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out := b.pull(b.host + "/app:v1")
			runtime.ReadMemStats(&after)
			if out.Err == nil || len(out.Message) > 700 {
				t.Errorf("it says: %q", out.Message)
			}
			if made := after.TotalAlloc - before.TotalAlloc; made > most {
				t.Errorf("%d MiB were made of it", made>>20)
			} else {
				t.Logf("%d MiB: %s", made>>20, out.Message)
			}
			b.wantNothing(t, filepath.Join(t.TempDir(), "spool"))
		})
	}
}

// A store behind the registry gives a layer by signed addresses that are good for a moment: each time the connection breaks,
// the registry is asked for another.
func TestSignedAddressesThatExpire(t *testing.T) {
	b := newBoard(t)
	b.reg.Add(t, "app", "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("noise", string(noise(2<<20)))}}}})
	far := registrytest.New()
	far.Add(t, "app", "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("noise", string(noise(2<<20)))}}}})
	far.Chunk = 300 << 10
	var given, used atomic.Int32
	far.Before = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Query().Get("signature") != fmt.Sprint(given.Load()) || !used.CompareAndSwap(given.Load()-1, given.Load()) {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	at := far.Start(t)
	b.reg.Before = with("blobs", func(w http.ResponseWriter, r *http.Request) {
		registrytest.Redirect(w, r, "http://"+at+r.URL.Path+fmt.Sprintf("?signature=%d", given.Add(1)))
	})
	b.puller.Settings = func() Settings { return Settings{Layers: 1} }
	if out := b.pull(b.host + "/app:v1"); out.Err != nil {
		t.Fatal(out.Err)
	}
	if n := given.Load(); n < 7 {
		t.Errorf("%d addresses were asked for", n)
	}
	if sent, whole := far.Served(), b.blobs(t); float64(sent) > 1.02*float64(whole) {
		t.Errorf("%d bytes were sent for %d", sent, whole)
	}
}

// wantNothing fails if a pull has left anything on the disk.
func (b *board) wantNothing(t *testing.T, spool string) {
	t.Helper()
	if list := b.store.List(); len(list) > 0 {
		t.Errorf("there are images: %v", list)
	}
	root := filepath.Join(filepath.Dir(b.puller.Records.File), "store")
	for _, dir := range []string{filepath.Join(root, "l"), filepath.Join(root, "d"), filepath.Join(root, "i"), filepath.Join(root, "tmp"), filepath.Join(root, "p"), spool} {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			t.Errorf("%s is left", filepath.Join(dir, e.Name()))
		}
	}
}

// A name with credentials is no name, and they are not repeated.
func TestCredentialsInANameAreNotRepeated(t *testing.T) {
	b := newBoard(t)
	for _, scheme := range []string{"https://", ""} {
		out := b.pull(scheme + "user:geheim@" + b.host + "/app:v1")
		if out.Reason != state.ReasonImageName || strings.Contains(out.Message, "geheim") {
			t.Errorf("%s: %s", out.Reason, out.Message)
		}
	}
}

func TestRetryAfterIsToldOn(t *testing.T) {
	b := newBoard(t)
	b.reg.Add(t, "app", "v1", small())
	b.reg.Before = with("manifests", status(429, "Retry-After", "3600"))
	if out := b.pull(b.host + "/app:v1"); out.After != time.Hour {
		t.Errorf("the next try comes after %v: %s", out.After, out.Message)
	}
}

// noise does not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// Fifty connections break and podd dies ten times: hardly a byte comes twice.
func TestBytesOnTheWire(t *testing.T) {
	const size, breaks, deaths = 40 << 20, 50, 10
	b := newBoard(t)
	b.reg.Add(t, "app", "v1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("noise", string(noise(size)))}}}})
	b.reg.Chunk, b.reg.Breaks = size/(breaks+1), breaks
	dir := t.TempDir()
	// What comes before a layer is judged (4 MiB) is in memory alone.
	dies := func(n int32) bool { return n >= 6 && n%4 == 2 }
	var cancel context.CancelFunc
	var asked, died atomic.Int32
	b.reg.Before = func(_ http.ResponseWriter, r *http.Request, what string) bool {
		// A death comes when podd asks for the rest: all that was sent has come by then.
		if what == "blobs" && r.Header.Get("Range") != "" && died.Load() < deaths && dies(asked.Add(1)) {
			died.Add(1)
			cancel()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	for try := 0; ; try++ {
		if try > deaths {
			t.Fatal("it does not come")
		}
		store, err := images.Open(filepath.Join(dir, "store"), images.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		p := &Puller{
			Store: store, Settings: func() Settings { return Settings{} }, Records: &Records{File: filepath.Join(dir, "pulls.json")},
			Client: &registry.Client{Patience: registry.Patience{First: 1, Most: 1000}, Spool: filepath.Join(dir, "spool"), SlowAfter: 1},
		}
		name := b.host + "/app:v1"
		f := &flight{done: make(chan struct{}), cancel: func(error) {}}
		out := p.pull(ctx, name, Request{Image: name, ByHand: true}, f)
		dead := ctx.Err() != nil
		cancel()
		if out.Err == nil {
			break
		}
		if !dead {
			t.Fatal(out.Err)
		}
	}
	if int(died.Load()) != deaths {
		t.Errorf("it died %d times", died.Load())
	}
	sent, whole := b.reg.Served(), b.blobs(t)
	t.Logf("%d bytes for %d: %.4f", sent, whole, float64(sent)/float64(whole))
	if float64(sent) > 1.02*float64(whole) {
		t.Errorf("%d bytes were sent for %d", sent, whole)
	}
	left := 0
	_ = filepath.WalkDir(filepath.Join(dir, "spool"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left++
		}
		return nil
	})
	if left > 0 {
		t.Errorf("%d files of the download are left", left)
	}
}

// blobs is how many bytes app:v1 has in the registry.
func (b *board) blobs(t *testing.T) (n int64) {
	t.Helper()
	var m struct {
		Config struct{ Size int64 }
		Layers []struct{ Size int64 }
	}
	if err := json.Unmarshal(b.reg.Manifest("app", "v1"), &m); err != nil {
		t.Fatal(err)
	}
	n = m.Config.Size
	for _, l := range m.Layers {
		n += l.Size
	}
	return n
}

func TestWindow(t *testing.T) {
	at := func(s string) time.Time {
		clock, err := time.Parse("15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return clock
	}
	for _, c := range []struct {
		window, now string
		until, left time.Duration
	}{
		{"", "12:00", 0, 0},
		{"22:00-06:00", "12:00", 10 * time.Hour, 0},
		{"22:00-06:00", "23:30", 0, 6*time.Hour + 30*time.Minute},
		{"22:00-06:00", "05:59", 0, time.Minute},
		{"22:00-06:00", "06:00", 16 * time.Hour, 0},
		{"01:30-02:00", "01:30", 0, 30 * time.Minute},
		{"01:30-02:00", "02:30", 23 * time.Hour, 0},
	} {
		w, err := ParseWindow(c.window)
		if err != nil {
			t.Fatal(err)
		}
		if until, left := w.until(at(c.now)), w.left(at(c.now)); until != c.until || left != c.left {
			t.Errorf("%s at %s: opens in %v, is open for %v", c.window, c.now, until, left)
		}
	}
	for _, bad := range []string{"22-6", "22:00", "22:00-22:00", "25:00-26:00", "x-y"} {
		if _, err := ParseWindow(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	b := newBoard(t)
	b.reg.Add(t, "app", "v1", small())
	w, err := ParseWindow("22:00-06:00")
	if err != nil {
		t.Fatal(err)
	}
	b.puller.Settings = func() Settings { return Settings{Window: w} }
	b.puller.Now = func() time.Time { return at("12:00") }
	if out := b.puller.Pull(t.Context(), Request{Image: b.host + "/app:v1"}); out.Reason != state.ReasonImagePullWindow || out.After != 10*time.Hour {
		t.Errorf("%s after %v: %s", out.Reason, out.After, out.Message)
	}
	if out := b.pull(b.host + "/app:v1"); out.Err != nil {
		t.Errorf("by hand: %v", out.Err)
	}
}
