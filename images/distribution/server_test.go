package distribution

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podd/images"
	"podd/images/imagetest"
)

// storeOf is a store with images, each from an archive of its own.
func storeOf(t *testing.T, list ...imagetest.Image) (*images.Store, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	s, err := images.Open(dir, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range list {
		data, err := imagetest.OCIArchive(img)
		if err == nil {
			_, err = s.Load(context.Background(), bytes.NewReader(data), images.LoadOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s, dir
}

func appOf(name, compress string) imagetest.Image {
	return imagetest.Image{Names: []string{name}, Compress: compress, Layers: []imagetest.Layer{
		{Files: []imagetest.File{imagetest.Dir("etc"), imagetest.Regular("etc/name", strings.Repeat(name, 100_000))}},
		{Files: []imagetest.File{imagetest.Regular("empty", "")}},
	}}
}

func serve(t *testing.T, s *Server) *httptest.Server {
	t.Helper()
	s.Log = slog.New(slog.DiscardHandler)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server
}

// ask is a request with headers "Name: value".
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body) // one that is cut short is for the caller to see
	return resp, data
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

type manifest struct {
	Config struct{ Digest string }
	Layers []struct {
		Digest string
		Size   int64
	}
}

func manifestAt(t *testing.T, url string, headers ...string) (manifest, string) {
	t.Helper()
	resp, data := ask(t, "GET", url, headers...)
	var m manifest
	if err := json.Unmarshal(data, &m); resp.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("%s: %s %s", url, resp.Status, data)
	}
	if got := resp.Header.Get("Docker-Content-Digest"); got != sumOf(data) {
		t.Errorf("%s has the digest %s and says %s", url, sumOf(data), got)
	}
	return m, sumOf(data)
}

// All that a manifest names can be had, has the digest that it is asked for by, and can be had in parts.
func TestImageIsGivenByTag(t *testing.T) {
	for _, compress := range []string{"", "gzip", "zstd"} {
		s, _ := storeOf(t, appOf("docker.io/library/app:1", compress))
		server := serve(t, &Server{Store: s})
		base := server.URL + "/v2/library/app/"
		m, digest := manifestAt(t, base+"manifests/1")
		if again, _ := manifestAt(t, base+"manifests/"+digest); again.Config.Digest != m.Config.Digest {
			t.Errorf("by its digest it is %+v, and by its tag %+v", again, m)
		}
		if resp, data := ask(t, "GET", base+"blobs/"+m.Config.Digest); resp.StatusCode != http.StatusOK || sumOf(data) != m.Config.Digest {
			t.Errorf("configuration: %s", resp.Status)
		}
		for _, l := range m.Layers {
			resp, whole := ask(t, "GET", base+"blobs/"+l.Digest)
			if sumOf(whole) != l.Digest || int64(len(whole)) != l.Size || resp.ContentLength != l.Size {
				t.Fatalf("layer %s: %s, %d bytes of %d with the digest %s", l.Digest, resp.Status, len(whole), l.Size, sumOf(whole))
			}
			for _, r := range [][2]int64{{0, 1}, {511, 513}, {700, 1500}, {l.Size / 2, l.Size}, {l.Size - 1, l.Size}} {
				resp, part := ask(t, "GET", base+"blobs/"+l.Digest, fmt.Sprintf("Range: bytes=%d-%d", r[0], r[1]-1))
				want := fmt.Sprintf("bytes %d-%d/%d", r[0], min(r[1], l.Size)-1, l.Size)
				if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[r[0]:min(r[1], l.Size)]) || resp.Header.Get("Content-Range") != want {
					t.Errorf("bytes %v of %d: %s %s, %d bytes", r, l.Size, resp.Status, resp.Header.Get("Content-Range"), len(part))
				}
			}
			if resp, part := ask(t, "GET", base+"blobs/"+l.Digest, "Range: bytes=-100"); resp.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[l.Size-100:]) {
				t.Errorf("the last 100 bytes: %s, %d bytes", resp.Status, len(part))
			}
			if resp, _ := ask(t, "GET", base+"blobs/"+l.Digest, fmt.Sprintf("Range: bytes=%d-", l.Size)); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
				t.Errorf("after the end: %s", resp.Status)
			}
			if resp, data := ask(t, "HEAD", base+"blobs/"+l.Digest); resp.ContentLength != l.Size || len(data) != 0 {
				t.Errorf("HEAD: %s, %d", resp.Status, resp.ContentLength)
			}
		}
	}
}

