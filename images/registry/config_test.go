package registry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"podd/images/registry/registrytest"
)

func put(t *testing.T, path, text string, args ...any) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, fmt.Appendf(nil, text, args...), 0o700)); err != nil {
		t.Fatal(err)
	}
	return path
}

// endpointsOf lists where a name leads to, as far as it matters.
func endpointsOf(t *testing.T, h Hosts, name string) []string {
	t.Helper()
	r, err := ParseReference(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.endpoints(r)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range list {
		s := e.base.String() + "/" + e.repo
		if e.query != "" {
			s += "?" + e.query
		}
		if e.insecure {
			s += " insecure"
		}
		out = append(out, s)
	}
	return out
}

func TestRegistriesConf(t *testing.T) {
	conf := put(t, filepath.Join(t.TempDir(), "registries.conf"), `
unqualified-search-registries = ["first.example", "docker.io"]
[[registry]]
prefix = "docker.io"
location = "hub.example"
[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "*.corp.example"
location = "proxy.example/corp"
[[registry]]
location = "evil.example"
blocked = true
[[registry]]
prefix = "*.bad.example"
blocked = true
[[registry]]
location = "slash.example/"
blocked = true
[[registry]]
prefix = "evil.example/good"
location = "good.example/good"
[aliases]
"tool" = "quay.example/team/tool"
`)
	put(t, conf+".d/10-more.conf", "[aliases]\n\"late\" = \"quay.example/late\"\n\"gone\" = \"quay.example/gone\"\n\"hub\" = \"docker.io/busybox\"\n")
	put(t, conf+".d/20-less.conf", "[aliases]\n\"gone\" = \"\"\n")
	digest := "@sha256:" + strings.Repeat("0", 64)
	for name, want := range map[string][]string{
		"other.example/a/b:1":           {"https://other.example/v2/a/b"},
		"docker.io/library/tool:1":      {"https://quay.example/v2/team/tool"},
		"docker.io/library/late:1":      {"https://quay.example/v2/late"},
		"docker.io/library/gone:1":      {"https://first.example/v2/gone", "https://mirror.example:5000/v2/hub/library/gone insecure", "https://hub.example/v2/library/gone"},
		"docker.io/library/hub:1":       {"https://mirror.example:5000/v2/hub/library/busybox insecure", "https://hub.example/v2/library/busybox"},
		"docker.io/team/app:1":          {"https://first.example/v2/team/app", "https://mirror.example:5000/v2/hub/team/app insecure", "https://hub.example/v2/team/app"},
		"docker.io/team/app" + digest:   {"https://first.example/v2/team/app", "https://mirror.example:5000/v2/hub/team/app insecure", "https://digests.example/v2/team/app", "https://hub.example/v2/team/app"},
		"x.corp.example/a:1":            {"https://proxy.example/v2/corp/a"},
		"x.corp.example:5000/a:1":       {"https://proxy.example/v2/corp/a"},
		"corp.example/a:1":              {"https://corp.example/v2/a"},
		"x.bad.example:5000/a:1":        {"name at x.bad.example:5000: registries.conf blocks *.bad.example: use another image, or remove blocked = true"},
		"slash.example/a:1":             {"name at slash.example: registries.conf blocks slash.example: use another image, or remove blocked = true"},
		"evil.example/good/app:1":       {"https://good.example/v2/good/app"},
		"evil.example/goodish/app:1":    {"name at evil.example: registries.conf blocks evil.example: use another image, or remove blocked = true"},
		"localhost:5000/a:1":            {"https://localhost:5000/v2/a"},
		"registry-1.docker.io/team/a:1": {"https://registry-1.docker.io/v2/team/a"},
	} {
		if got := endpointsOf(t, Hosts{Registries: conf}, name); strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%s leads to\n%s, and not to\n%s", name, got, want)
		}
	}
	for written, want := range map[string]string{"team/app": "first.example/team/app", "docker.io/team/app": "hub.example/team/app", "index.docker.io/team/app": "hub.example/team/app"} {
		r := Reference{Domain: "docker.io", Path: "team/app", Tag: "1"}
		list, err := (&Hosts{Registries: conf}).places(r.Written(written))
		if err != nil || list[0].location != want && list[len(list)-1].location != want || written != "team/app" && len(list) != 3 {
			t.Errorf("%s leads to %+v: %v", written, list, err)
		}
	}
	for text, says := range map[string]string{
		"[[registry]\n": "TOML",
		"[[registry]]\nprefix=\"a.example\"\nx=1":                                   "x",
		"[aliases]\n\"a\" = \"b\"\n":                                                "must be a whole name",
		"[registries.search]\nregistries = []\n":                                    "old version 1",
		"[[registry]]\nprefix=\"*.a.example/x\"":                                    "a * stands before the name of a host alone",
		"[[registry]]\nprefix=\"*\"":                                                "a * stands before the name of a host alone",
		"[[registry]]\nprefix=\"a.*.example\"":                                      "a * stands before the name of a host alone",
		"[[registry]]\nlocation=\"http://a\"":                                       "write it without http://",
		"[[registry]]\nlocation=\"a\"\n[[registry.mirror]]\nlocation=\"https://b\"": "write it without http://",
	} {
		got := endpointsOf(t, Hosts{Registries: put(t, filepath.Join(t.TempDir(), "r.conf"), "%s", text)}, "a.example/b:1")
		if len(got) != 1 || !strings.Contains(got[0], says) || !strings.Contains(got[0], "r.conf") {
			t.Errorf("%q gives %v", text, got)
		}
	}
}

