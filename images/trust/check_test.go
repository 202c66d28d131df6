package trust

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestKeysOfEachKind(t *testing.T) {
	digest := digestOf("image")
	for kind, hashes := range map[string][]crypto.Hash{
		"P-256": {crypto.SHA256}, "P-384": {crypto.SHA256, crypto.SHA384}, "P-521": {crypto.SHA256, crypto.SHA512}, "Ed25519": {0}, "RSA": {crypto.SHA256},
	} {
		owner, other := newSigner(t, "owner.pub", kind), newSigner(t, "other.pub", kind)
		p := oneScope(t, "example.com", owner.file, `{"type": "matchRepository"}`)
		for _, hash := range hashes {
			s := owner.classic(t, "example.com/a", digest)
			s.Signature = owner.sign(t, s.Payload, hash)
			image := Image{Name: ref(t, "example.com/a:1"), Digests: []string{digest}, Signatures: []Signature{other.classic(t, "example.com/a", digest), s}}
			if by, err := p.Check(image); err != nil || !slices.Equal(by, []string{"owner.pub"}) {
				t.Errorf("%s, %v: %v, %v", kind, hash, by, err)
			}
			for i := 0; i < len(s.Payload); i += 11 { // nothing of it may change
				bad := Signature{s.Type, slices.Clone(s.Payload), s.Signature}
				bad.Payload[i] ^= 1
				image.Signatures = []Signature{bad}
				if _, err := p.Check(image); !errors.Is(err, ErrRejected) {
					t.Fatalf("%s: with a changed payload: %v", kind, err)
				}
			}
		}
	}
}

// Of one requirement any of the keys will do; of several each has to be fulfilled.
func TestSeveralKeysAndRequirements(t *testing.T) {
	a, b, other := newSigner(t, "a.pub", "P-256"), newSigner(t, "b.pub", "Ed25519"), newSigner(t, "other.pub", "P-256")
	name, digest := "example.com/a:1", digestOf("image")
	either := fmt.Sprintf(`[{"type": "sigstoreSigned", "keyPaths": [%q, %q]}]`, a.file, b.file)
	both := fmt.Sprintf(`[{"type": "sigstoreSigned", "keyPath": %q}, {"type": "sigstoreSigned", "keyPath": %q}]`, a.file, b.file)
	for _, tt := range []struct {
		requirements string
		by           []signer
		want         string // the signers; "": it is rejected
	}{
		{either, []signer{a}, "a.pub"},
		{either, []signer{b}, "b.pub"},
		{either, []signer{other, b, a}, "b.pub a.pub"},
		{either, []signer{other}, ""},
		{both, []signer{a, b}, "a.pub b.pub"},
		{both, []signer{a}, ""},
		{both, []signer{b}, ""},
		{both, []signer{a, other}, ""},
	} {
		p := policy(t, `{"default": %s}`, tt.requirements)
		image := Image{Name: ref(t, name), Digests: []string{digest}}
		for _, s := range tt.by {
			image.Signatures = append(image.Signatures, s.classic(t, name, digest))
		}
		by, err := p.Check(image)
		if strings.Join(by, " ") != tt.want || (tt.want == "") != errors.Is(err, ErrRejected) {
			t.Errorf("%s, by %d: %v, %v", tt.requirements, len(tt.by), by, err)
		}
		if !p.NeedsSignature(image.Name) {
			t.Error("it is not known that signatures are needed")
		}
	}
}