// An ordinary client is not led to layers that it cannot get; another podd learns what a tag stood for.
func TestPeersGetWhatCame(t *testing.T) {
	img := appOf("registry.example.com:5000/team/app:1", "gzip")
	s, _ := storeOf(t, img)
	came := s.List()[0].Digest
	base := serve(t, &Server{Store: s}).URL + "/v2/team/app/manifests/"
	if _, digest := manifestAt(t, base+"1"); digest == came {
		t.Error("a manifest with compressed layers is given by its tag")
	}
	if resp, _ := ask(t, "GET", base+came); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a manifest with compressed layers is given: %s", resp.Status)
	}
	for _, ref := range []string{"1", came} {
		m, digest := manifestAt(t, base+ref+"?ns=registry.example.com:5000", peerHeader+": 1")
		if digest != came || len(m.Layers) != 2 {
			t.Errorf("a peer gets %s for %s, and it came as %s", digest, ref, came)
		}
	}
	if resp, _ := ask(t, "GET", base+"1?ns=docker.io", peerHeader+": 1"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the image of another registry is given: %s", resp.Status)
	}
}

// What is not for everybody is not there: its name, its manifest, its configuration, its layers, its tags.
func TestPrivateImageIsNotGiven(t *testing.T) {
	s, _ := storeOf(t, appOf("example.com/open:1", ""), appOf("example.com/secret:1", ""))
	all := serve(t, &Server{Store: s})
	some := serve(t, &Server{Store: s, Allow: func() Allow {
		return func(_ *images.Artifact, repository string) bool { return repository == "example.com/open" }
	}})
	m, digest := manifestAt(t, all.URL+"/v2/secret/manifests/1")
	shared := 0
	for _, path := range []string{
		"secret/manifests/1", "open/manifests/" + digest, "secret/tags/list", "open/blobs/" + m.Config.Digest,
		"open/blobs/" + m.Layers[0].Digest, "secret/blobs/" + m.Layers[0].Digest,
	} {
		if resp, _ := ask(t, "GET", all.URL+"/v2/"+path); resp.StatusCode == http.StatusOK {
			shared++
		}
		if resp, data := ask(t, "GET", some.URL+"/v2/"+path, peerHeader+": 1"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s is given: %s %s", path, resp.Status, data)
		}
	}
	if shared != 6 {
		t.Errorf("without the rule only %d of them are there", shared)
	}
	// The layer that both have is public.
	if resp, _ := ask(t, "GET", some.URL+"/v2/open/blobs/"+m.Layers[1].Digest); resp.StatusCode != http.StatusOK {
		t.Errorf("a layer of an image that is public: %s", resp.Status)
	}
	if _, data := ask(t, "GET", some.URL+"/v2/_catalog"); string(data) != `{"repositories":["open"]}` {
		t.Errorf("the catalog is %s", data)
	}
}

