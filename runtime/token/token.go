// Package token signs and describes the tokens by which a pod proves who it is: JSON Web Tokens (RFC 7519) with the
// claims of a Kubernetes service account, signed with ES256 (RFC 7518, section 3.4).
package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Key signs tokens.
type Key struct {
	private *ecdsa.PrivateKey
	id      string
}

// Generate makes a key, as PEM (PKCS #8).
func Generate() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Parse reads a key that Generate made.
func Parse(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it is not a private key: %w", err)
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("it is not a key on the curve P-256")
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("it has no public key: %w", err)
	}
	sum := sha256.Sum256(public)
	return &Key{private: key, id: encode(sum[:])}, nil
}

// Subject is whom a token is about.
type Subject struct {
	Namespace, Account, AccountUID string
	Pod, PodUID                    string
	Node, NodeUID                  string
}

type reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// claims are those of Kubernetes (KEP-1205, KEP-4193).
type claims struct {
	Audience   []string   `json:"aud"`
	Expires    int64      `json:"exp"`
	Issued     int64      `json:"iat"`
	Issuer     string     `json:"iss"`
	ID         string     `json:"jti"`
	Kubernetes kubernetes `json:"kubernetes.io"`
	NotBefore  int64      `json:"nbf"`
	Subject    string     `json:"sub"`
}

type kubernetes struct {
	Namespace string    `json:"namespace"`
	Node      reference `json:"node"`
	Pod       reference `json:"pod"`
	Account   reference `json:"serviceaccount"`
}

// Sign makes a token for an audience that is good from now on for life.
func (k *Key) Sign(issuer, audience string, s Subject, now time.Time, life time.Duration) (string, error) {
	head, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
	}{"ES256", k.id})
	if err != nil {
		return "", fmt.Errorf("cannot encode a token: %w", err)
	}
	body, err := json.Marshal(claims{
		Audience: []string{audience}, Issuer: issuer, ID: newID(), Subject: "system:serviceaccount:" + s.Namespace + ":" + s.Account,
		Issued: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(life).Unix(),
		Kubernetes: kubernetes{s.Namespace, reference{s.Node, s.NodeUID}, reference{s.Pod, s.PodUID}, reference{s.Account, s.AccountUID}},
	})
	if err != nil {
		return "", fmt.Errorf("cannot encode a token: %w", err)
	}
	text := encode(head) + "." + encode(body)
	sum := sha256.Sum256([]byte(text))
	r, t, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", fmt.Errorf("cannot sign a token: %w", err)
	}
	const size = 32 // bytes of each half
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	t.FillBytes(signature[size:])
	return text + "." + encode(signature), nil
}

// JWKS is the set of keys that verify tokens. RFC 7517
func (k *Key) JWKS() ([]byte, error) {
	public, err := k.private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, fmt.Errorf("cannot encode a key: %w", err)
	}
	half := (len(public) - 1) / 2
	return json.Marshal(map[string]any{"keys": []map[string]string{{
		"use": "sig", "kty": "EC", "kid": k.id, "alg": "ES256", "crv": "P-256",
		"x": encode(public[1 : 1+half]), "y": encode(public[1+half:]),
	}}})
}

// Discovery tells a verifier where the keys are. https://openid.net/specs/openid-connect-discovery-1_0.html
func Discovery(issuer string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"issuer": issuer, "jwks_uri": issuer + "/openid/v1/jwks", "response_types_supported": []string{"id_token"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
	})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
