package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"podd/images/reference"
)

// The kinds of a signedIdentity. matchDigest is podd's own: the digest alone counts, as for cosign verify.
const (
	matchExact             = "matchExact"
	matchRepoDigestOrExact = "matchRepoDigestOrExact"
	matchRepository        = "matchRepository"
	exactReference         = "exactReference"
	exactRepository        = "exactRepository"
	remapIdentity          = "remapIdentity"
	matchDigest            = "matchDigest"
)

// identity says which image a signature must speak of (containers-policy.json(5), "signedIdentity").
type identity struct {
	Type             string `json:"type"`
	DockerReference  string `json:"dockerReference,omitempty"`
	DockerRepository string `json:"dockerRepository,omitempty"`
	Prefix           string `json:"prefix,omitempty"`
	SignedPrefix     string `json:"signedPrefix,omitempty"`
}

func parseIdentity(raw json.RawMessage) (identity, error) {
	if raw == nil {
		return identity{Type: matchRepoDigestOrExact}, nil
	}
	var i identity
	if err := strict(raw, &i); err != nil {
		return identity{}, fmt.Errorf("signedIdentity: %w", err)
	}
	wants := identity{Type: i.Type}
	switch i.Type {
	case matchExact, matchRepoDigestOrExact, matchRepository, matchDigest:
	case exactReference:
		if ref, err := reference.Parse(i.DockerReference); err != nil || ref.String() != i.DockerReference {
			return identity{}, errors.New("signedIdentity.dockerReference must be a name in full, as docker.io/library/busybox:1.36")
		}
		wants.DockerReference = i.DockerReference
	case exactRepository:
		if !isRepository(i.DockerRepository) {
			return identity{}, errors.New("signedIdentity.dockerRepository must be a repository in full, as docker.io/library/busybox")
		}
		wants.DockerRepository = i.DockerRepository
	case remapIdentity:
		if i.Prefix == "" || i.SignedPrefix == "" {
			return identity{}, errors.New("signedIdentity: remapIdentity needs prefix and signedPrefix")
		}
		for field, prefix := range map[string]string{"prefix": i.Prefix, "signedPrefix": i.SignedPrefix} {
			if inside := prefix + "/a/b"; !isRepository(inside) {
				return identity{}, fmt.Errorf("signedIdentity.%s %q is no host and no beginning of a repository in full, as docker.io/library", field, clip(prefix))
			}
		}
		wants.Prefix, wants.SignedPrefix = i.Prefix, i.SignedPrefix
	default:
		return identity{}, fmt.Errorf("signedIdentity.type %q is not known", i.Type)
	}
	if i != wants {
		return identity{}, fmt.Errorf("signedIdentity has fields that %s does not take", i.Type)
	}
	return i, nil
}

// isRepository says that a name is one in full, without a tag.
func isRepository(name string) bool {
	ref, err := reference.Parse(name)
	return err == nil && ref.Repository() == name
}

// accepts compares the name in a signature, "" when it has none, with that of the image.
func (i identity) accepts(image reference.Reference, signed string) error {
	if i.Type == matchDigest {
		return nil
	}
	if signed == "" {
		return errors.New(`it names no image, as those that cosign makes since version 3: set signedIdentity to {"type": "matchDigest"} to accept it by the digest alone`)
	}
	name, err := reference.Parse(signed)
	if err != nil {
		return fmt.Errorf("it is for the impossible name %q", clip(signed))
	}
	tagged := strings.Contains(signed[strings.LastIndexByte(signed, '/')+1:], ":") // reference.Parse fills in a tag
	if !tagged {
		name.Tag = ""
	}
	switch i.Type {
	case matchExact:
		err = same(image, name)
	case matchRepoDigestOrExact:
		err = sameOrDigest(image, name)
	case matchRepository:
		err = sameRepository(image.Repository(), name)
	case exactReference:
		want, parseErr := reference.Parse(i.DockerReference)
		if err = parseErr; err == nil {
			err = same(want, name)
		}
	case exactRepository:
		err = sameRepository(i.DockerRepository, name)
	case remapIdentity:
		full := image.Repository()
		if full == i.Prefix || strings.HasPrefix(full, i.Prefix+"/") {
			mapped, parseErr := reference.Parse(i.SignedPrefix + full[len(i.Prefix):])
			if parseErr != nil {
				return fmt.Errorf("the remapped name is none: %w", parseErr)
			}
			image.Domain, image.Path = mapped.Domain, mapped.Path
		}
		err = sameOrDigest(image, name)
	default:
		err = errors.New("the requirement is unknown")
	}
	if err != nil && !tagged && name.Repository() == image.Repository() {
		return fmt.Errorf(`%w; cosign signs the repository without the tag: set signedIdentity to {"type": "matchRepository"} to accept that`, err)
	}
	return err
}

func same(want, name reference.Reference) error {
	if want.Tag == "" && want.Digest == "" || want != name {
		return fmt.Errorf("it is for %s and not for %s", describe(name), describe(want))
	}
	return nil
}

func sameOrDigest(image, name reference.Reference) error {
	if image.Digest != "" {
		return sameRepository(image.Repository(), name)
	}
	return same(image, name)
}

func sameRepository(want string, name reference.Reference) error {
	if name.Repository() != want {
		return fmt.Errorf("it is for the repository %s and not for %s", name.Repository(), want)
	}
	return nil
}

func describe(r reference.Reference) string {
	if r.Tag == "" && r.Digest == "" {
		return r.Repository() + " without a tag"
	}
	return r.String()
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
