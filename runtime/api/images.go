package api

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// ownPaths are those where a body may be large: archives.
const ownPaths = "/podd/v1/"

// ImageList answers GET and POST of images.
type ImageList struct {
	Items []ImageInfo `json:"items"`
}

// ImagesRemoved answers DELETE of images.
type ImagesRemoved struct {
	Removed []string `json:"removed"`
}

// imageServer answers what is asked of the store of images.
type imageServer struct{ *server }

func (s imageServer) routes(m *http.ServeMux) {
	const images = ownPaths + "images"
	for pattern, h := range map[string]handler{
		"GET " + images:              s.listImages,
		"POST " + images:             s.loadImage,
		"DELETE " + images:           s.removeImage,
		"POST " + images + "/pull":   s.pullImage,
		"GET " + images + "/tar":     s.saveImages,
		"GET " + images + "/layers":  s.imageLayers,
		"POST " + images + "/tag":    s.tagImage,
		"POST " + images + "/pin":    s.pinImage,
		"DELETE " + images + "/pin":  s.pinImage,
		"POST " + images + "/prune":  s.pruneImages,
		"POST " + images + "/verify": s.verifyImages,
	} {
		m.Handle(pattern, s.handle(h))
	}
}

func (s imageServer) listImages(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, &ImageList{Items: s.backend.Images()})
	return nil
}

// loadImage reads the archive that is the body.
func (s imageServer) loadImage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	list, err := s.backend.LoadImage(r.Context(), r.Body, ImageLoad{Name: q.Get("name"), Source: q.Get("source")})
	if err != nil {
		s.refuseUpload(w, r, err)
		return nil
	}
	writeJSON(w, http.StatusOK, &ImageList{Items: list})
	return nil
}

// refuseUpload answers while the client still sends, and reads on until it has noticed:
// closing a unix socket with data in it makes the client's read fail before the answer.
func (s *server) refuseUpload(w http.ResponseWriter, r *http.Request, err error) {
	ctl := http.NewResponseController(w)
	_ = ctl.EnableFullDuplex() // HTTP/2 only refuses it, and that is full duplex anyway
	w.Header().Set("Connection", "close")
	writeStatus(w, statusOf(err))
	_ = ctl.Flush()
	_, _ = io.Copy(io.Discard, r.Body)
}

// pullImage brings an image from a registry, and answers with a line of JSON for each step.
func (s imageServer) pullImage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("ref") == "" {
		return BadRequest("no image named: the request needs ?ref=NAME")
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	ctl := http.NewResponseController(w)
	out := json.NewEncoder(w)
	var mu sync.Mutex
	step := func(p PullStep) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(&p) // a client that has gone away ends the request
		_ = ctl.Flush()
	}
	step(PullStep{Status: "waiting"})
	image, err := s.backend.PullImage(r.Context(), ImagePull{Name: q.Get("ref"), Platform: q.Get("platform")}, step)
	if err != nil {
		step(PullStep{Error: err.Error()})
		return nil
	}
	step(PullStep{Status: "done", Image: &image})
	return nil
}

// removeImage removes the image that ref names.
func (s imageServer) removeImage(w http.ResponseWriter, r *http.Request) error {
	ref := r.URL.Query().Get("ref")
	if ref == "" {
		return BadRequest("no image named: the request needs ?ref=NAME")
	}
	removed, err := s.backend.RemoveImage(ref)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, &ImagesRemoved{Removed: removed})
	return nil
}
