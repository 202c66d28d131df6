package api

import "net/http"

// openIDDiscovery says who issues the tokens of pods and where the keys are.
func (s *server) openIDDiscovery(w http.ResponseWriter, r *http.Request) error {
	discovery, _, err := s.backend.OpenID(r.Context())
	return writeText(w, "application/json", discovery, err)
}

// openIDKeys are the keys that verify the tokens of pods. RFC 7517
func (s *server) openIDKeys(w http.ResponseWriter, r *http.Request) error {
	_, keys, err := s.backend.OpenID(r.Context())
	return writeText(w, "application/jwk-set+json", keys, err)
}

func writeText(w http.ResponseWriter, media string, text []byte, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(text) // who has gone away does not read it
	return nil
}
