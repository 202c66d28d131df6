package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"podd/internal/hostfile"
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
		"POST " + images + "/file":   s.loadFile,
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

// loadFile reads an archive that the client has open, where it lies: what comes through a socket is copied twice, and its
// layers come one after the other. It answers with lines of JSON: how much was read, each image, and "loaded" at the end.
func (s imageServer) loadFile(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := openOf(r, q.Get("fd"))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	st, err := f.Stat()
	if err != nil {
		return err
	}
	step := steps(w)
	var read, told atomic.Int64
	list, err := s.backend.LoadImage(r.Context(), f, ImageLoad{Name: q.Get("name"), Source: q.Get("source"), Read: func(n int) {
		now, last := read.Add(int64(n)), told.Load()
		if now-last > st.Size()/100 && told.CompareAndSwap(last, now) {
			step(PullStep{Status: "loading", Current: now, Total: st.Size()})
		}
	}})
	if err != nil {
		status := statusOf(err)
		step(PullStep{Error: status.Message, Reason: status.Reason})
		return nil
	}
	step(PullStep{Status: "loading", Current: st.Size(), Total: st.Size()})
	for i := range list {
		step(PullStep{Status: "done", Image: &list[i]})
	}
	step(PullStep{Status: "loaded"})
	return nil
}

// openOf opens what a client has open. That is root's alone: it has it open, or could have, and so nobody gets to read more
// than the client can.
func openOf(r *http.Request, fd string) (*os.File, error) {
	cred, ok := r.Context().Value(peerKey{}).(*unix.Ucred)
	if !ok || cred.Pid == 0 || cred.Uid != 0 { // another PID namespace, or not root
		return nil, AsConflict(errors.New("podd cannot see the files of its client: send the archive"))
	}
	n, err := strconv.ParseUint(fd, 10, 31)
	if err != nil {
		return nil, BadRequest("no file named: the request needs ?fd=NUMBER")
	}
	f, err := hostfile.Open(fmt.Sprintf("/proc/%d/fd/%d", cred.Pid, n))
	if err != nil {
		return nil, AsConflict(fmt.Errorf("podd cannot open the file of its client: send the archive: %w", err))
	}
	return f, nil
}

// steps begins an answer of lines, each of which is sent at once.
func steps(w http.ResponseWriter) func(PullStep) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	ctl := http.NewResponseController(w)
	out := json.NewEncoder(w)
	var mu sync.Mutex
	return func(p PullStep) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(&p) // a client that has gone away ends the request
		_ = ctl.Flush()
	}
}

// pullImage brings an image from a registry, and answers with a line of JSON for each step.
func (s imageServer) pullImage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("ref") == "" {
		return BadRequest("no image named: the request needs ?ref=NAME")
	}
	step := steps(w)
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
