package service

import (
	"bytes"
	"encoding/json"

	"podd/internal/atomicfile"
	"podd/netns/dns"
)

// Zone is what the name server knows, as it is saved for the next daemon: that answers from it until it has looked at the
// pods, which takes a while where they are many.
type Zone struct {
	Services []dns.Service
	Pods     []dns.Pod
}

// ReadZone returns what an earlier daemon of this boot has saved, or nil.
func (s *Syncer) ReadZone() *Zone {
	var zone Zone
	err := atomicfile.Load(s.ZoneFile, atomicfile.Limit, func(data []byte) error {
		s.zone = data
		return atomicfile.DecodeJSON(data, &zone)
	})
	if err != nil {
		s.zone = nil
		s.Disk.Restored(err, "names do not resolve until the pods are known")
		return nil
	}
	return &zone
}

// ServeZone gives the name server what it is to know.
func (s *Syncer) ServeZone(zone Zone) {
	cidrs := append(s.PodCIDRs[:len(s.PodCIDRs):len(s.PodCIDRs)], s.ServiceCIDRs...)
	z, err := dns.NewZone(s.ClusterDomain, cidrs, zone.Services, zone.Pods)
	if err != nil {
		s.Log.Error("some names are not served", "error", err)
	}
	if z != nil {
		s.SetZone(z)
	}
}

// syncZone serves names that are new, and writes them before: what a pod has been told stays so. What could not be written is
// tried again at the next look.
func (s *Syncer) syncZone(zone Zone) {
	data, err := json.Marshal(zone)
	isNew := err != nil || !bytes.Equal(data, s.zone)
	if !isNew && !s.zoneUnsaved {
		return
	}
	if err == nil {
		err = atomicfile.Write(s.ZoneFile, data, 0o600)
		s.zone = data
	}
	if err != nil && isNew {
		s.Log.Error("names would be out for longer if podd died", "error", err)
	}
	s.zoneUnsaved = err != nil
	if isNew {
		s.ServeZone(zone)
	}
}
