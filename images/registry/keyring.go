package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Credential is what a registry is told about who asks. It is never printed: its String is empty of secrets.
type Credential struct {
	Username, Password string
	IdentityToken      string // an OAuth2 refresh token
	RegistryToken      string // a bearer token
	// Secret is the Secret that it comes from; the zero value: the node's own configuration.
	Secret SecretRef
}

// SecretRef names a Secret.
type SecretRef struct {
	Namespace, Name, UID string
}

// String keeps credentials out of logs.
func (c Credential) String() string {
	if c.Secret.Name != "" {
		return "credential of Secret " + c.Secret.Namespace + "/" + c.Secret.Name
	}
	return "credential of the node"
}

// GoString is String, for %#v.
func (c Credential) GoString() string { return c.String() }

func (c Credential) empty() bool {
	return c.Username == "" && c.Password == "" && c.IdentityToken == "" && c.RegistryToken == ""
}

// Hash tells credentials apart without telling them.
func (c Credential) Hash() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", c.Username, c.Password, c.IdentityToken, c.RegistryToken))
	return hex.EncodeToString(sum[:])
}

// Keyring gives the credentials that may fit an image, most specific first. An empty list: nobody has any.
type Keyring interface {
	Lookup(ctx context.Context, repository string) []Credential
}

// Keyrings asks several, one after the other.
type Keyrings []Keyring

// Lookup lists what all keyrings have.
func (k Keyrings) Lookup(ctx context.Context, repository string) []Credential {
	var list []Credential
	for _, ring := range k {
		if ring != nil {
			list = append(list, ring.Lookup(ctx, repository)...)
		}
	}
	return list
}

// Entries is a keyring of entries as in the "auths" of a Docker configuration: a registry, a path below one, or a pattern
// of hosts.
type Entries struct {
	keys  []string // the most specific first
	creds map[string][]Credential
}

// dockerEntry is an entry of "auths".
type dockerEntry struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

func (e dockerEntry) credential() (Credential, error) {
	c := Credential{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}
	if e.Auth == "" {
		return c, nil
	}
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(e.Auth), "="))
	if err != nil {
		return Credential{}, fmt.Errorf("its auth is no base64") // the text of err has a part of it
	}
	var ok bool
	if c.Username, c.Password, ok = strings.Cut(string(text), ":"); !ok {
		return Credential{}, fmt.Errorf("its auth is not the base64 of username:password")
	}
	// Docker pads passwords with zeroes.
	c.Password = strings.TrimRight(c.Password, "\x00")
	return c, nil
}

// AddDockerConfigJSON adds what is in a Secret of the type kubernetes.io/dockerconfigjson, or in a config.json of Docker or
// an auth.json of podman.
func (k *Entries) AddDockerConfigJSON(data []byte, from SecretRef) error {
	var file struct {
		Auths map[string]dockerEntry `json:"auths"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("it is no JSON of a Docker configuration")
	}
	return k.add(file.Auths, from)
}

// AddDockercfg adds what is in a Secret of the type kubernetes.io/dockercfg.
func (k *Entries) AddDockercfg(data []byte, from SecretRef) error {
	var entries map[string]dockerEntry
	if err := json.Unmarshal(data, &entries); err != nil {
		return fmt.Errorf("it is no JSON of a .dockercfg")
	}
	return k.add(entries, from)
}

func (k *Entries) add(entries map[string]dockerEntry, from SecretRef) error {
	var first error
	for where, e := range entries {
		c, err := e.credential()
		if err != nil {
			first = cmp.Or(first, fmt.Errorf("entry %q: %w", clip(where, 100), err))
			continue
		}
		if c.empty() {
			continue // a placeholder for a credential helper
		}
		c.Secret = from
		k.put(where, c)
	}
	return first
}

// put files a credential as the kubelet does: schemes and the versions of the API are no part of the key.
// kubernetes pkg/credentialprovider, BasicDockerKeyring.Add
func (k *Entries) put(where string, c Credential) {
	if !strings.HasPrefix(where, "https://") && !strings.HasPrefix(where, "http://") {
		where = "https://" + where
	}
	u, err := url.Parse(where)
	if err != nil {
		return
	}
	below := u.Path
	if strings.HasPrefix(below, "/v1/") || strings.HasPrefix(below, "/v2/") {
		below = below[3:]
	}
	key := u.Host
	if below != "" && below != "/" {
		key += below
	}
	if k.creds == nil {
		k.creds = map[string][]Credential{}
	}
	if k.creds[key] == nil {
		k.keys = append(k.keys, key)
		slices.Sort(k.keys)
		slices.Reverse(k.keys) // longer paths come before those that they begin with
	}
	k.creds[key] = append(k.creds[key], c)
}

// Lookup lists the credentials that fit; repository is host/path.
func (k *Entries) Lookup(_ context.Context, repository string) []Credential {
	var list []Credential
	for _, key := range k.keys {
		if matchesKey(key, repository) {
			list = append(list, k.creds[key]...)
		}
	}
	if host, _, _ := strings.Cut(repository, "/"); len(list) == 0 && host == "docker.io" {
		return k.creds["index.docker.io"]
	}
	return list
}

// matchesKey: each part of a host may be a pattern, ports are equal, and the key's path is the beginning of the image's.
// kubernetes pkg/credentialprovider, URLsMatch
func matchesKey(key, target string) bool {
	keyHost, keyPath, _ := strings.Cut(key, "/")
	host, below, _ := strings.Cut(target, "/")
	if !strings.HasPrefix(below, keyPath) {
		return false
	}
	keyParts, keyPort := splitHost(keyHost)
	parts, port := splitHost(host)
	if keyPort != port || len(keyParts) != len(parts) {
		return false
	}
	for i := range parts {
		if ok, err := path.Match(keyParts[i], parts[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

func splitHost(s string) (parts []string, port string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, ""
	}
	return strings.Split(host, "."), port
}
