package trust

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestParsePolicyRefuses(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip(err)
	}
	agreed, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"/agreed": publicPEM(t, agreed.PublicKey()), "/certificate": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"/two":  append(publicPEM(t, newSigner(t, "k", "P-256").key.Public()), publicPEM(t, newSigner(t, "k", "P-256").key.Public())...),
		"/good": publicPEM(t, newSigner(t, "k", "P-256").key.Public()), "/weak": publicPEM(t, weak.Public()), "/text": []byte("hello"),
		"/private": []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"),
	}
	read := func(path string) ([]byte, error) {
		if data, ok := files[path]; ok {
			return data, nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	signed := func(more string) string {
		return `{"default": [{"type": "sigstoreSigned"` + more + `}]}`
	}
	for text, want := range map[string]string{
		`{`: "no valid JSON", `{}`: "default: it must have at least one requirement", `{"default": []}`: "default: it must have",
		`{"default": [{"type": "reject"}], "default": [{"type": "insecureAcceptAnything"}]}`: `key "default" is there twice`,
		`{"default": [{"type": "reject"}], "Default": [{"type": "insecureAcceptAnything"}]}`: `key "Default" must be written "default"`,
		`{"default": [{"type": "reject", "TYPE": "insecureAcceptAnything"}]}`:                `default[0]: key "TYPE" must be written "type"`,
		signed(`, "keyPath": "/good", "keypath": "/text"`):                                   `default[0]: key "keypath" must be written "keyPath"`,
		signed(`, "\u212aeyPath": "/good"`):                                                  `must be written "keyPath"`, // K of Kelvin, as Go folds
		signed(`, "keyPath": "/good", "SignedIdentity": {"type": "matchDigest"}`):            `must be written "signedIdentity"`,
		signed(`, "keyPath": "/good", "signedIdentity": {"Type": "matchDigest"}`):            `signedIdentity: key "Type" must be written "type"`,
		`{"default": [{"type": "reject"}], "defaults": []}`:                                  `unknown field "defaults"`,
		`{"default": [{"type": "reject", "keyPath": "/good"}]}`:                              `default[0]: it is not valid: unknown field "keyPath"`,
		`{"default": [{"type": "reject"}]} x`:                                                "something follows its end",
		`{"default": [{"type": "rejects"}]}`:                                                 `type "rejects" is not known`,
		`{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/good"}]}`:      "needs OpenPGP",
		signed(""): "exactly one of keyPath", signed(`, "keyPath": "/good", "keyData": "AAAA"`): "exactly one of keyPath",
		signed(`, "keyPaths": []`): "it names no key", signed(`, "keyPath": "/none"`): "cannot read the key: open /none",
		signed(`, "keyPath": "/weak"`): "key /weak: it has 1024 bits", signed(`, "keyPath": "/text"`): "key /text: it is no public key in PEM",
		signed(`, "keyPath": "/agreed"`): "neither ECDSA", signed(`, "keyPath": "/certificate"`): "it is a certificate", signed(`, "keyPath": "/two"`): "more than one PEM block",
		signed(`, "keyPath": "/good", "pki": {}`): "pki: podd", signed(`, "keyPath": "/good", "rekorPublicKeyPaths": ["/good"]`): "rekorPublicKeyPaths: podd",
		signed(`, "keyPath": "/good", "rekorPublicKeyData": "AAAA"`): "rekorPublicKeyData: podd", signed(`, "keyPath": "/good", "rekorPublicKeyDatas": ["AAAA"]`): "rekorPublicKeyDatas: podd",
		signed(`, "keyPath": "/good", "signedIdentity": null`): `signedIdentity.type "" is not known`, signed(`, "keyPath": "/good", "signedIdentity": {}`): `signedIdentity.type "" is not known`,
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "exactRepository", "dockerRepository": "a.b/x:1"}`): "must be a repository in full",
		signed(`, "keyPath": "/private"`):                                                                                                "give the PUBLIC KEY",
		signed(`, "keyPath": "/good", "rekorPublicKeyPath": "/good"`):                                                                    "rekorPublicKeyPath: podd verifies signatures by a key alone",
		signed(`, "fulcio": {}`):                                                                                                         "fulcio: podd verifies",
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "any"}`):                                                                `signedIdentity.type "any" is not known`,
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "matchRepository", "prefix": "x"}`):                                     "fields that matchRepository does not take",
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "exactReference", "dockerReference": "busybox"}`):                       "must be a name in full",
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "remapIdentity", "prefix": "a.b"}`):                                     "needs prefix and signedPrefix",
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "remapIdentity", "prefix": "library", "signedPrefix": "a.b"}`):          `signedIdentity.prefix "library" is no host`,
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "remapIdentity", "prefix": "a.b", "signedPrefix": "c.d/x:1"}`):          `signedIdentity.signedPrefix "c.d/x:1" is no host`,
		signed(`, "keyPath": "/good", "signedIdentity": {"type": "remapIdentity", "prefix": "a.b/", "signedPrefix": "c.d"}`):             `signedIdentity.prefix "a.b/" is no host`,
		`{"default": [{"type": "reject"}], "transports": {"docker": {"library/busybox": [{"type": "insecureAcceptAnything"}]}}}`:         "it must be in full",
		`{"default": [{"type": "reject"}], "transports": {"docker": {"a*.example.com": [{"type": "reject"}]}}}`:                          "a wildcard stands for subdomains",
		`{"default": [{"type": "reject"}], "transports": {"docker": {"example.com": [{"type": "reject"}], "example.com": []}}}`:          `key "example.com" is there twice`,
		`{"default": [{"type": "reject"}], "transports": {"docker": {"example.com": [{"type": "insecureAcceptAnything"}, {"type":1}]}}}`: `transports["docker"]["example.com"][1]`,
	} {
		if _, err := ParsePolicy([]byte(text), read); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{
		`{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker-daemon": {"": [{"type":"insecureAcceptAnything"}]}}}`,
		signed(`, "keyPaths": ["/good", "/good"]`), signed(fmt.Sprintf(`, "keyDatas": [%s]`, marshal(t, files["/good"]))),
	} {
		if _, err := ParsePolicy([]byte(text), read); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A scope that no image can be in would let run, by the default, what somebody believes that it rejects.
func TestScopesThatHoldNoImage(t *testing.T) {
	digest := "@" + digestOf("x")
	full, wild := "it must be in full", "a wildcard stands for subdomains"
	for scope, want := range map[string]string{
		"busybox": full, "library": full, "library/busybox": full, "team/app:1": full, "docker.io/busybox:1": full,
		"docker.io/busybox" + digest: full, "index.docker.io": full, "index.docker.io/library/busybox": full, "busybox:latest": full,
		"example.com/": "invalid repository", "https://example.com": "invalid", "example.com/A": "must be lowercase", " example.com": "invalid repository",
		"example.com/a:1" + digest: "leave one out", "example.com/a@sha256:12": "invalid digest", "example.com/a:": "empty tag",
		"*": wild, "*.": wild, "*example.com": wild, "a.*.com": wild, "*.*.com": wild, "*.example.com/a": wild, "*.example.com:x": wild, "example.com/*": wild,
	} {
		if err := checkScope(scope); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", scope, err, want)
		}
	}
	for _, scope := range []string{
		"", "docker.io", "docker.io/library", "docker.io/busybox", "docker.io/library/busybox", "docker.io/library/busybox:1", "docker.io/library/busybox" + digest,
		"localhost", "localhost/a", "localhost:5000", "localhost:5000/a:1", "example.com:5000/ns", "a.b/c/d/e", "10.0.0.1", "[::1]:5000/a", "*.com", "*.example.com:5000",
	} {
		if err := checkScope(scope); err != nil {
			t.Errorf("%q: %v", scope, err)
		}
	}
}

