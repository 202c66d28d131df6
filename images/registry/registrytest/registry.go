// Package registrytest is a registry that lies, breaks and is slow when a test wants it to.
package registrytest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"podd/images/imagetest"
)

// Registry is what it holds, and how it behaves. Its fields may be changed while no request is under way.
type Registry struct {
	// User and Password are asked for, by Basic; with Bearer a token is asked for, which they are exchanged for.
	User, Password string
	Bearer         bool
	// NoRange: a part of a blob is all of it.
	NoRange bool
	// Chunk is how many bytes of a blob come before the connection breaks; 0: all. Breaks is how often it does; 0: always.
	Chunk  int64
	Breaks int
	// Delay comes before each part of 32 KiB of a blob.
	Delay time.Duration
	// Before may answer in the registry's place; what is "manifests", "blobs", "ping" or "token".
	Before func(w http.ResponseWriter, r *http.Request, what string) (answered bool)

	mu        sync.Mutex
	blobs     map[string][]byte
	manifests map[string]manifest // by repository and reference
	served    map[string]int64    // bytes, by digest
	requests  []string
	broke     int
	tokens    int
}

type manifest struct {
	mediaType string
	data      []byte
}

// New is an empty registry.
func New() *Registry {
	return &Registry{blobs: map[string][]byte{}, manifests: map[string]manifest{}, served: map[string]int64{}}
}

