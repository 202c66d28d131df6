// Package reference reads image names as Docker does: registry, repository, tag and digest.
package reference

import (
	"strings"

	"podd/images/fault"
)

// Limits of the reference grammar (github.com/distribution/reference, which Docker uses).
const (
	maxRepository = 255
	maxTag        = 128
)

// Reference is a parsed, normalised image name: repository with its registry, and a tag, a digest or both.
type Reference struct {
	Domain string // "docker.io", "localhost:5000"
	Path   string // "library/busybox"
	Tag    string // "" with a digest alone
	Digest string // "sha256:..." or ""
}

// Repository is the name without tag and digest.
func (r Reference) Repository() string { return r.Domain + "/" + r.Path }

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

// Normalize gives the full form of an image name as Docker does: registry docker.io, "library/" for a bare
// Docker Hub name and tag "latest" are filled in. Errors are ErrBadName with one sentence that says what is wrong.
func Normalize(ref string) (string, error) {
	r, err := Parse(ref)
	if err != nil {
		return "", err
	}
	return r.String(), nil
}

// Hide takes the credentials out of what somebody has written for an image name. No name may have any.
func Hide(s string) string {
	scheme, rest := "", s
	if i := strings.Index(s, "://"); i >= 0 {
		scheme, rest = s[:i+3], s[i+3:]
	}
	host, path, _ := strings.Cut(rest, "/")
	i := strings.LastIndexByte(host, '@')
	if i < 0 || !strings.Contains(rest, "/") {
		return s
	}
	return scheme + "***" + host[i:] + "/" + path
}

// Parse reads an image name in any form that Docker takes. Errors are ErrBadName.
func Parse(s string) (Reference, error) {
	if s == "" {
		return Reference{}, fault.BadNamef("image name is empty: give one such as busybox:1.36")
	}
	if len(s) == 64 && IsHex(s) {
		return Reference{}, fault.BadNamef("image name %q is 64 hexadecimal digits, which only an ID may be: write sha256:%s", s, s)
	}
	domain, rest := splitDomain(s)
	path, tag, digest := splitRemainder(rest)
	s = Hide(s)
	r := Reference{domain, path, tag, digest}
	if err := r.check(s); err != nil {
		return Reference{}, err
	}
	if strings.HasSuffix(rest, ":") || strings.HasSuffix(rest, "@") || strings.Contains(rest, ":@") {
		return Reference{}, fault.BadNamef("image name %q has an empty tag or digest: leave the separator out", s)
	}
	if r.Tag == "" && r.Digest == "" {
		r.Tag = "latest"
	}
	return r, nil
}

// splitDomain tells the registry from a Docker Hub name: the first component is a registry only when it has a dot or a
// port, is localhost, or has an upper-case letter, which no repository may have.
func splitDomain(s string) (domain, rest string) {
	first, after, slash := strings.Cut(s, "/")
	isDomain := strings.ContainsAny(first, ".:") || first == "localhost" || strings.ToLower(first) != first
	if !slash || !isDomain {
		first, after = "docker.io", s
	}
	if first == "index.docker.io" {
		first = "docker.io"
	}
	if first == "docker.io" && !strings.Contains(after, "/") {
		after = "library/" + after
	}
	return first, after
}

func splitRemainder(s string) (path, tag, digest string) {
	s, digest, _ = strings.Cut(s, "@")
	path, tag, _ = strings.Cut(s, ":")
	return path, tag, digest
}

func (r Reference) check(s string) error {
	if !validDomain(r.Domain) {
		return fault.BadNamef("image name %q has an invalid registry %q: write host, host:port or [IPv6]:port", s, strings.TrimSuffix(Hide(r.Domain+"/"), "/"))
	}
	if strings.ToLower(r.Path) != r.Path {
		return fault.BadNamef("image name %q: repository name (%s) must be lowercase", s, strings.TrimPrefix(r.Path, "library/"))
	}
	if !validPath(r.Path) {
		return fault.BadNamef("image name %q has an invalid repository: only a-z, 0-9 and single separators . _ - / between them", s)
	}
	if len(r.Path) > maxRepository {
		return fault.BadNamef("image name %q... is too long: a repository has at most %d characters", s[:40], maxRepository)
	}
	if r.Tag != "" && !validTag(r.Tag) {
		return fault.BadNamef("image name %q has an invalid tag: letters, digits, _ . - and at most %d characters", s, maxTag)
	}
	if r.Digest != "" && !ValidDigest(r.Digest) {
		return fault.BadNamef("image name %q has an invalid digest: write sha256: and 64 lower-case hexadecimal digits", s)
	}
	return nil
}