// Of all scopes that hold an image the most specific alone counts.
func TestTheMostSpecificScopeCounts(t *testing.T) {
	accept, refuse := `[{"type": "insecureAcceptAnything"}]`, `[{"type": "reject"}]`
	digest := digestOf("x")
	for scopes, names := range map[string][]string{ // names begin with + or -
		`"": ` + accept + `, "docker.io": ` + refuse:                                   {"+quay.io/a/b", "-busybox", "-docker.io/a/b:1"},
		`"docker.io/library/busybox": ` + accept + `, "docker.io/library": ` + refuse:  {"+busybox", "+busybox:1", "-alpine", "-busyboxes"},
		`"docker.io/library/busybox:1": ` + accept:                                     {"+busybox:1", "-busybox", "-busybox:10"},
		`"example.com/a@` + digest + `": ` + accept:                                    {"+example.com/a@" + digest, "+example.com/a:1@" + digest, "-example.com/a:1"},
		`"*.example.com": ` + accept + `, "bad.example.com": ` + refuse:                {"+a.example.com/x", "+a.b.example.com/x", "-bad.example.com/x", "-example.com/x"},
		`"": ` + accept + `, "*.example.com": ` + refuse:                               {"-a.example.com:5000/x", "-a.b.example.com:80/x", "+example.com:5000/x"},
		`"*.example.com:5000": ` + accept + `, "*.example.com": ` + refuse:             {"+a.example.com:5000/x", "-a.example.com/x", "-a.example.com:80/x"},
		`"*.com:5000": ` + accept + `, "*.example.com": ` + refuse:                     {"+a.com:5000/x", "-a.example.com:5000/x"},
		`"example.com:5000/ns": ` + accept:                                             {"+example.com:5000/ns/x", "-example.com/ns/x", "-example.com:5000/nsx/x"},
		`"example.com": [{"type": "insecureAcceptAnything"}, {"type": "reject"}]`:      {"-example.com/a"},
		`"example.com/a": [{"type": "reject"}], "example.com/a/b/c": ` + accept:        {"+example.com/a/b/c", "+example.com/a/b/c/d", "-example.com/a/b"},
		`"*.com": ` + accept + `, "*.example.com": ` + refuse:                          {"+a.com/x", "-x.example.com/x", "+example.com/y"},
		`"localhost:5000": ` + accept + `, "localhost:5000/refused:latest": ` + refuse: {"+localhost:5000/x", "-localhost:5000/refused", "+localhost:5000/refused:2"},
	} {
		p := policy(t, `{"default": [{"type": "reject"}], "transports": {"docker": {%s}}}`, scopes)
		for _, name := range names {
			_, err := p.Check(Image{Name: ref(t, name[1:])})
			if allowed := err == nil; allowed != (name[0] == '+') || err != nil && !errors.Is(err, ErrRejected) {
				t.Errorf("{%s}: %s: %v", scopes, name, err)
			}
		}
	}
	var none Policy
	if _, err := none.Check(Image{Name: ref(t, "a")}); !errors.Is(err, ErrRejected) {
		t.Error("the zero policy lets an image run")
	}
}
