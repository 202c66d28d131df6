package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"podd/images/reference"
)

// ErrRejected: the policy, or a verifier, does not let the image run. It is wrapped by a sentence that says why.
var ErrRejected = errors.New("image rejected")

// Image is what a policy judges.
type Image struct {
	Name reference.Reference // as the pod names it
	// Digests of its manifest and of the indexes that led to it. Each was verified when the image came.
	Digests    []string
	Signatures []Signature
}

// Check says whether an image may run and who, among the keys that the policy names for it, has signed it. The error is
// ErrRejected.
func (p *Policy) Check(image Image) (signers []string, err error) {
	scope, list := p.requirements(image.Name)
	for _, r := range list {
		by, err := r.check(image)
		if err != nil {
			return nil, rejectf("image %s is not allowed by the policy (%s): %w", image.Name, scopeTitle(scope), err)
		}
		for _, name := range by {
			if !slices.Contains(signers, name) {
				signers = append(signers, name)
			}
		}
	}
	if len(list) == 0 {
		return nil, rejectf("image %s is not allowed: the policy has no requirement for it", image.Name)
	}
	return signers, nil
}

// NeedsSignature says that the policy asks for signatures of such an image, so that they have to be fetched.
func (p *Policy) NeedsSignature(name reference.Reference) bool {
	_, list := p.requirements(name)
	return slices.ContainsFunc(list, func(r requirement) bool { return r.kind == sigstoreSigned })
}

func scopeTitle(scope string) string {
	switch scope {
	case "default":
		return scope
	case "":
		return "default of the transport docker"
	}
	return "scope " + scope
}

func (r requirement) check(image Image) ([]string, error) {
	switch r.kind {
	case acceptAnything:
		return nil, nil
	case reject:
		return nil, errors.New("images of this scope are rejected")
	}
	return r.signedBy(image)
}

// signedBy demands one signature by one of the keys; reasons are of those that are by such a key, or else of all.
func (r requirement) signedBy(image Image) ([]string, error) {
	if len(image.Digests) == 0 {
		return nil, errors.New("a signature is required, and it came as a docker-archive, which has no manifest that could be signed: bring it as an OCI layout, or let it be pulled")
	}
	if len(image.Signatures) == 0 {
		return nil, errors.New("a signature is required, and there is none")
	}
	var signers []string
	var closer, reasons []error
	for _, s := range image.Signatures {
		by := r.author(s)
		if by == "" {
			reasons = append(reasons, errors.New("a signature is by none of the keys that count"))
			continue
		}
		if err := r.matches(image, s); err != nil {
			closer = append(closer, fmt.Errorf("a signature by %s does not count: %w", by, err))
			continue
		}
		signers = append(signers, by)
	}
	if len(signers) > 0 {
		return signers, nil
	}
	if len(closer) > 0 {
		reasons = closer
	}
	return nil, summary(reasons)
}

func (r requirement) author(s Signature) string {
	text := s.signed()
	for _, k := range r.keys {
		if k.verifies(text, s.Signature) {
			return k.name
		}
	}
	return ""
}

func (r requirement) matches(image Image, s Signature) error {
	c, err := s.claim()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(c.digests, func(d string) bool { return slices.Contains(image.Digests, d) }) {
		return fmt.Errorf("it is for %s, which is another image", clip(c.digests[0]))
	}
	return r.identity.accepts(image.Name, c.name)
}

// summary is one sentence of several reasons, each said once.
func summary(reasons []error) error {
	var said []string
	for _, r := range reasons {
		if !slices.Contains(said, r.Error()) && len(said) < 3 {
			said = append(said, r.Error())
		}
	}
	return errors.New(strings.Join(said, "; "))
}

// rejection is an ErrRejected whose text stands alone.
type rejection struct{ err error }

func (r *rejection) Error() string   { return r.err.Error() }
func (r *rejection) Unwrap() []error { return []error{ErrRejected, r.err} }

func rejectf(format string, args ...any) error { return &rejection{fmt.Errorf(format, args...)} }