// Without a signedIdentity a tag has to be the one that was signed, and a digest is enough for its repository.
func TestDefaultIdentity(t *testing.T) {
	owner, digest := newSigner(t, "owner.pub", "P-256"), digestOf("image")
	p := oneScope(t, "example.com", owner.file, "")
	for name, want := range map[string]bool{"example.com/a:1": true, "example.com/a:2": false, "example.com/a@" + digest: true, "example.com/b@" + digest: false} {
		if _, err := p.Check(Image{ref(t, name), []string{digest}, []Signature{owner.classic(t, "example.com/a:1", digest)}}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBundlesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		`{`: "no valid JSON", `{}`: "no sigstore bundle", `{"mediaType": "text/plain", "dsseEnvelope": {"signatures": [{"sig": "AA=="}]}}`: "no sigstore bundle",
		`{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "messageSignature": {}}`: "no DSSE envelope",
	} {
		if list, err := ofBundle([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || list != nil {
			t.Errorf("%s: %v, %v, want %q", text, list, err, want)
		}
	}
}

func TestCheckSaysWhy(t *testing.T) {
	owner, other := newSigner(t, "owner.pub", "P-256"), newSigner(t, "other.pub", "P-256")
	digest, index := digestOf("image"), digestOf("index")
	name := "example.com/team/app:1"
	bundle := func(s signer, digest, predicate string) Signature {
		list, err := ofBundle(s.bundle(t, digest, predicate))
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	says := func(payload string) Signature {
		return Signature{simpleSigning, []byte(payload), owner.sign(t, []byte(payload), crypto.SHA256)}
	}
	states := func(payload string) Signature {
		text := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(inToto), inToto, len(payload), payload)
		return Signature{inToto, []byte(payload), owner.sign(t, text, crypto.SHA256)}
	}
	statement := func(of, subject string) string {
		return fmt.Sprintf(`{"_type": %q, "predicateType": %q, "subject": [%s]}`, of, cosignPredicate, subject)
	}
	subject := fmt.Sprintf(`{"digest": {"sha256": %q}}`, strings.TrimPrefix(digest, "sha256:"))
	twice := string(owner.classic(t, name, digestOf("y")).Payload)
	good := string(owner.classic(t, name, digest).Payload)
	for what, tt := range map[string]struct {
		identity string
		digests  []string
		sigs     []Signature
		want     string // "": it runs
	}{
		"none":                   {"", []string{digest}, nil, "a signature is required, and there is none"},
		"a docker-archive":       {"", nil, []Signature{owner.classic(t, name, digest)}, "bring it as an OCI layout"},
		"exact":                  {"", []string{digest}, []Signature{owner.classic(t, name, digest)}, ""},
		"of the index":           {"", []string{digest, index}, []Signature{owner.classic(t, name, index)}, ""},
		"another tag":            {"", []string{digest}, []Signature{owner.classic(t, "example.com/team/app:2", digest)}, "it is for example.com/team/app:2 and not for example.com/team/app:1"},
		"cosign's":               {"", []string{digest}, []Signature{owner.classic(t, "example.com/team/app", digest)}, `set signedIdentity to {"type": "matchRepository"}`},
		"cosign's, allowed":      {`{"type": "matchRepository"}`, []string{digest}, []Signature{owner.classic(t, "example.com/team/app", digest)}, ""},
		"another repository":     {`{"type": "matchRepository"}`, []string{digest}, []Signature{owner.classic(t, "example.com/team/other", digest)}, "it is for the repository example.com/team/other and not"},
		"another image":          {`{"type": "matchRepository"}`, []string{digest}, []Signature{owner.classic(t, name, digestOf("y"))}, "which is another image"},
		"by another":             {"", []string{digest}, []Signature{other.classic(t, name, digest)}, "a signature is by none of the keys that count"},
		"a bundle":               {"", []string{digest}, []Signature{bundle(owner, digest, cosignPredicate)}, `set signedIdentity to {"type": "matchDigest"}`},
		"a bundle, allowed":      {`{"type": "matchDigest"}`, []string{digest}, []Signature{bundle(owner, digest, cosignPredicate)}, ""},
		"a bundle of another":    {`{"type": "matchDigest"}`, []string{digest}, []Signature{bundle(owner, digestOf("y"), cosignPredicate)}, "which is another image"},
		"a bundle by another":    {`{"type": "matchDigest"}`, []string{digest}, []Signature{bundle(other, digest, cosignPredicate)}, "none of the keys"},
		"an attestation":         {`{"type": "matchDigest"}`, []string{digest}, []Signature{bundle(owner, digest, "https://cyclonedx.org/bom")}, "it is an attestation (https://cyclonedx.org/bom) and no signature"},
		"a type that is no type": {`{"type": "matchDigest"}`, []string{digest}, []Signature{{"text/plain", []byte("x"), owner.sign(t, []byte("DSSEv1 10 text/plain 1 x"), crypto.SHA256)}}, "says nothing about an image"},
		"two critical parts":     {"", []string{digest}, []Signature{says(twice[:len(twice)-1] + "," + good[1:])}, `key "critical" is there twice`},
		"two but for the case":   {"", []string{digest}, []Signature{says(twice[:len(twice)-1] + "," + strings.Replace(good[1:], "critical", "Critical", 1))}, `key "Critical" must be written "critical"`},
		"of another purpose":     {"", []string{digest}, []Signature{says(strings.Replace(good, "cosign container", "some other", 1))}, `its payload is of the type "some other image signature"`},
		"without a digest":       {"", []string{digest, ""}, []Signature{owner.classic(t, name, "")}, "its payload names no digest"},
		"a statement":            {`{"type": "matchDigest"}`, []string{digest}, []Signature{states(statement("https://in-toto.io/Statement/v1", subject))}, ""},
		"no statement":           {`{"type": "matchDigest"}`, []string{digest}, []Signature{states(statement("https://example.com", subject))}, `its statement is of the type "https://example.com"`},
		"two subjects":           {`{"type": "matchDigest"}`, []string{digest}, []Signature{states(strings.Replace(statement("https://in-toto.io/Statement/v1", subject), "{", `{"subject": [], `, 1))}, `key "subject" is there twice`},
		"of nothing":             {`{"type": "matchDigest"}`, []string{digest}, []Signature{states(statement("https://in-toto.io/Statement/v1", ""))}, "its statement names no digest"},
		"of another hash":        {`{"type": "matchDigest"}`, []string{digest, "sha256:"}, []Signature{states(statement("https://in-toto.io/Statement/v1", strings.Replace(subject, "sha256", "sha1", 1)))}, "its statement names no digest"},
		"one good among bad":     {"", []string{digest}, []Signature{other.classic(t, name, digest), owner.classic(t, name, digestOf("z")), owner.classic(t, name, digest)}, ""},
	} {
		by, err := oneScope(t, "example.com/team", owner.file, tt.identity).Check(Image{ref(t, name), tt.digests, tt.sigs})
		switch {
		case tt.want == "" && (err != nil || len(by) != 1):
			t.Errorf("%s: %v, %v", what, by, err)
		case tt.want != "" && (!errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "image "+name+" is not allowed by the policy (scope example.com/team): ")):
			t.Errorf("%s: %v, want %q", what, err, tt.want)
		}
	}
}

// The table of containers-policy.json(5).
func TestIdentities(t *testing.T) {
	d := "@" + digestOf("x")
	for identity, cases := range map[string][][2]string{ // the image; the name in the signature, after + or -
		`{"type": "matchExact"}`:                                                            {{"a.b/x:1", "+a.b/x:1"}, {"a.b/x:1", "-a.b/x:2"}, {"a.b/x:1", "-a.b/x"}, {"a.b/x" + d, "-a.b/x:1"}, {"a.b/x" + d, "+a.b/x" + d}},
		`{"type": "matchRepoDigestOrExact"}`:                                                {{"a.b/x:1", "+a.b/x:1"}, {"a.b/x:1", "-a.b/x:2"}, {"a.b/x" + d, "+a.b/x:1"}, {"a.b/x" + d, "+a.b/x"}, {"a.b/x" + d, "-a.b/y"}, {"a.b/x:latest", "-a.b/x"}},
		`{"type": "matchRepository"}`:                                                       {{"a.b/x:1", "+a.b/x"}, {"a.b/x:1", "+a.b/x:7"}, {"a.b/x:1", "-a.b/x/y"}, {"busybox", "+index.docker.io/library/busybox"}, {"a.b/x", "-"}, {"a.b/x", "-A/%"}},
		`{"type": "exactReference", "dockerReference": "v.c/x:1"}`:                          {{"a.b/x:1", "+v.c/x:1"}, {"a.b/x:1", "-a.b/x:1"}, {"a.b/x:1", "-v.c/x"}},
		`{"type": "exactRepository", "dockerRepository": "v.c/x"}`:                          {{"a.b/x:1", "+v.c/x:3"}, {"a.b/x:1", "+v.c/x"}, {"a.b/x:1", "-a.b/x"}},
		`{"type": "remapIdentity", "prefix": "a.b/mirror", "signedPrefix": "vendor.com"}`:   {{"a.b/mirror/p/x:1", "+vendor.com/p/x:1"}, {"a.b/mirror/p/x:1", "-a.b/mirror/p/x:1"}, {"a.b/mirrors/x:1", "+a.b/mirrors/x:1"}, {"a.b/mirror/x" + d, "+vendor.com/x:9"}},
		`{"type": "remapIdentity", "prefix": "docker.io/library", "signedPrefix": "v.com"}`: {{"busybox:1", "+v.com/busybox:1"}, {"busybox:1", "-busybox:1"}},
		`{"type": "remapIdentity", "prefix": "a.b:5000", "signedPrefix": "docker.io"}`:      {{"a.b:5000/x:1", "+x:1"}, {"a.b/x:1", "-x:1"}},
		`{"type": "matchDigest"}`:                                                           {{"a.b/x:1", "+"}, {"a.b/x:1", "+c.d/y"}},
	} {
		i, err := parseIdentity([]byte(identity))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			err := i.accepts(ref(t, c[0]), c[1][1:])
			if (err == nil) != (c[1][0] == '+') {
				t.Errorf("%s: image %s, signature of %s: %v", identity, c[0], c[1], err)
			}
		}
	}
}

func TestMergeIsBounded(t *testing.T) {
	var list []Signature
	for i := range 100 {
		list = Merge(list, []Signature{{Type: "a", Payload: []byte{byte(i)}}, {Type: "a", Payload: []byte{byte(i)}}, {Payload: make([]byte, maxPayload+1)}})
	}
	if len(list) != maxSignatures {
		t.Errorf("%d", len(list))
	}
	if list = Merge(nil, []Signature{{Payload: make([]byte, maxPayload)}, {Payload: make([]byte, maxPayload+1)}}); len(list) != 1 {
		t.Errorf("%d of which one is too long", len(list))
	}
}