func TestHostsTOML(t *testing.T) {
	certs := t.TempDir()
	put(t, filepath.Join(certs, "a.example/hosts.toml"), `
server = "https://a.example"
[host."http://mirror.example:8080"]
capabilities = ["pull", "resolve"]
[host."https://push.example"]
capabilities = ["push"]
[host."https://path.example/prefix"]
override_path = true
`)
	put(t, filepath.Join(certs, "_default/hosts.toml"), `server = "https://all.example"`)
	put(t, filepath.Join(certs, "docker.io/hosts.toml"), `[host."https://near.example"]`)
	put(t, filepath.Join(certs, "alone.example/hosts.toml"), "capabilities = [\"push\"]\n[host.\"near.example\"]\ncapabilities = [\"Pull\", \"resolve\"]\n")
	put(t, filepath.Join(certs, "c.example/hosts.toml"), "[host.\"near.example\"]\ncapabilities = [\"pul\"]\n")
	put(t, filepath.Join(certs, "b.example_5000_/hosts.toml"), `[host."https://c.example"]
capabilities = ["pull"]
dial_timeout = "soon"
`)
	for name, want := range map[string][]string{
		"a.example/x:1":      {"http://mirror.example:8080/v2/x?ns=a.example insecure", "https://path.example/prefix/x?ns=a.example", "https://a.example/v2/x"},
		"a.example:5000/x:1": {"https://all.example/v2/x?ns=a.example%3A5000"}, // it is another registry
		"docker.io/team/x:1": {"https://near.example/v2/team/x?ns=docker.io", "https://registry-1.docker.io/v2/team/x"},
		"alone.example/x:1":  {"https://near.example/v2/x?ns=alone.example"},
		"c.example/x:1":      {filepath.Join(certs, "c.example/hosts.toml") + `: capabilities are pull, resolve and push, and not "pul"`},
		"other.example/x:1":  {"https://all.example/v2/x?ns=other.example"},
		"b.example:5000/x:1": {filepath.Join(certs, "b.example_5000_/hosts.toml") + `: dial_timeout must be a duration such as 10s, not "soon"`},
	} {
		if got := endpointsOf(t, Hosts{Certs: []string{certs}}, name); strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%s leads to\n%s, and not to\n%s", name, got, want)
		}
	}
}

// A folder that is for no registry in particular does not go before one that is, wherever both are.
func TestDefaultFolderComesLast(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	put(t, filepath.Join(first, "_default/hosts.toml"), `server = "https://first.example"`)
	put(t, filepath.Join(first, "both.example/hosts.toml"), `server = "https://both.example"`)
	put(t, filepath.Join(second, "both.example/hosts.toml"), `server = "https://never.example"`)
	put(t, filepath.Join(second, "_default/hosts.toml"), `server = "https://second.example"`)
	put(t, filepath.Join(second, "a.example_5000_/hosts.toml"), `server = "https://own.example"`)
	for name, want := range map[string]string{
		"a.example:5000/x:1": "https://own.example/v2/x?ns=a.example%3A5000", "both.example/x:1": "https://both.example/v2/x",
		"a.example/x:1": "https://first.example/v2/x?ns=a.example",
	} {
		if got := endpointsOf(t, Hosts{Certs: []string{first, second}}, name); strings.Join(got, ", ") != want {
			t.Errorf("%s leads to %s, and not to %s", name, got, want)
		}
	}
}

