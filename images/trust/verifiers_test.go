package trust

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func verifiers(t *testing.T, scripts ...string) Verifiers {
	t.Helper()
	v := Verifiers{Dir: t.TempDir(), Timeout: time.Minute}
	for i, text := range scripts {
		if err := os.WriteFile(filepath.Join(v.Dir, fmt.Sprintf("v%02d", i)), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func TestVerifiers(t *testing.T) {
	target := Target{"example.com/a:1", MediaTypeManifest, "sha256:00", 12}
	told := filepath.Join(t.TempDir(), "told")
	for want, v := range map[string]Verifiers{
		"": verifiers(t, `echo "$@" >`+told+`; cat >>`+told+`; echo fine`, "exit 0"),
		"verifier v01 rejected image (exit code 2): not by us":      verifiers(t, "exit 0", "echo not; echo by us; exit 2", "touch "+told+".never"),
		"the verifier v00: cannot run":                              {Dir: filepath.Dir(writeText(t, "v00", "no program"))},
		"cannot list the verifiers of images":                       {Dir: writeText(t, "file", "no folder")},
		"files and at most 10 verifiers":                            verifiers(t, make([]string, 11)...),
		"the verifier v00 has not answered within 50ms":             func() Verifiers { v := verifiers(t, "sleep 100"); v.Timeout = 50 * time.Millisecond; return v }(),
		"verifier v00 rejected image (exit code 137): killed it is": verifiers(t, "echo killed it is; kill -9 $$"),
	} {
		err := v.Verify(t.Context(), target)
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	text, err := os.ReadFile(told)
	if want := "-name example.com/a:1 -digest sha256:00 -stdin-media-type application/vnd.oci.descriptor.v1+json\n" +
		`{"digest":"sha256:00","mediaType":"application/vnd.oci.image.manifest.v1+json","size":12}` + "\n"; err != nil || string(text) != want {
		t.Errorf("told %q, %v", text, err)
	}
	if _, err := os.Stat(told + ".never"); err == nil {
		t.Error("a verifier was asked after one had rejected")
	}
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "none")} {
		if any, err := (Verifiers{Dir: dir}).Any(); any || err != nil {
			t.Errorf("%q: %v, %v", dir, any, err)
		}
		if err := (Verifiers{Dir: dir}).Verify(t.Context(), target); err != nil {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

func writeText(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
