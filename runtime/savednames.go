package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"podd/dns"
)

// savedNames is what the name server knows, for the next daemon: it answers from that until it has looked at the pods,
// which takes a while where they are many.
type savedNames struct {
	Services []dns.Service
	Pods     []dns.Pod
}

func (r *Runtime) namesFile() string { return filepath.Join(r.RunDir, "names.json") }

// serveNames serves names that are new, and writes them before: what a pod has been told stays so.
func (r *Runtime) serveNames(names savedNames) {
	data, err := json.Marshal(names)
	if err == nil && bytes.Equal(data, r.services.names) {
		return
	}
	if err == nil {
		temp := r.namesFile() + ".tmp"
		if err = os.WriteFile(temp, data, 0o600); err == nil {
			err = os.Rename(temp, r.namesFile())
		}
		r.services.names = data
	}
	if err != nil {
		r.Log.Error("names would be out for longer if podd died", "error", err)
	}
	r.setZone(names)
}

// recallNames serves what an earlier daemon of this boot has left, before anything else is looked at.
func (r *Runtime) recallNames() {
	data, err := os.ReadFile(r.namesFile())
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	var names savedNames
	if err == nil {
		err = json.Unmarshal(data, &names)
	}
	if err != nil {
		r.Log.Error("names are out until the pods are known", "error", err)
		return
	}
	r.services.names = data
	r.readResolver()
	r.setZone(names)
}