// Start serves it on loopback until the test ends, with plain HTTP; host is its host:port.
func (r *Registry) Start(t testing.TB) (host string) {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// Add is Put for tests.
func (r *Registry) Add(t testing.TB, repository, tag string, images ...imagetest.Image) (digest string) {
	t.Helper()
	digest, err := r.Put(repository, tag, images...)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// Put puts an image in, under a repository and a tag. It returns the digest of its manifest, or of its index.
func (r *Registry) Put(repository, tag string, images ...imagetest.Image) (digest string, err error) {
	files, err := imagetest.OCIFiles(images...)
	if err != nil {
		return "", err
	}
	var index struct {
		Manifests []struct {
			MediaType, Digest string
			Size              int64
			Platform          any `json:"platform,omitempty"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		return "", err
	}
	for name, data := range files {
		if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
			r.AddBlob("sha256:"+hex, data)
		}
	}
	for _, m := range index.Manifests {
		data := files["blobs/sha256/"+strings.TrimPrefix(m.Digest, "sha256:")]
		r.AddManifest(repository, m.Digest, m.MediaType, data)
		var below struct {
			Manifests []struct{ MediaType, Digest string } `json:"manifests"`
		}
		if json.Unmarshal(data, &below) == nil {
			for _, b := range below.Manifests {
				r.AddManifest(repository, b.Digest, b.MediaType, files["blobs/sha256/"+strings.TrimPrefix(b.Digest, "sha256:")])
			}
		}
		if len(index.Manifests) == 1 {
			r.AddManifest(repository, tag, m.MediaType, data)
			return m.Digest, nil
		}
	}
	var list []map[string]any
	for _, m := range index.Manifests {
		list = append(list, map[string]any{"mediaType": m.MediaType, "digest": m.Digest, "size": m.Size, "platform": m.Platform})
	}
	data, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": list})
	if err != nil {
		return "", err
	}
	digest = imagetest.Digest(data)
	r.AddManifest(repository, digest, "application/vnd.oci.image.index.v1+json", data)
	r.AddManifest(repository, tag, "application/vnd.oci.image.index.v1+json", data)
	return digest, nil
}

// AddBlob puts a blob in, whose digest may be a lie.
func (r *Registry) AddBlob(digest string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blobs[digest] = data
}

// AddManifest puts a document in, under a tag or a digest, which may be a lie.
func (r *Registry) AddManifest(repository, reference, mediaType string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.manifests[repository+":"+reference] = manifest{mediaType, data}
}

// Blob is a blob that it holds.
func (r *Registry) Blob(digest string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.blobs[digest]
}

// Manifest is a document that it holds.
func (r *Registry) Manifest(repository, reference string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.manifests[repository+":"+reference].data
}

// Served is how many bytes of blobs were sent.
func (r *Registry) Served() (n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, bytes := range r.served {
		n += bytes
	}
	return n
}

// Requests are the methods and paths that were asked for.
func (r *Registry) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.requests...)
}

// ServeHTTP is the registry.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, req.Method+" "+req.URL.Path)
	r.mu.Unlock()
	what, repository, reference := split(req.URL.Path)
	if r.Before != nil && r.Before(w, req, what) {
		return
	}
	if what == "token" {
		r.token(w, req)
		return
	}
	if !r.allowed(w, req) {
		return
	}
	switch what {
	case "ping":
		w.WriteHeader(http.StatusOK)
	case "manifests":
		r.mu.Lock()
		m, ok := r.manifests[repository+":"+reference]
		r.mu.Unlock()
		if !ok {
			refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
			return
		}
		w.Header().Set("Content-Type", m.mediaType)
		w.Header().Set("Docker-Content-Digest", imagetest.Digest(m.data))
		_, _ = w.Write(m.data)
	case "blobs":
		r.serveBlob(w, req, reference)
	default:
		http.NotFound(w, req)
	}
}

func split(path string) (what, repository, reference string) {
	switch rest, ok := strings.CutPrefix(path, "/v2/"); {
	case path == "/token":
		return "token", "", ""
	case !ok:
		return "", "", ""
	case rest == "":
		return "ping", "", ""
	default:
		for _, kind := range []string{"manifests", "blobs"} {
			if repository, reference, ok := strings.Cut(rest, "/"+kind+"/"); ok {
				return kind, repository, reference
			}
		}
	}
	return "", "", ""
}

func (r *Registry) allowed(w http.ResponseWriter, req *http.Request) bool {
	if r.User == "" {
		return true
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(r.User+":"+r.Password))
	challenge := `Basic realm="test"`
	if r.Bearer {
		want = "Bearer " + r.currentToken()
		challenge = fmt.Sprintf(`Bearer realm="http://%s/token",service="test",scope="repository:any:pull"`, req.Host)
	}
	if req.Header.Get("Authorization") == want {
		return true
	}
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return false
}

func (r *Registry) currentToken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return "token-" + strconv.Itoa(r.tokens)
}

// ExpireTokens makes all tokens that were given out bad.
func (r *Registry) ExpireTokens() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens++
}

func (r *Registry) token(w http.ResponseWriter, req *http.Request) {
	user, password, _ := req.BasicAuth()
	if user != r.User || password != r.Password {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong password")
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"token": r.currentToken()})
}

// serveBlob sends a blob, or the part of it that is asked for, as far as the faults let it.
func (r *Registry) serveBlob(w http.ResponseWriter, req *http.Request, digest string) {
	r.mu.Lock()
	data, ok := r.blobs[digest]
	breaks := ok && r.Chunk > 0 && (r.Breaks == 0 || r.broke < r.Breaks)
	r.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown")
		return
	}
	start, end := int64(0), int64(len(data))
	if s, ok := strings.CutPrefix(req.Header.Get("Range"), "bytes="); ok && !r.NoRange {
		first, last, _ := strings.Cut(s, "-")
		start, _ = strconv.ParseInt(first, 10, 64)
		if n, err := strconv.ParseInt(last, 10, 64); err == nil {
			end = min(end, n+1)
		}
		if start >= int64(len(data)) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(data)))
		w.Header().Set("Content-Length", strconv.FormatInt(end-start, 10))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	}
	rest := data[start:end]
	breaks = breaks && int64(len(rest)) > r.Chunk
	if breaks {
		rest = rest[:r.Chunk]
	}
	r.send(w, req, digest, rest)
	if breaks {
		r.mu.Lock()
		r.broke++
		r.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
}

func (r *Registry) send(w http.ResponseWriter, req *http.Request, digest string, data []byte) {
	for len(data) > 0 {
		n := min(len(data), 32<<10)
		if r.Delay > 0 {
			select {
			case <-time.After(r.Delay):
			case <-req.Context().Done():
				return
			}
		}
		sent, err := w.Write(data[:n])
		r.mu.Lock()
		r.served[digest] += int64(sent)
		r.mu.Unlock()
		if err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		data = data[n:]
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// Redirect sends requests for blobs to another place.
func Redirect(w http.ResponseWriter, req *http.Request, to string) {
	u, _ := url.Parse(to)
	http.Redirect(w, req, u.String(), http.StatusTemporaryRedirect)
}
