package validate

import (
	"strings"
	"testing"
)

func TestImageFault(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	good := []string{
		"busybox", "busybox:1.36", "library/busybox:latest", "docker.io/library/busybox", "localhost/x", "localhost:5000/x/y:T_a-g.1",
		"registry.example.com:443/a/b__c/d-e---f/g.h_i:v1@sha256:" + hash, "x@sha256:" + hash, "sha256:" + hash, "[2001:db8::1]:5000/x", "[::1]/x",
		"Registry/x", "a/" + strings.Repeat("b", 253), "x:" + strings.Repeat("t", 128), "10.0.0.1/x", "k8s.gcr.io/pause:3.9",
	}
	for _, image := range good {
		if fault := imageFault(image); fault != "" {
			t.Errorf("%s: %s", image, fault)
		}
	}
	bad := map[string]string{
		"Busybox:ABC def":                   "repository name must be lowercase",
		"docker.io/Busybox":                 "repository name must be lowercase",
		"busybox:ABC def":                   "a tag has",
		"busybox:":                          "a tag has",
		"busybox:-x":                        "a tag has",
		"busybox:.x":                        "a tag has",
		"x:" + strings.Repeat("t", 129):     "a tag has",
		"x@sha256:" + hash[1:]:              "a digest is",
		"x@sha256:" + strings.ToUpper(hash): "a digest is",
		"x@":                                "a digest is",
		"x:1@md5:" + hash:                   "a digest is",
		"":                                  "a repository name",
		"/x":                                "a repository name",
		"x/":                                "a repository name",
		"x//y":                              "a repository name",
		"x y":                               "a repository name",
		"-x":                                "a repository name",
		"x-":                                "a repository name",
		"x..y":                              "a repository name",
		"x___y":                             "a repository name",
		"x._y":                              "a repository name",
		"h.io/x$":                           "a repository name",
		"http://h.io/x":                     "the registry must be",
		"h.io:port/x":                       "the registry must be",
		"-h.io/x":                           "the registry must be",
		"h..io/x":                           "the registry must be",
		"[::1]5000/x":                       "the registry must be",
		"[h.io]/x":                          "the registry must be",
		hash:                                "it is 64 hexadecimal digits",
		"a/" + strings.Repeat("b", 256):     "repository name must not be more",
	}
	for image, want := range bad {
		if fault := imageFault(image); !strings.HasPrefix(fault, want) {
			t.Errorf("%s: %q, want %q", image, fault, want)
		}
	}
}
