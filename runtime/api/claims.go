package api

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/kinds"
)

// deleteClaim removes what a claim holds.
func (s *server) deleteClaim(w http.ResponseWriter, r *http.Request) error {
	if err := s.backend.DeleteClaim(r.Context(), r.PathValue("ns"), r.PathValue("name")); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, &metav1.Status{TypeMeta: kinds.TypeMeta("Status"), Status: metav1.StatusSuccess})
	return nil
}

// backupClaim answers with a tar archive. An error that comes after its beginning can only cut it off.
func (s *server) backupClaim(w http.ResponseWriter, r *http.Request) error {
	out := &begun{w: w}
	err := s.backend.BackupClaim(r.Context(), r.PathValue("ns"), r.PathValue("name"), out)
	if err != nil && out.yes {
		s.log.Error("cannot finish a backup", "claim", r.PathValue("name"), "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// begun notes whether anything was written.
type begun struct {
	w   http.ResponseWriter
	yes bool
}

func (b *begun) Write(p []byte) (int, error) {
	if !b.yes {
		b.yes = true
		b.w.Header().Set("Content-Type", "application/x-tar")
	}
	return b.w.Write(p)
}

// restoreClaim reads the tar archive that is the body.
func (s *server) restoreClaim(w http.ResponseWriter, r *http.Request) error {
	if err := s.backend.RestoreClaim(r.Context(), r.PathValue("ns"), r.PathValue("name"), r.Body); err != nil {
		s.refuseUpload(w, r, err)
		return nil
	}
	writeJSON(w, http.StatusOK, &metav1.Status{TypeMeta: kinds.TypeMeta("Status"), Status: metav1.StatusSuccess})
	return nil
}