// A mirror that does not have an image, or is away, is passed over; credentials of the registry do not go to it.
func TestMirrorsAreAskedFirst(t *testing.T) {
	own, mirror := registrytest.New(), registrytest.New()
	own.User, own.Password = "u", "p"
	digest := own.Add(t, "team/app", "v1", simple())
	mirror.Add(t, "copy/team/app", "v2", simple())
	host, copies := own.Start(t), mirror.Start(t)
	conf := put(t, filepath.Join(t.TempDir(), "r.conf"), "[[registry]]\nlocation = %q\n[[registry.mirror]]\nlocation = \"127.0.0.1:1\"\n[[registry.mirror]]\nlocation = %q\n", host, copies+"/copy")
	c := &Client{Patience: impatient(), Hosts: Hosts{Registries: conf}, Node: entries(t, `{"auths":{"`+host+`":{"username":"u","password":"p"}}}`)}
	if img := open(t, c, ref(t, host, "team/app:v1"), nil); img.Host != host || img.Digest != digest {
		t.Errorf("it comes from %s", img.Host)
	}
	if img := open(t, c, ref(t, host, "team/app:v2"), nil); img.Host != copies || img.Used.Username != "" {
		t.Errorf("it comes from %s with %v", img.Host, img.Used)
	}
}

// A host with http:// in hosts.toml is asked with TLS only if the file has something to say of TLS, as by containerd: at
// the port of HTTPS there may be another service.
func TestPlainHostsAreNotAskedForTLS(t *testing.T) {
	reg := registrytest.New()
	digest := reg.Add(t, "app", "v1", simple())
	host := reg.Start(t)
	for more, want := range map[string]bool{"": false, "skip_verify = false\n": true, "skip_verify = true\n": true} {
		certs := t.TempDir()
		put(t, filepath.Join(certs, "a.example/hosts.toml"), "capabilities = [\"push\"]\n[host.\"http://%s\"]\n%s", host, more)
		var tls atomic.Int32
		c := &Client{Patience: impatient(), Hosts: Hosts{Certs: []string{certs}}, Proxy: func(u *url.URL) (*url.URL, error) {
			if u.Scheme == "https" {
				tls.Add(1)
			}
			return nil, nil
		}}
		if img := open(t, c, ref(t, "a.example", "app:v1"), nil); img.Digest != digest || tls.Load() > 0 != want {
			t.Errorf("with %q it is %s, and was asked with TLS %d times", more, img.Digest, tls.Load())
		}
	}
}

// What is said of a host without TLS that is away is not that it has none.
func TestPlainHostThatIsAway(t *testing.T) {
	certs := t.TempDir()
	put(t, filepath.Join(certs, "a.example/hosts.toml"), "capabilities = [\"push\"]\n[host.\"http://127.0.0.1:1\"]\n")
	c := &Client{Patience: impatient(), Hosts: Hosts{Certs: []string{certs}}}
	if _, err := c.Open(t.Context(), ref(t, "a.example", "app:v1"), nil, false); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
}

// A registry that is not where the specification has it need not answer there, and is told whose image is meant.
func TestOverridePath(t *testing.T) {
	for _, way := range []string{"basic", "bearer", "nobody answers at its root"} {
		reg := registrytest.New()
		reg.User, reg.Password, reg.Bearer = "u", "p", way == "bearer"
		digest := reg.Add(t, "app", "v1", simple())
		var asked []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/token" {
				rest, ok := strings.CutPrefix(r.URL.Path, "/api/docker")
				if !ok || way == "nobody answers at its root" && rest == "/" {
					http.NotFound(w, r)
					return
				}
				asked = append(asked, r.URL.Query().Get("ns"))
				r.URL.Path = "/v2" + rest
			}
			reg.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		host := strings.TrimPrefix(server.URL, "http://")
		certs := t.TempDir()
		put(t, filepath.Join(certs, "a.example/hosts.toml"), "capabilities = [\"push\"]\n[host.\"%s/api/docker\"]\noverride_path = true\n", server.URL)
		c := &Client{Patience: impatient(), Hosts: Hosts{Certs: []string{certs}}, Node: entries(t, `{"auths":{"`+host+`":{"username":"u","password":"p"}}}`)}
		if img := open(t, c, ref(t, "a.example", "app:v1"), nil); img.Digest != digest || img.Used.Username != "u" || asked[len(asked)-1] != "a.example" {
			t.Errorf("%s: it is %s, of %v", way, img.Digest, asked)
		}
	}
}

