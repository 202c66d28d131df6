package reference

import (
	"errors"
	"strings"
	"testing"

	"podd/images/fault"
)

const someHex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestNormalizeName(t *testing.T) {
	for in, want := range map[string]string{
		"busybox":                             "docker.io/library/busybox:latest",
		"busybox:1.36":                        "docker.io/library/busybox:1.36",
		"library/busybox":                     "docker.io/library/busybox:latest",
		"docker.io/busybox":                   "docker.io/library/busybox:latest",
		"index.docker.io/busybox":             "docker.io/library/busybox:latest",
		"index.docker.io/foo/bar:1":           "docker.io/foo/bar:1",
		"foo/bar":                             "docker.io/foo/bar:latest",
		"localhost/foo":                       "localhost/foo:latest",
		"localhost:5000/foo":                  "localhost:5000/foo:latest",
		"localhost:5000/foo:2":                "localhost:5000/foo:2",
		"host:5000":                           "docker.io/library/host:5000",
		"ghcr.io/a/b/c:v1.0-rc_1":             "ghcr.io/a/b/c:v1.0-rc_1",
		"Host/foo":                            "Host/foo:latest",
		"[::1]:5000/foo":                      "[::1]:5000/foo:latest",
		"[2001:db8::1]/foo/bar:x":             "[2001:db8::1]/foo/bar:x",
		"a__b/c-----d.e_f":                    "docker.io/a__b/c-----d.e_f:latest",
		"busybox@sha256:" + someHex:           "docker.io/library/busybox@sha256:" + someHex,
		"busybox:1@sha256:" + someHex:         "docker.io/library/busybox:1@sha256:" + someHex,
		"quay.io:443/x/y@sha256:" + someHex:   "quay.io:443/x/y@sha256:" + someHex,
		"a:_tag":                              "docker.io/library/a:_tag",
		"example.com/" + someHex:              "example.com/" + someHex + ":latest",
		"x:" + strings.Repeat("t", 128):       "docker.io/library/x:" + strings.Repeat("t", 128),
		"example.com:8080/" + "a/b:TAG.Upper": "example.com:8080/a/b:TAG.Upper",
	} {
		got, err := Normalize(in)
		if err != nil || got != want {
			t.Errorf("NormalizeName(%q) = %q, %v; want %q", in, got, err, want)
		}
		if again, err := Normalize(got); err != nil || again != got {
			t.Errorf("NormalizeName(%q) is not stable: %q, %v", got, again, err)
		}
	}
}

func TestNormalizeNameRefuses(t *testing.T) {
	for _, in := range []string{
		"", "Busybox", "busybox:", "busybox@", "busybox@sha256:12", "busybox@md5:" + someHex, ":tag", "/foo", "foo/",
		"foo//bar", "foo/../bar", "-foo", "foo-", "a___b", "a._b", "foo:a b", "foo:-x", "foo:.x", "foo bar", someHex,
		"x:" + strings.Repeat("t", 129), "example.com/" + strings.Repeat("a", 256), "ho_st:80/x", "host:port/x",
		"[::1/foo", "[1.2.3.4]/foo", "[::1%eth0]/foo", "docker.io/Library/x", "foo@sha256:" + strings.ToUpper(someHex),
		"busybox\n", "büsybox", "http://x/y", "a:b:c", "a@b@c", "-host.com/x", "host..com/x",
	} {
		got, err := Normalize(in)
		if err == nil {
			t.Errorf("NormalizeName(%q) = %q, want an error", in, got)
			continue
		}
		if !errors.Is(err, fault.ErrBadName) || strings.Contains(err.Error(), "\n") {
			t.Errorf("NormalizeName(%q): error %q is not one sentence of kind errBadName", in, err)
		}
	}
}

func FuzzNormalizeName(f *testing.F) {
	for _, s := range []string{"busybox", "a/b:c", "localhost:5000/x@sha256:" + someHex, "[::1]:1/x", "A/b", "a:", "a@", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Normalize(s)
		if err != nil {
			return
		}
		again, err := Normalize(got)
		if err != nil || again != got {
			t.Fatalf("%q → %q → %q, %v", s, got, again, err)
		}
		if strings.ContainsAny(got, " \t\n\x00") || strings.Contains(got, "..") {
			t.Fatalf("%q was accepted as %q", s, got)
		}
	})
}
