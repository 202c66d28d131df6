package trust

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What is read of one image's signatures at most.
const (
	maxSignatures = 64
	maxPayload    = 128 << 10 // of one signature, in bytes
)

// Signature is what somebody says about an image. Nothing of it is believed before Policy.Check.
type Signature struct {
	// Type is the media type of what is signed: that of cosign's payload, or the payloadType of a DSSE envelope.
	Type      string `json:"type"`
	Payload   []byte `json:"payload"`
	Signature []byte `json:"signature"`
}

// Media types and annotations of cosign (its specs/SIGNATURE_SPEC.md and BUNDLE_SPEC.md) and of in-toto.
const (
	simpleSigning       = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	artifactSignature   = "application/vnd.dev.cosign.artifact.sig.v1+json"
	bundlePrefix        = "application/vnd.dev.sigstore.bundle"
	inToto              = "application/vnd.in-toto+json"
	statementPrefix     = "https://in-toto.io/Statement/"
	cosignPredicate     = "https://sigstore.dev/cosign/sign/v1"
	cosignPayload       = "cosign container image signature"
)

// claim is what a signature says, once it is known to be genuine.
type claim struct {
	digests []string
	name    string // "": of no image in particular
}

// signed is the text that the key has signed.
func (s Signature) signed() []byte {
	if s.Type == simpleSigning {
		return s.Payload
	}
	// DSSE's pre-authentication encoding (secure-systems-lab/dsse, protocol.md).
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(s.Type), s.Type, len(s.Payload), s.Payload)
}

func (s Signature) claim() (claim, error) {
	switch s.Type {
	case simpleSigning:
		return cosignClaim(s.Payload)
	case inToto:
		return statementClaim(s.Payload)
	}
	return claim{}, fmt.Errorf("it is of the type %q, which says nothing about an image", clip(s.Type))
}

// cosignClaim reads the payload of a classic signature (containers-signature(5)).
func cosignClaim(payload []byte) (claim, error) {
	var doc struct {
		Critical struct {
			Type  string `json:"type"`
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
			Identity struct {
				Reference string `json:"docker-reference"`
			} `json:"identity"`
		} `json:"critical"`
		Optional json.RawMessage `json:"optional"`
	}
	if err := exact(payload, &doc); err != nil {
		return claim{}, err
	}
	if err := json.Unmarshal(payload, &doc); err != nil {
		return claim{}, fmt.Errorf("its payload is no valid JSON: %w", err)
	}
	if doc.Critical.Type != cosignPayload && doc.Critical.Type != cosignPredicate {
		return claim{}, fmt.Errorf("its payload is of the type %q", clip(doc.Critical.Type))
	}
	if doc.Critical.Image.Digest == "" {
		return claim{}, errors.New("its payload names no digest")
	}
	return claim{[]string{doc.Critical.Image.Digest}, doc.Critical.Identity.Reference}, nil
}

// statementClaim reads an in-toto statement. Statements of other predicates are attestations: somebody who scans an image
// for vulnerabilities signs what was found, which is no word for the image.
func statementClaim(payload []byte) (claim, error) {
	var doc struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := exact(payload, &doc); err != nil {
		return claim{}, err
	}
	if err := json.Unmarshal(payload, &doc); err != nil {
		return claim{}, fmt.Errorf("its statement is no valid JSON: %w", err)
	}
	if !strings.HasPrefix(doc.Type, statementPrefix) {
		return claim{}, fmt.Errorf("its statement is of the type %q", clip(doc.Type))
	}
	if doc.PredicateType != cosignPredicate {
		return claim{}, fmt.Errorf("it is an attestation (%s) and no signature", clip(doc.PredicateType))
	}
	var c claim
	for _, s := range doc.Subject {
		if hex := s.Digest["sha256"]; hex != "" {
			c.digests = append(c.digests, "sha256:"+hex)
		}
	}
	if len(c.digests) == 0 {
		return claim{}, errors.New("its statement names no digest")
	}
	return c, nil
}

// ofLayer is the signature in a layer of a classic signature's manifest.
func ofLayer(mediaType string, annotations map[string]string, blob []byte) (Signature, error) {
	if mediaType != simpleSigning {
		return Signature{}, fmt.Errorf("it is of the type %q", clip(mediaType))
	}
	sig, err := base64.StdEncoding.DecodeString(annotations[signatureAnnotation])
	if err != nil || len(sig) == 0 {
		return Signature{}, fmt.Errorf("it lacks the annotation %s", signatureAnnotation)
	}
	return Signature{simpleSigning, blob, sig}, nil
}

// ofBundle gives the signatures in a sigstore bundle (sigstore/protobuf-specs, sigstore_bundle.proto).
func ofBundle(blob []byte) ([]Signature, error) {
	var doc struct {
		MediaType    string `json:"mediaType"`
		DSSEEnvelope *struct {
			Payload     []byte `json:"payload"`
			PayloadType string `json:"payloadType"`
			Signatures  []struct {
				Sig []byte `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(blob, &doc); err != nil {
		return nil, fmt.Errorf("it is no valid JSON: %w", err)
	}
	if !strings.HasPrefix(doc.MediaType, bundlePrefix) {
		return nil, fmt.Errorf("it is of the type %q and no sigstore bundle", clip(doc.MediaType))
	}
	if doc.DSSEEnvelope == nil {
		return nil, errors.New("it has no DSSE envelope")
	}
	var out []Signature
	for _, s := range doc.DSSEEnvelope.Signatures {
		out = append(out, Signature{doc.DSSEEnvelope.PayloadType, doc.DSSEEnvelope.Payload, s.Sig})
	}
	return out, nil
}

// ofLookaside reads a file of a lookaside store; ok is false for one of GPG's.
func ofLookaside(blob []byte) (s Signature, ok bool, err error) {
	// containers write the format's name before all that is no GPG signature.
	rest, found := strings.CutPrefix(string(blob), "\x00sigstore-json\n")
	if !found {
		return Signature{}, false, nil
	}
	var doc struct {
		MIMEType    string            `json:"mimeType"`
		Payload     []byte            `json:"payload"`
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal([]byte(rest), &doc); err != nil {
		return Signature{}, false, fmt.Errorf("it is no valid JSON: %w", err)
	}
	s, err = ofLayer(doc.MIMEType, doc.Annotations, doc.Payload)
	return s, err == nil, err
}

// Merge adds the signatures that are not among those that there are, up to maxSignatures.
func Merge(have, more []Signature) []Signature {
	out := slices.Clone(have)
	for _, s := range more {
		known := slices.ContainsFunc(out, func(h Signature) bool {
			return h.Type == s.Type && string(h.Payload) == string(s.Payload) && string(h.Signature) == string(s.Signature)
		})
		if !known && len(out) < maxSignatures && len(s.Payload) <= maxPayload {
			out = append(out, s)
		}
	}
	return out
}
