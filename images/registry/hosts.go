package registry

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Hosts is what the machine's owner says about registries: where a name comes from, and whom to believe.
type Hosts struct {
	// Registries is a registries.conf (version 2); a folder of the same name with ".d" adds to it. "": there is none.
	Registries string
	// Certs are folders with one folder a host: hosts.toml of containerd, or ca.crt, *.cert and *.key of Docker and podman.
	Certs []string
}

// endpoint is one place that an image may come from.
type endpoint struct {
	base   *url.URL // with the path before the repository: https://host/v2
	repo   string   // below base
	mirror bool
	// digestsOnly and tagsOnly say what a mirror is asked for.
	digestsOnly, tagsOnly bool
	insecure              bool // no certificate is checked, and plain HTTP is allowed, as it is always to this machine itself
	bare                  bool // nobody has said anything of TLS, which is not tried
	roots                 *x509.CertPool
	certificates          []tls.Certificate
	header                http.Header
	dial                  time.Duration // of a connection; 0: as Patience has it
	query                 string        // of each request
}

// name is how messages call it.
func (e *endpoint) name() string { return e.base.Host }

// location is what credentials are looked up for.
func (e *endpoint) location() string {
	host := e.base.Host
	if host == "registry-1.docker.io" {
		host = "docker.io"
	}
	return host + "/" + e.repo
}

// endpoints lists where an image may come from, in the order of asking.
func (h *Hosts) endpoints(ref Reference) ([]*endpoint, error) {
	places, err := h.places(ref)
	if err != nil {
		return nil, err
	}
	var list []*endpoint
	for _, p := range places {
		more, err := h.hostsOf(p)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return slices.DeleteFunc(list, func(e *endpoint) bool {
		return e.digestsOnly && ref.Digest == "" || e.tagsOnly && ref.Digest != ""
	}), nil
}

// place is a repository that registries.conf leads to.
type place struct {
	location              string // host[:port]/path
	insecure              bool
	mirror                bool
	digestsOnly, tagsOnly bool
}

// hostsOf asks the folders of certificates about the host of a place.
func (h *Hosts) hostsOf(p place) ([]*endpoint, error) {
	host, repo, _ := strings.Cut(p.location, "/")
	base := endpoint{
		repo: repo, mirror: p.mirror, digestsOnly: p.digestsOnly, tagsOnly: p.tagsOnly, insecure: p.insecure,
		base: &url.URL{Scheme: "https", Host: host, Path: "/v2"},
	}
	if host == "docker.io" || host == "index.docker.io" {
		base.base.Host = "registry-1.docker.io" // which Docker Hub's index.docker.io only stands for
	}
	if folder, ok := findHostFolder(h.Certs, host); ok {
		data, err := os.ReadFile(filepath.Join(folder, "hosts.toml"))
		if err == nil {
			return parseHostsTOML(data, folder, host, base)
		}
		if !os.IsNotExist(err) {
			return nil, fmt.Errorf("cannot read the configuration of the registry %s: %w", host, err)
		}
		if err := base.loadCertificates(folder); err != nil {
			return nil, err
		}
	}
	return []*endpoint{&base}, nil
}

// findHostFolder finds the folder of a host: host:port or containerd's host_port_ in the first directory that has it, or else
// the first _default.
func findHostFolder(dirs []string, host string) (string, bool) {
	names := []string{host}
	if name, port, err := net.SplitHostPort(host); err == nil {
		names = append(names, name+"_"+port+"_", name+":"+port)
	}
	exact := slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, "/") || name == ".." || name == "" })
	for _, names := range [][]string{exact, {"_default"}} {
		for _, dir := range dirs {
			for _, name := range names {
				path := filepath.Join(dir, name)
				if st, err := os.Stat(path); err == nil && st.IsDir() {
					return path, true
				}
			}
		}
	}
	return "", false
}

// loadCertificates reads the files of Docker's and podman's certs.d: *.crt are authorities, *.cert with *.key client
// certificates.
func (e *endpoint) loadCertificates(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("cannot read certificates: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		switch filepath.Ext(entry.Name()) {
		case ".crt":
			if err := e.addAuthority(path); err != nil {
				return err
			}
		case ".cert":
			key := strings.TrimSuffix(path, ".cert") + ".key"
			if err := e.addCertificate(path, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *endpoint) addAuthority(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read the authority of a registry: %w", err)
	}
	if e.roots == nil {
		if e.roots, err = x509.SystemCertPool(); err != nil {
			e.roots = x509.NewCertPool()
		}
	}
	if !e.roots.AppendCertsFromPEM(data) {
		return fmt.Errorf("there is no certificate in %s: it must be PEM", path)
	}
	return nil
}

func (e *endpoint) addCertificate(cert, key string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("cannot use the client certificate %s with the key %s: %w", cert, key, err)
	}
	e.certificates = append(e.certificates, pair)
	return nil
}

// isLoopback says of host[:port] that it is this machine itself.
func isLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if name == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}
