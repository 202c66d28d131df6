package token

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func generate(t *testing.T) (*Key, []byte) {
	t.Helper()
	text, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	k, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

// What is no key of podd's says why, and makes none: a file may be damaged, or somebody else's.
func TestParseRefuses(t *testing.T) {
	encoded := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, good := generate(t)
	block, _ := pem.Decode(good)
	for _, c := range []struct {
		name string
		text []byte
		want string
	}{
		{"nothing", nil, "it is not PEM"},
		{"zeros", make([]byte, 4096), "it is not PEM"},
		{"cut short", good[:len(good)-30], "it is not PEM"},
		{"PEM of nothing", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"}), "it is not a private key: "},
		{"PEM that is cut short inside", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes[:len(block.Bytes)/2]}), "it is not a private key: "},
		{"another curve", encoded(p384), "it is not a key on the curve P-256"},
		{"another kind", encoded(edwards), "it is not a key on the curve P-256"},
		{"a key that does not sign", encoded(exchange), "it is not a key on the curve P-256"},
	} {
		if k, err := Parse(c.text); k != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", c.name, k, err)
		}
	}
}

// The name of a key is of its content: the same after a restart, and another for another key. RFC 7517, section 4.5
func TestKeyIDs(t *testing.T) {
	a, text := generate(t)
	again, err := Parse(text)
	if err != nil || again.id != a.id {
		t.Errorf("%s and then %s, %v", a.id, again.id, err)
	}
	b, _ := generate(t)
	if a.id == b.id {
		t.Error("two keys of one name")
	}
	sum, err := base64.RawURLEncoding.DecodeString(a.id)
	if err != nil || len(sum) != 32 {
		t.Errorf("%s is no SHA-256: %v", a.id, err)
	}
	// A token of one does not pass as one of the other.
	keys, err := b.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(keys, []byte(b.id)) || bytes.Contains(keys, []byte(a.id)) {
		t.Errorf("%s", keys)
	}
}

// Numbers of a point keep their leading zeros, or no verifier could read them: RFC 7518, section 6.2.1.2. One key in 128
// has one; and nothing private is published.
func TestPublishedKeys(t *testing.T) {
	for range 50 {
		k, _ := generate(t)
		data, err := k.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(data, &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%s: %v", data, err)
		}
		key := set.Keys[0]
		for _, half := range []string{"x", "y"} {
			if b, err := base64.RawURLEncoding.DecodeString(key[half]); err != nil || len(b) != 32 {
				t.Fatalf("%s is %d bytes, %v", half, len(b), err)
			}
			delete(key, half)
		}
		if got := fmt.Sprint(key); got != fmt.Sprint(map[string]string{"use": "sig", "kty": "EC", "kid": k.id, "alg": "ES256", "crv": "P-256"}) {
			t.Fatalf("%s", got)
		}
	}
}

// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata: what is required of a provider that only
// gives out tokens, as the API server says it.
func TestDiscovery(t *testing.T) {
	data, err := Discovery("https://board.example:8443")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id_token_signing_alg_values_supported":["ES256"],"issuer":"https://board.example:8443","jwks_uri":"https://board.example:8443/openid/v1/jwks",` +
		`"response_types_supported":["id_token"],"subject_types_supported":["public"]}`
	if string(data) != want {
		t.Errorf("%s", data)
	}
}

// Each token has an id of its own, and times in whole seconds: it is good from the second that it is made in.
func TestTokensDiffer(t *testing.T) {
	k, _ := generate(t)
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 100 {
		text, err := k.Sign("https://board", "a", Subject{Account: "é\"<", Namespace: "n"}, time.Unix(1000, 999999999), 10*time.Minute+time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var c claims
		if err := json.Unmarshal(body, &c); err != nil {
			t.Fatal(err)
		}
		if !uuid.MatchString(c.ID) || seen[c.ID] {
			t.Fatalf("id %q", c.ID)
		}
		seen[c.ID] = true
		if c.Issued != 1000 || c.NotBefore != 1000 || c.Expires != 1601 || c.Subject != "system:serviceaccount:n:é\"<" {
			t.Fatalf("%+v", c)
		}
	}
}