func TestCredentialHelpers(t *testing.T) {
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	put(t, filepath.Join(dir, "docker-credential-one"), "#!/bin/sh\necho \"$@ $(cat)\" >>%s\necho '{\"Username\":\"u\",\"Secret\":\"one\"}'\n", said)
	put(t, filepath.Join(dir, "docker-credential-store"), "#!/bin/sh\necho credentials not found in native keychain\nexit 1\n")
	put(t, filepath.Join(dir, "docker-credential-bad"), "#!/bin/sh\necho secret that is no JSON\n")
	put(t, filepath.Join(dir, "ecr"), `#!/bin/sh
grep -q '"image":"aws.example/x"' || exit 1
echo asked >>%s
echo '{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Registry","cacheDuration":"1h","auth":{"aws.example":{"username":"AWS","password":"'$WORD'"}}}'
`, said)
	file := put(t, filepath.Join(dir, "config.json"), `{"auths":{"plain.example":{"auth":"dTpw"}},"credHelpers":{"a.example":"one","b.example":"bad","c.example":"gone","d.example":"../one"},"credsStore":"store"}`)
	k := &NodeKeys{Files: []string{file, filepath.Join(dir, "none")}, HelperPath: []string{dir}, Plugins: &Plugins{Folder: dir, Providers: []Provider{{
		Name: "ecr", MatchImages: []string{"aws.example", "*.aws.example"}, APIVersion: "credentialprovider.kubelet.k8s.io/v1", Env: []string{"WORD=secret"},
	}}}}
	for repository, want := range map[string]string{
		"a.example/x": "u one", "b.example/x": "", "c.example/x": "", "d.example/x": "", "plain.example/x": "u p", "aws.example/x": "AWS secret", "other.example/x": "",
	} {
		var got []string
		for range 2 { // the second time a provider is not asked again
			got = nil
			for _, c := range k.Lookup(t.Context(), repository) {
				got = append(got, c.Username+" "+c.Password)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s has %q, and not %q", repository, got, want)
		}
	}
	text, err := os.ReadFile(said)
	if err != nil || strings.Count(string(text), "asked") != 1 || strings.Count(string(text), "get a.example") != 2 {
		t.Errorf("the programs were asked: %q, %v", text, err)
	}
}

// Certificates that are valid from a later day than the board's clock shows are a matter of the clock, if nobody has set it.
func TestClock(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	cert := &x509.Certificate{NotBefore: day(10), NotAfter: day(20)}
	for name, c := range map[string]struct {
		wall, floor time.Time
		set, clock  bool
	}{
		"1970":                        {time.Unix(0, 0), day(5), false, true},
		"1970, as the clock was set":  {time.Unix(0, 0), day(5), true, true}, // the floor says that it was not
		"the floor is late enough":    {time.Unix(0, 0), day(12), false, false},
		"nobody has set it":           {day(6), day(5), false, true},
		"it is set, and too early":    {day(6), day(5), true, false},
		"expired":                     {day(25), day(5), false, false},
		"expired for the floor alone": {time.Unix(0, 0), day(25), false, false},
	} {
		client := &Client{wall: func() time.Time { return c.wall }, Floor: func() time.Time { return c.floor }, Unsynchronized: func() bool { return !c.set }}
		if got := client.clockIsWrong(cert); got != c.clock {
			t.Errorf("%s: %t", name, got)
		}
		err := client.explain(HopConnect, "a.example", x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired})
		if errors.Is(err, ErrClock) != c.clock {
			t.Errorf("%s: %v", name, err)
		}
	}
	var all sync.WaitGroup
	shared := &Clock{}
	for range 2 { // the race detector looks on
		all.Go(func() { _ = shared.Floor() })
	}
	all.Wait()
	file := filepath.Join(t.TempDir(), "clock")
	clock := &Clock{File: file, built: day(1)}
	if got := clock.Floor(); !got.Equal(day(1)) {
		t.Errorf("without a file it is %v", got)
	}
	if err := clock.Advance(day(7)); err != nil || !clock.Floor().Equal(day(7)) {
		t.Errorf("%v, %v", clock.Floor(), err)
	}
	if err := clock.Advance(day(3)); err != nil || !clock.Floor().Equal(day(7)) {
		t.Errorf("time has run backwards: %v, %v", clock.Floor(), err)
	}
}

// A rate is held by counting what is paid for, and not by looking at a clock.
func TestRate(t *testing.T) {
	rate := int64(1 << 20)
	l := &limiter{rate: func() int64 { return rate }}
	p, err := l.ask(t.Context(), make([]byte, 1<<20))
	if err != nil || len(p) != 128<<10 {
		t.Fatalf("%d bytes at once: %v", len(p), err)
	}
	began := time.Now()
	for range 80 { // 10 MiB
		l.took(len(p))
	}
	if paid := l.next.Sub(began); paid < 10*time.Second || paid > 11*time.Second+time.Since(began) {
		t.Errorf("10 MiB are paid for in %v", paid)
	}
	rate = 0
	if p, err := l.ask(t.Context(), make([]byte, 1<<20)); err != nil || len(p) != 1<<20 {
		t.Errorf("without a rate: %d bytes, %v", len(p), err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-1": 0, "x": 0, "99999999": 24 * time.Hour,
		"Thu, 01 Jan 2026 00:01:00 GMT": time.Minute, "Thu, 01 Jan 2025 00:00:00 GMT": 0,
	} {
		if got := parseRetryAfter(text, now); got != want {
			t.Errorf("%q is %v", text, got)
		}
	}
}
