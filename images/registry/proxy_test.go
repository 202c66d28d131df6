package registry

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"podd/images/imagetest"
	"podd/images/registry/registrytest"
)

// proxy is an HTTP proxy that knows the way to names that nobody else knows.
type proxy struct {
	user, password string            // that it asks for; "": nothing
	way            map[string]string // from host:port to host:port
	mu             sync.Mutex
	asked          []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.password)); p.user != "" && r.Header.Get("Proxy-Authorization") != want {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	to := p.way[r.Host]
	if to == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if r.Method != http.MethodConnect {
		(&httputil.ReverseProxy{Rewrite: func(out *httputil.ProxyRequest) { out.Out.URL.Host = to }}).ServeHTTP(w, r)
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	near, come, err := http.NewResponseController(w).Hijack() // the server may have read a byte already
	if err != nil {
		return
	}
	go func() {
		defer near.Close()
		_, _ = io.Copy(near, far)
	}()
	defer far.Close()
	_, _ = io.Copy(far, come)
}

func (p *proxy) took() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := strings.Join(p.asked, ", ")
	p.asked = nil
	return list
}

// A registry behind a proxy is reached with CONNECT, and where it has no certificate with plain requests; layers come
// the same way. The proxy sees nothing of the credentials of one with TLS, and a proxy that does not lead on is called by its name.
func TestProxies(t *testing.T) {
	reg := registrytest.New()
	reg.User, reg.Password = "bob", "geheim"
	digest := reg.Add(t, "app", "v1", simple())
	secure := httptest.NewTLSServer(reg) // whose certificate is for example.com
	t.Cleanup(secure.Close)
	plain := reg.Start(t)
	p := &proxy{way: map[string]string{"example.com:443": strings.TrimPrefix(secure.URL, "https://"), "plain.example:80": plain, "plain.example": plain}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	at := strings.TrimPrefix(server.URL, "http://")
	certs := t.TempDir()
	put(t, filepath.Join(certs, "example.com", "ca.crt"), "%s", pemOf("CERTIFICATE", secure.Certificate().Raw))
	conf := put(t, filepath.Join(t.TempDir(), "registries.conf"), "[[registry]]\nlocation = \"plain.example\"\ninsecure = true\n")
	keys := entries(t, `{"auths":{"example.com":{"username":"bob","password":"geheim"},"plain.example":{"username":"bob","password":"geheim"}}}`)
	client := func(address string) *Client {
		patience := impatient()
		patience.Tries = 1
		return &Client{Patience: patience, Node: keys, Hosts: Hosts{Registries: conf, Certs: []string{certs}}, Proxy: func(*url.URL) (*url.URL, error) { return url.Parse(address) }}
	}
	for host, want := range map[string]string{"example.com": "CONNECT example.com:443", "plain.example": "GET plain.example"} {
		img := open(t, client("http://"+at), ref(t, host, "app:v1"), nil)
		if img.Digest != digest || img.Used.Username != "bob" {
			t.Errorf("it is %s, with %v", img.Digest, img.Used)
		}
		if got := p.took(); !strings.Contains(got, want) || strings.Contains(got, "GET") != strings.Contains(want, "GET") {
			t.Errorf("the proxy was asked for %s", got)
		}
		body, err := img.Layer(context.Background(), digest, 0) // the registry has each document as a blob, too
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(body); err != nil || imagetest.Digest(data) != digest || p.took() == "" && strings.HasPrefix(want, "GET") {
			t.Errorf("%s gives %d bytes of a blob: %v", host, len(data), err)
		}
		_ = body.Close()
	}
	p.user, p.password = "us", "verborgen"
	open(t, client("http://us:verborgen@"+at), ref(t, "example.com", "app:v1"), nil)
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, c := range map[string]struct{ address, host, want string }{
		"a wrong password":                {"http://us:verborgen1@" + at, "example.com", "connect at example.com: the proxy " + at + " answers 407 Proxy Authentication Required: give the proxy's user"},
		"a wrong password, without TLS":   {"http://us:verborgen1@" + at, "plain.example", "connect at plain.example: its proxy answers 407 Proxy Authentication Required: give the proxy's user"},
		"a way that the proxy forbids":    {"http://us:verborgen@" + at, "other.example", "connect at other.example: the proxy " + at + " answers 403 Forbidden: check httpsProxy"},
		"a proxy that is away":            {strings.Replace(closed.URL, "//", "//us:verborgen1@", 1), "example.com", "connect at example.com: proxyconnect tcp: dial tcp"},
		"an address that cannot be read":  {"http://us:verborgen1@bad host:1", "example.com", "connect at example.com: the address of its proxy is none: it must be http://"},
		"an address of some other scheme": {"gopher://us:verborgen1@" + at, "example.com", "connect at example.com: the proxy " + at},
	} {
		_, err := client(c.address).Open(context.Background(), ref(t, c.host, "app:v1"), nil, false)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "verborgen") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// socks is a SOCKS5 proxy with user and password (RFC 1928, RFC 1929), which looks up names itself.
func (p *proxy) socks(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	text := func() string { // a length, and so many bytes
		n, _ := r.ReadByte()
		b := make([]byte, n)
		_, _ = io.ReadFull(r, b)
		return string(b)
	}
	_, _ = r.ReadByte()
	text() // the ways to say who one is
	_, _ = conn.Write([]byte{5, 2})
	_, _ = r.ReadByte()
	if user, password := text(), text(); user != p.user || password != p.password {
		_, _ = conn.Write([]byte{1, 1})
		return
	}
	_, _ = conn.Write([]byte{1, 0})
	_, _ = r.Discard(4) // version, connect, reserved, a name
	host := text()
	var port [2]byte
	_, _ = io.ReadFull(r, port[:])
	asked := fmt.Sprintf("%s:%d", host, binary.BigEndian.Uint16(port[:]))
	p.mu.Lock()
	p.asked = append(p.asked, "SOCKS "+asked)
	p.mu.Unlock()
	far, err := net.Dial("tcp", p.way[asked])
	if err != nil {
		_, _ = conn.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0}) // not allowed
		return
	}
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() {
		defer conn.Close()
		_, _ = io.Copy(conn, far)
	}()
	defer far.Close()
	_, _ = io.Copy(far, r)
}