// A file that is not what it was never comes out as a whole layer, and an image that cannot be put together is not offered.
func TestDamagedLayerIsNotGiven(t *testing.T) {
	s, dir := storeOf(t, appOf("app:1", ""), imagetest.Image{Names: []string{"twice:1"}, Layers: []imagetest.Layer{
		{Files: []imagetest.File{imagetest.Regular("file", "first"), imagetest.Regular("file", "second")}},
	}})
	server := serve(t, &Server{Store: s})
	m, _ := manifestAt(t, server.URL+"/v2/library/app/manifests/1")
	for _, file := range must(filepath.Glob(dir + "/l/*/etc/name")) {
		f := must(os.OpenFile(file, os.O_WRONLY, 0))
		must(f.WriteAt([]byte("X"), 5))
		must(0, f.Close())
	}
	resp, data := ask(t, "GET", server.URL+"/v2/library/app/blobs/"+m.Layers[0].Digest)
	if resp.ContentLength != m.Layers[0].Size || int64(len(data)) >= resp.ContentLength {
		t.Errorf("a damaged layer is given whole: %d bytes of %d", len(data), resp.ContentLength)
	}
	if resp, data := ask(t, "GET", server.URL+"/v2/library/twice/manifests/1"); resp.StatusCode != http.StatusNotFound || !strings.Contains(string(data), "put together") {
		t.Errorf("%s %s", resp.Status, data)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestOnlyReading(t *testing.T) {
	s, _ := storeOf(t)
	server := serve(t, &Server{Store: s})
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v2/", 200},
		{"GET", "/v2", 200},
		{"HEAD", "/v2/", 200},
		{"POST", "/v2/app/blobs/uploads/", 405},
		{"PUT", "/v2/app/manifests/1", 405},
		{"DELETE", "/v2/app/manifests/1", 405},
		{"GET", "/", 404},
		{"GET", "/v1/_ping", 404},
		{"GET", "/v2/app", 404},
		{"GET", "/v2/app/blobs/uploads/", 404},
		{"GET", "/v2/../../etc/passwd", 404},
		{"GET", "/v2/..%2f..%2fetc/blobs/passwd", 404},
		{"GET", "/v2/app/manifests/..%2f..%2fetc%2fpasswd", 404},
		{"GET", "/v2/app/blobs/sha256:..", 404},
		{"GET", "/v2/app/tags/list", 404},
		{"GET", "/v2/App/tags/list", 404},
		{"GET", "/v2/app/referrers/sha256:" + strings.Repeat("0", 64), 200},
		{"GET", "/v2/app/manifests/sha256:" + strings.Repeat("0", 64), 404},
	} {
		resp, data := ask(t, test.method, server.URL+test.path)
		if resp.StatusCode != test.status || resp.Header.Get("Docker-Distribution-Api-Version") != "registry/2.0" {
			t.Errorf("%s %s: %s %s", test.method, test.path, resp.Status, data)
		}
		if resp.StatusCode >= 400 && !strings.HasPrefix(string(data), `{"errors":[{"code":"`) {
			t.Errorf("%s %s answers %s", test.method, test.path, data)
		}
	}
}

func TestPages(t *testing.T) {
	s, _ := storeOf(t, appOf("app:1", ""), appOf("app:2", ""), appOf("app:3", ""))
	server := serve(t, &Server{Store: s})
	url, got := server.URL+"/v2/library/app/tags/list?n=2", []string{}
	for range 2 {
		resp, data := ask(t, "GET", url)
		got = append(got, string(data))
		link, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
		url = server.URL + link
	}
	if strings.Join(got, " ") != `{"name":"library/app","tags":["1","2"]} {"name":"library/app","tags":["3"]}` {
		t.Errorf("the pages are %s", got)
	}
}

// Those who connect and say nothing keep nobody out, one client gets no more than its share, and bodies are not waited for.
func TestSilentClients(t *testing.T) {
	s, _ := storeOf(t, appOf("app:1", ""))
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- (&Server{Store: s, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l) }()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	var silent []net.Conn
	for range maxOfOne + 1 {
		silent = append(silent, must(from.DialContext(t.Context(), "tcp", l.Addr().String())))
		defer silent[len(silent)-1].Close()
	}
	_ = silent[maxOfOne].SetReadDeadline(time.Now().Add(5 * time.Second)) // before its header has to be there
	if n, err := silent[maxOfOne].Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client with %d connections keeps one more: %v", maxOfOne, err)
	}
	other := must(net.Dial("tcp", l.Addr().String()))
	defer other.Close()
	must(io.WriteString(other, "POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"))
	_ = other.SetReadDeadline(time.Now().Add(20 * time.Second))
	data := must(io.ReadAll(other)) // to its end: the connection is closed
	if !strings.HasPrefix(string(data), "HTTP/1.1 405") {
		t.Errorf("it answers %s", data)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
