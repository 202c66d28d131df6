package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"podd/images/reference"
)

// signer makes signatures as cosign does.
type signer struct {
	key  crypto.Signer
	file string // of the public key
}

func publicPEM(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func newSigner(t testing.TB, name, kind string) signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "P-256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "RSA":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, publicPEM(t, key.Public()), 0o600); err != nil {
		t.Fatal(err)
	}
	return signer{key, file}
}

func (s signer) sign(t testing.TB, text []byte, hash crypto.Hash) []byte {
	t.Helper()
	digest := text
	if _, plain := s.key.(ed25519.PrivateKey); plain {
		hash = 0
	} else {
		h := hash.New()
		h.Write(text)
		digest = h.Sum(nil)
	}
	sig, err := s.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// classic is what `cosign sign --key` makes of an image.
func (s signer) classic(t testing.TB, name, digest string) Signature {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, name, digest)
	return Signature{simpleSigning, payload, s.sign(t, payload, crypto.SHA256)}
}

// bundle is what cosign makes since version 3.
func (s signer) bundle(t testing.TB, digest, predicate string) []byte {
	t.Helper()
	payload := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q,"predicate":{}}`, digest[len("sha256:"):], predicate)
	text := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(inToto), inToto, len(payload), payload)
	return fmt.Appendf(nil, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`,
		base64.StdEncoding.EncodeToString(payload), inToto, base64.StdEncoding.EncodeToString(s.sign(t, text, crypto.SHA256)))
}

func digestOf(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

func ref(t testing.TB, s string) reference.Reference {
	t.Helper()
	r, err := reference.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func policy(t testing.TB, text string, args ...any) *Policy {
	t.Helper()
	p, err := ParsePolicy(fmt.Appendf(nil, text, args...), os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// oneScope is a policy that rejects all but what a key has signed.
func oneScope(t testing.TB, scope, keyFile, identity string) *Policy {
	t.Helper()
	if identity != "" {
		identity = `, "signedIdentity": ` + identity
	}
	return policy(t, `{"default": [{"type": "reject"}], "transports": {"docker": {%q: [{"type": "sigstoreSigned", "keyPath": %q%s}]}}}`, scope, keyFile, identity)
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
