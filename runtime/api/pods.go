package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/body"
	"podd/runtime/api/kinds"
)

// pod returns the pod that the path names.
func (s *server) pod(r *http.Request) (*corev1.Pod, error) {
	o, _, err := s.find(kinds.Pods(), r)
	if err != nil {
		return nil, err
	}
	return o.(*corev1.Pod), nil
}

// deletePod asks the backend and answers with the pod as it is then.
func (s *server) deletePod(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	if err := checkAccepted(p); err != nil {
		return err
	}
	var o metav1.DeleteOptions
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil && !errors.Is(err, io.EOF) {
		return BadRequest("cannot read the delete options: " + err.Error())
	}
	if err := s.backend.DeletePod(r.Context(), p.Namespace, p.Name, &o); err != nil {
		return err
	}
	if p.DeletionTimestamp == nil { // otherwise it ends already, for most reasons because its file went
		addWarning(w, "its manifest stays, so that the pod starts anew; remove the file to end it for good")
	}
	if now, err := s.pod(r); err == nil {
		p = now
	}
	writeJSON(w, http.StatusOK, kinds.Pods().Complete(p))
	return nil
}

// addEphemeral adds ephemeral containers to a pod, as `kubectl debug` does.
func addEphemeral(s *server, w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	if err := checkAccepted(p); err != nil {
		return err
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case r.Method == http.MethodPut, kind == "application/strategic-merge-patch+json":
	default:
		return unsupportedMedia(kind)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return BadRequest("cannot read the pod: " + err.Error())
	}
	list, err := body.Ephemeral(data)
	if err != nil {
		return err
	}
	dry, err := body.DryRun(r.URL.Query()["dryRun"])
	if err != nil {
		return err
	}
	if err := s.backend.AddEphemeral(r.Context(), p.Namespace, p.Name, list, r.Method == http.MethodPut, dry); err != nil {
		return err
	}
	if now, err := s.pod(r); err == nil {
		p = now
	}
	writeJSON(w, http.StatusOK, kinds.Pods().Complete(p))
	return nil
}

// evictPod ends a pod if its disruption budgets let it go.
func (s *server) evictPod(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	if err := checkAccepted(p); err != nil {
		return err
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return BadRequest("cannot read the eviction: " + err.Error())
	}
	o, err := body.Eviction(data, p.Name, r.URL.Query()["dryRun"])
	if err != nil {
		return err
	}
	if err := s.backend.EvictPod(r.Context(), p.Namespace, p.Name, o); err != nil {
		return err
	}
	writeStatus(w, metav1.Status{Status: metav1.StatusSuccess, Code: http.StatusCreated})
	return nil
}

// patchNode cordons and uncordons the board, as `kubectl cordon` does.
func (s *server) patchNode(w http.ResponseWriter, r *http.Request) error {
	o, _, err := s.find(kinds.Nodes(), r)
	if err != nil {
		return err
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/strategic-merge-patch+json", "application/merge-patch+json":
	default:
		return unsupportedMedia(kind)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return BadRequest("cannot read the patch: " + err.Error())
	}
	unschedulable, untilBoot, err := body.Cordon(data)
	if err != nil {
		return err
	}
	dry, err := body.DryRun(r.URL.Query()["dryRun"])
	if err == nil && !dry {
		err = s.backend.SetUnschedulable(r.Context(), unschedulable, untilBoot)
	}
	if err != nil {
		return err
	}
	if now, _, err := s.find(kinds.Nodes(), r); err == nil {
		o = now
	}
	writeJSON(w, http.StatusOK, kinds.Nodes().Complete(o))
	return nil
}
