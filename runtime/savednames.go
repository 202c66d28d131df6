package runtime

import (
	"bytes"
	"encoding/json"
	"path/filepath"

	"podd/internal/atomicfile"
	"podd/netns/dns"
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
		err = atomicfile.Write(r.namesFile(), data, 0o600)
		r.services.names = data
	}
	if err != nil {
		r.Log.Error("names would be out for longer if podd died", "error", err)
	}
	r.setZone(names)
}

// recallNames serves what an earlier daemon of this boot has left, before anything else is looked at.
func (r *Runtime) recallNames() {
	var names savedNames
	err := atomicfile.Load(r.namesFile(), atomicfile.Limit, func(data []byte) error {
		r.services.names = data
		return atomicfile.DecodeJSON(data, &names)
	})
	if err != nil {
		r.services.names = nil
		r.disk.Restored(err, "names do not resolve until the pods are known")
		return
	}
	r.readResolver()
	r.setZone(names)
}
