package registry

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// hostsTOML is containerd's hosts.toml: a server, and hosts that are asked before it.
// https://github.com/containerd/containerd/blob/main/docs/hosts.md
type hostsTOML struct {
	Server string              `toml:"server"`
	Host   map[string]hostTOML `toml:"host"`
	hostTOML
}

type hostTOML struct {
	Capabilities []string       `toml:"capabilities"`
	CA           any            `toml:"ca"`     // a path, or several
	Client       any            `toml:"client"` // a path, several, or pairs of certificate and key
	SkipVerify   *bool          `toml:"skip_verify"`
	Header       map[string]any `toml:"header"` // a text, or several
	OverridePath bool           `toml:"override_path"`
	DialTimeout  string         `toml:"dial_timeout"`
}

// parseHostsTOML lists the hosts of a hosts.toml in their order, and the server after them. base is the endpoint without
// the file, and host whose images they are.
func parseHostsTOML(data []byte, folder, host string, base endpoint) ([]*endpoint, error) {
	file := filepath.Join(folder, "hosts.toml")
	var h hostsTOML
	meta, err := toml.Decode(string(data), &h)
	if err != nil {
		return nil, fmt.Errorf("%s is no valid TOML: %w", file, err)
	}
	for _, key := range meta.Undecoded() {
		return nil, fmt.Errorf("%s: the key %s is unknown: remove it", file, key)
	}
	var list []*endpoint
	for _, key := range meta.Keys() {
		if len(key) != 2 || key[0] != "host" {
			continue
		}
		c := h.Host[key[1]]
		e := base
		e.mirror = true
		if err := c.apply(&e, key[1], folder, file); err != nil {
			return nil, err
		}
		if c.can("pull") {
			list = append(list, &e)
		}
	}
	own := base
	server := h.Server
	if server == "" {
		server = base.base.String()
		h.OverridePath = true
	}
	if err := h.apply(&own, server, folder, file); err != nil {
		return nil, err
	}
	if h.can("pull") && !slices.ContainsFunc(list, func(e *endpoint) bool { return *e.base == *own.base }) {
		list = append(list, &own)
	}
	for _, e := range list {
		if e.base.Host != base.base.Host { // it may keep images of several registries
			e.query = url.Values{"ns": {host}}.Encode()
		}
	}
	return list, nil
}

// can says what a host is asked for: pull, resolve (a tag) or push; without a list, everything.
func (c hostTOML) can(capability string) bool {
	return len(c.Capabilities) == 0 || slices.ContainsFunc(c.Capabilities, func(s string) bool { return strings.EqualFold(s, capability) })
}

// apply gives an endpoint what the file says of one host.
func (c hostTOML) apply(e *endpoint, address, folder, file string) error {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s: %q is no address of a registry: write https://host", file, clip(address, 200))
	}
	for _, s := range c.Capabilities {
		if !slices.Contains([]string{"pull", "resolve", "push"}, strings.ToLower(s)) {
			return fmt.Errorf("%s: capabilities are pull, resolve and push, and not %q", file, clip(s, 50))
		}
	}
	e.digestsOnly = e.digestsOnly || !c.can("resolve")
	path := strings.TrimSuffix(u.Path, "/")
	if !c.OverridePath {
		path = strings.TrimSuffix(path, "/v2") + "/v2"
	}
	e.base = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}
	e.insecure = e.insecure || u.Scheme == "http" || c.SkipVerify != nil && *c.SkipVerify
	e.bare = u.Scheme == "http" && c.CA == nil && c.Client == nil && c.SkipVerify == nil
	for _, path := range texts(c.CA) {
		if err := e.addAuthority(below(folder, path)); err != nil {
			return err
		}
	}
	if err := c.addClients(e, folder, file); err != nil {
		return err
	}
	if c.DialTimeout != "" {
		if e.dial, err = time.ParseDuration(c.DialTimeout); err != nil {
			return fmt.Errorf("%s: dial_timeout must be a duration such as 10s, not %q", file, clip(c.DialTimeout, 50))
		}
	}
	for name, value := range c.Header {
		if e.header == nil {
			e.header = http.Header{}
		} else {
			e.header = e.header.Clone()
		}
		e.header[http.CanonicalHeaderKey(name)] = texts(value)
	}
	return nil
}

// addClients reads "client": one file with both certificate and key, several, or pairs.
func (c hostTOML) addClients(e *endpoint, folder, file string) error {
	list, ok := c.Client.([]any)
	if !ok && c.Client != nil {
		list = []any{c.Client}
	}
	for _, entry := range list {
		paths := texts(entry)
		switch len(paths) {
		case 1:
			paths = append(paths, paths[0])
		case 2:
		default:
			return fmt.Errorf("%s: client must name files, or pairs of certificate and key", file)
		}
		if paths[1] == "" {
			paths[1] = paths[0]
		}
		if err := e.addCertificate(below(folder, paths[0]), below(folder, paths[1])); err != nil {
			return err
		}
	}
	return nil
}

// texts reads a text or a list of them.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

func below(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}
