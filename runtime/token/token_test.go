package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

// verify checks a token with nothing but the published keys, as a neighbour would.
func verify(t *testing.T, token string, jwks []byte) map[string]any {
	t.Helper()
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	bytes := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	point := append(append([]byte{4}, bytes(set.Keys[0]["x"])...), bytes(set.Keys[0]["y"])...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature := bytes(parts[2])
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Fatal("the signature is not good")
	}
	var head, body map[string]any
	if json.Unmarshal(bytes(parts[0]), &head) != nil || json.Unmarshal(bytes(parts[1]), &body) != nil {
		t.Fatal("not JSON")
	}
	if head["kid"] != set.Keys[0]["kid"] || head["alg"] != "ES256" {
		t.Errorf("header %v", head)
	}
	return body
}

func TestSign(t *testing.T) {
	text, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	key, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := key.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	s := Subject{Namespace: "ns", Account: "robot", AccountUID: "u1", Pod: "web", PodUID: "u2", Node: "board", NodeUID: "u3"}
	for range 20 { // halves of a signature may be short
		signed, err := key.Sign("https://board", "vault", s, time.Unix(1000, 0), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		body := verify(t, signed, jwks)
		delete(body, "jti")
		got, _ := json.Marshal(body)
		const want = `{"aud":["vault"],"exp":4600,"iat":1000,"iss":"https://board","kubernetes.io":{"namespace":"ns","node":{"name":"board","uid":"u3"},` +
			`"pod":{"name":"web","uid":"u2"},"serviceaccount":{"name":"robot","uid":"u1"}},"nbf":1000,"sub":"system:serviceaccount:ns:robot"}`
		if string(got) != want {
			t.Fatalf("claims\n%s\nwant\n%s", got, want)
		}
	}
	if _, err := Parse([]byte("nonsense")); err == nil {
		t.Error("nonsense is a key")
	}
}
