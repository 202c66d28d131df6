package distribution

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"podd/images"
	"podd/images/reference"
)

// peerHeader is what another podd says of itself. It gets documents whose layers can be had by their diffIDs alone.
const peerHeader = "Podd-Peer"

// Server answers what others ask of a store. It changes nothing, and it asks nobody.
type Server struct {
	Store *images.Store
	// Allow is asked once for each request, after the store; nil: all images are given.
	Allow func() Allow
	// Rate is how many bytes of layers a second all may take together; nil, 0: as many as go.
	Rate func() int64
	Log  *slog.Logger

	mu      sync.Mutex
	catalog *catalog
	exact   map[string]error // by diffID: why a layer cannot be put together
	next    time.Time        // when the bytes that were given are paid for
	turns   chan struct{}
}

const (
	maxStreams  = 4 // layers that are put together at once: each takes a megabyte and a half
	maxPage     = 1000
	documentFor = 30 * time.Second // a document has to be taken within
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(documentFor)) // a test's recorder has none
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // what follows is not waited for
		_ = control.SetReadDeadline(time.Now().Add(time.Second))
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	rest, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry can only be read")
	case r.URL.Path == "/v2", ok && rest == "":
		writeJSON(w, r, struct{}{})
	case !ok:
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "there is nothing but /v2/ here")
	default:
		s.route(w, r, rest)
	}
}

func (s *Server) route(w http.ResponseWriter, r *http.Request, rest string) {
	c, err := s.current()
	if err != nil {
		s.Log.Warn("cannot read the store of images for others", "error", err)
		refuse(w, http.StatusInternalServerError, "UNKNOWN", "the store cannot be read")
		return
	}
	allow := Allow(func(*images.Artifact, string) bool { return true })
	if s.Allow != nil {
		allow = s.Allow() // after the store was read: what came meanwhile is not in c
	}
	if rest == "_catalog" {
		page(w, r, "repositories", "", c.paths(allow))
		return
	}
	q := request{Server: s, w: w, r: r, c: c, allow: allow, registry: r.URL.Query().Get("ns")}
	parts := strings.Split(rest, "/")
	if len(parts) < 3 {
		refuse(w, http.StatusNotFound, "NAME_INVALID", "there is no such path in a registry")
		return
	}
	q.name = strings.Join(parts[:len(parts)-2], "/")
	last := parts[len(parts)-1]
	switch kind := parts[len(parts)-2]; {
	case !validName(q.name):
		refuse(w, http.StatusNotFound, "NAME_INVALID", "that is no name of a repository")
	case kind == "tags" && last == "list":
		q.listTags()
	case kind == "manifests":
		q.manifest(last)
	case kind == "blobs":
		q.blob(last)
	case kind == "referrers" && reference.ValidDigest(last):
		writeAs(w, r, "application/vnd.oci.image.index.v1+json", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	default:
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "there is no such path in a registry")
	}
}

func validName(name string) bool {
	_, err := reference.Parse("example.com/" + name)
	return err == nil && !strings.ContainsAny(name, ":@")
}

// current is what the store has now.
func (s *Server) current() (*catalog, error) {
	if err := s.Store.Refresh(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if generation := s.Store.Generation(); s.catalog == nil || s.catalog.generation != generation {
		s.catalog = newCatalog(generation, images.Outlet{Store: s.Store}.Artifacts())
	}
	return s.catalog, nil
}

// whole says whether all layers of an image can be put together.
func (s *Server) whole(a *images.Artifact) error {
	for _, t := range a.Tars {
		s.mu.Lock()
		err, known := s.exact[t.DiffID]
		s.mu.Unlock()
		if !known {
			err = images.Outlet{Store: s.Store}.CanWrite(t)
			s.mu.Lock()
			if s.exact == nil || len(s.exact) > maxPage {
				s.exact = map[string]error{}
			}
			s.exact[t.DiffID] = err
			s.mu.Unlock()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// request is one about a repository.
type request struct {
	*Server

	w              http.ResponseWriter
	r              *http.Request
	c              *catalog
	allow          Allow
	registry, name string
}

func (q *request) listTags() {
	tags := q.c.tags(q.allow, q.registry, q.name)
	if len(tags) == 0 {
		refuse(q.w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		return
	}
	page(q.w, q.r, "tags", q.name, tags)
}

func (q *request) manifest(ref string) {
	d, of := q.findManifest(ref)
	if of == nil {
		refuse(q.w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
		return
	}
	if err := q.whole(of); err != nil {
		q.Log.Debug("an image cannot be given to others", "image", of.ID, "error", err)
		refuse(q.w, http.StatusNotFound, "MANIFEST_UNKNOWN", "the image cannot be put together from its unpacked files: load an archive of it on the other machine")
		return
	}
	q.w.Header().Set("Docker-Content-Digest", d.Digest)
	q.w.Header().Set("Etag", `"`+d.Digest+`"`)
	writeAs(q.w, q.r, d.MediaType, d.Text)
}

func (q *request) findManifest(ref string) (images.Document, *images.Artifact) {
	peer := q.r.Header.Get(peerHeader) != ""
	if !reference.ValidDigest(ref) {
		a := q.c.tagged(q.allow, q.registry, q.name, ref)
		switch {
		case a == nil:
			return images.Document{}, nil
		case peer && len(a.Came) > 0:
			return a.Came[0], a // what the tag stood for
		}
		return a.Plain, a
	}
	for _, d := range q.c.documents[ref] {
		if (peer || !d.came) && d.Digest != d.of.ID && public(q.allow, d.of) {
			return d.Document, d.of
		}
	}
	return images.Document{}, nil
}

// writeAs answers with a document.
func writeAs(w http.ResponseWriter, r *http.Request, mediaType, text string) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(text)) // whoever asked has gone
	}
}

func writeJSON(w http.ResponseWriter, r *http.Request, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	writeAs(w, r, "application/json", string(text))
}

// refuse answers as the specification has it, "Error codes".
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// page lists names after the one in the query's last, at most n.
func page(w http.ResponseWriter, r *http.Request, key, name string, list []string) {
	q := r.URL.Query()
	if last := q.Get("last"); last != "" {
		i, found := slices.BinarySearch(list, last)
		if found {
			i++
		}
		list = list[i:]
	}
	most := maxPage
	if n, err := strconv.Atoi(q.Get("n")); err == nil && n >= 0 {
		most = min(n, maxPage)
	}
	if len(list) > most {
		list = list[:most]
		if most > 0 {
			next := url.Values{"n": {strconv.Itoa(most)}, "last": {list[most-1]}}
			w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.EscapedPath(), next.Encode()))
		}
	}
	answer := map[string]any{key: append([]string{}, list...)}
	if name != "" {
		answer["name"] = name
	}
	writeJSON(w, r, answer)
}
