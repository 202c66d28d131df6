package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
)

// key is a public key and what people call it.
type key struct {
	name   string
	public crypto.PublicKey
}

// minRSA is what is still thought safe (NIST SP 800-131A).
const minRSA = 2048

// parseKey reads a public key in PEM as cosign and openssl write it.
func parseKey(data []byte, file string) (key, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return key{}, errors.New("it is no public key in PEM")
	}
	if other, _ := pem.Decode(rest); other != nil {
		return key{}, errors.New("it has more than one PEM block: give each key a file")
	}
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		return key{}, errors.New("it is a certificate: podd verifies by a bare public key, as in openssl x509 -pubkey -noout")
	default:
		return key{}, fmt.Errorf("it is a %q: give the PUBLIC KEY", block.Type)
	}
	if err != nil {
		return key{}, fmt.Errorf("it is no valid public key: %w", err)
	}
	switch public := public.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return key{}, fmt.Errorf("it has %d bits and an RSA key needs %d", public.N.BitLen(), minRSA)
		}
	default:
		return key{}, errors.New("it is neither ECDSA, Ed25519 nor RSA")
	}
	k := key{path.Base(file), public}
	if file == "" {
		sum := sha256.Sum256(block.Bytes)
		k.name = "sha256:" + hex.EncodeToString(sum[:6])
	}
	return k, nil
}

// verifies says that the owner of the key has signed the message.
func (k key) verifies(message, signature []byte) bool {
	sum := sha256.Sum256(message)
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(public, sum[:], signature) {
			return true
		}
		// Classic cosign hashes with SHA-256 whatever the curve is; what it signs by sigstore's registry of algorithms goes
		// with the curve's size.
		switch public.Curve.Params().BitSize {
		case 384:
			sum := sha512.Sum384(message)
			return ecdsa.VerifyASN1(public, sum[:], signature)
		case 521:
			sum := sha512.Sum512(message)
			return ecdsa.VerifyASN1(public, sum[:], signature)
		}
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}
