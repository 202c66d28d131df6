package images

import (
	"fmt"
	"maps"
	"slices"

	"podd/images/archive"
	"podd/images/trust"
)

// Trust is what is kept of an image for whoever judges whether it may run. Nothing of it is believed without a policy: a
// signature is verified each time.
type Trust struct {
	// Signatures that came with the image, or that were found for it.
	Signatures []trust.Signature `json:"signatures,omitempty"`
	// SignedBy are the keys whose signatures counted when the image was judged last, for people to read.
	SignedBy []string `json:"signedBy,omitempty"`
	// Accepted says by which verifier programs the image was accepted, for each name that it was asked for by.
	Accepted map[string]string `json:"accepted,omitempty"`
}

// with is what there is with more that has come.
func (t *Trust) with(more *Trust) *Trust {
	if t == nil || more == nil {
		if more == nil {
			return t
		}
		return more
	}
	out := &Trust{Signatures: trust.Merge(t.Signatures, more.Signatures), SignedBy: t.SignedBy, Accepted: maps.Clone(t.Accepted)}
	if len(more.SignedBy) > 0 {
		out.SignedBy = more.SignedBy
	}
	if out.Accepted == nil {
		out.Accepted = map[string]string{}
	}
	maps.Copy(out.Accepted, more.Accepted)
	return out
}

// Provenance is what an image is known by outside of the board.
type Provenance struct {
	Names   []string
	Digests []string           // of its manifest, and of the indexes that led to it; none of a docker-archive
	Root    archive.Descriptor // what its names point to; the zero value: nobody knows
	Trust   Trust
}

// Provenance says where an image of the store is from, by its ID.
func (s *Store) Provenance(id string) (Provenance, error) {
	for _, r := range s.state.Load().records {
		if r.ID != id {
			continue
		}
		p := Provenance{Names: r.Names, Digests: r.Digests}
		if r.Root != nil {
			p.Root = *r.Root
		} else if len(r.Digests) > 0 {
			p.Root = archive.Descriptor{MediaType: trust.MediaTypeManifest, Digest: r.Digests[0], Size: int64(len(r.Manifest))}
		}
		if r.Trust != nil {
			p.Trust = *r.Trust
		}
		return p, nil
	}
	return Provenance{}, fmt.Errorf("%w: %s", ErrNotFound, id)
}

// SetTrust keeps what was found out about an image. It writes nothing that is there already.
func (s *Store) SetTrust(id string, t Trust) error {
	return s.changing(func() error {
		i := slices.IndexFunc(s.state.Load().records, func(r *record) bool { return r.ID == id })
		if i < 0 {
			return fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		r := *s.state.Load().records[i]
		if r.Trust != nil && sameTrust(*r.Trust, t) {
			return nil
		}
		r.Trust = &t
		if err := s.records().writeRecord(&r); err != nil {
			return err
		}
		return s.records().bumpGeneration()
	})
}

func sameTrust(a, b Trust) bool {
	return len(a.Signatures) == len(b.Signatures) && len(trust.Merge(a.Signatures, b.Signatures)) == len(a.Signatures) &&
		slices.Equal(a.SignedBy, b.SignedBy) && maps.Equal(a.Accepted, b.Accepted)
}