// A proxy may be reached with TLS itself, and may be one of SOCKS5.
func TestOtherProxies(t *testing.T) {
	reg := registrytest.New()
	digest := reg.Add(t, "app", "v1", simple())
	secure := httptest.NewTLSServer(reg)
	t.Cleanup(secure.Close)
	p := &proxy{user: "us", password: "verborgen", way: map[string]string{"example.com:443": strings.TrimPrefix(secure.URL, "https://")}}
	withTLS := httptest.NewTLSServer(p) // of the same authority
	t.Cleanup(withTLS.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.socks(conn)
		}
	}()
	certs := t.TempDir()
	put(t, filepath.Join(certs, "example.com", "ca.crt"), "%s", pemOf("CERTIFICATE", secure.Certificate().Raw))
	at := strings.TrimPrefix(withTLS.URL, "https://")
	for _, c := range []struct{ address, host, asked, wrong string }{
		{"https://us:verborgen@" + at, "example.com", "CONNECT example.com:443", ""},
		{"https://us:verborgen1@" + at, "example.com", "", "connect at example.com: the proxy " + at + " answers 407"},
		{"socks5://us:verborgen@" + l.Addr().String(), "example.com", "SOCKS example.com:443", ""},
		{"socks5h://us:verborgen@" + l.Addr().String(), "example.com", "SOCKS example.com:443", ""},
		{"socks5://us:verborgen1@" + l.Addr().String(), "example.com", "", "connect at example.com: "},
		{"socks5://us:verborgen@" + l.Addr().String(), "other.example", "", "connect at other.example: "},
	} {
		patience := impatient()
		patience.Tries = 1
		client := &Client{Patience: patience, Hosts: Hosts{Certs: []string{certs}}, Proxy: func(*url.URL) (*url.URL, error) { return url.Parse(c.address) }}
		img, err := client.Open(context.Background(), ref(t, c.host, "app:v1"), nil, false)
		if c.wrong != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.wrong) || strings.Contains(err.Error(), "verborgen") {
				t.Errorf("by %s: %v", c.address, err)
			}
			continue
		}
		if err != nil || img.Digest != digest || !strings.Contains(p.took(), c.asked) {
			t.Errorf("by %s: %v", c.address, err)
		}
	}
}
