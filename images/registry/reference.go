package registry

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Reference is a parsed, normalised name: docker.io/library/busybox:1.36.
type Reference struct {
	Domain string // docker.io, registry.example.com:5000
	Path   string // library/busybox
	Tag    string // "" with a digest alone
	Digest string // sha256:..., or ""
	full   bool   // it was written with its registry
}

// Written says how somebody wrote the name before it was normalised: one with docker.io in it is nobody else's.
func (r Reference) Written(s string) Reference {
	registry, _, _ := strings.Cut(s, "/")
	r.full = registry == "docker.io" || registry == "index.docker.io"
	return r
}

// ParseReference reads a normalised name, as images.NormalizeName gives it.
func ParseReference(s string) (Reference, error) {
	if _, err := name.ParseReference(s, name.StrictValidation); err != nil {
		return Reference{}, fmt.Errorf("image name %q cannot be pulled: %w", clip(s, 300), err)
	}
	var r Reference
	rest, digest, _ := strings.Cut(s, "@")
	r.Digest = digest
	r.Domain, rest, _ = strings.Cut(rest, "/")
	r.Path, r.Tag, _ = strings.Cut(rest, ":")
	if r.Domain == "index.docker.io" {
		r.Domain = "docker.io"
	}
	return r, nil
}

// Repository is the name without tag and digest.
func (r Reference) Repository() string { return r.Domain + "/" + r.Path }

// isShort says of a name that nothing in it told its registry: docker.io was filled in.
func (r Reference) isShort() bool { return r.Domain == "docker.io" && !r.full }

func (r Reference) String() string {
	s := r.Repository()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// version is what the registry is asked for: of a digest and a tag the digest, as Docker and the kubelet have it.
func (r Reference) version() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}
