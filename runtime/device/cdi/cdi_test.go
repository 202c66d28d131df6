package cdi

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `cdiVersion: "0.6.0"
kind: example.com/gpu
containerEdits: {env: [ALL=1]}
devices:
- name: "0"
  containerEdits: {env: [ONE=0], deviceNodes: [{path: /dev/gpu0, hostPath: /dev/null}]}
- name: "1"
  containerEdits: {env: [ONE=1], mounts: [{hostPath: /lib, containerPath: /gpu, options: [ro]}], additionalGids: [7]}
- name: all
  containerEdits: {}
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEdits(t *testing.T) {
	first := folder(t, map[string]string{"gpu.yaml": good, "readme.txt": "no spec"})
	second := folder(t, map[string]string{"gpu.json": `{"cdiVersion": "0.5.0", "kind": "example.com/gpu", "devices": [{"name": "1", "containerEdits": {"env": ["ONE=later"]}}]}`})
	s := Load([]string{first, second, filepath.Join(first, "none")})
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	if got := strings.Join(s.Kind("example.com/gpu"), " "); got != "example.com/gpu=0 example.com/gpu=1" {
		t.Errorf("devices %s", got)
	}
	e, err := s.Edits([]string{"example.com/gpu=0", "example.com/gpu=1", "example.com/gpu=0"})
	if err != nil || strings.Join(e.Env, " ") != "ALL=1 ONE=0 ONE=later" || len(e.DeviceNodes) != 1 || len(e.Mounts) != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	_, err = s.Edits([]string{"example.com/gpu=0", "example.com/gpu=9", "x/y=1"})
	if !errors.Is(err, ErrUnresolvable) || err.Error() != "CDI device injection failed: unresolvable CDI devices example.com/gpu=9, x/y=1: the specs of example.com/gpu have no device 9" {
		t.Errorf("%v", err)
	}
	// Two of one folder: nobody knows which is meant.
	both := Load([]string{folder(t, map[string]string{"a.yaml": good, "b.yaml": good})})
	for name, want := range map[string]string{
		"exampel.com/gpu=0": "no spec is of the kind exampel.com/gpu", "example.com/gp=0": "no spec is of the kind example.com/gp",
		"example.com/gpu": `"example.com/gpu" is not VENDOR/CLASS=NAME, such as example.com/gpu=0`, "=0": `"=0" is not VENDOR/CLASS=NAME, such as example.com/gpu=0`,
		"example.com/gpu=": `"example.com/gpu=" is not VENDOR/CLASS=NAME, such as example.com/gpu=0`,
	} {
		if _, err := s.Edits([]string{name}); err == nil || !strings.HasSuffix(err.Error(), "devices "+name+": "+want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if _, err := both.Edits([]string{"example.com/gpu=0"}); err == nil || !strings.HasSuffix(err.Error(), ": two files of a folder describe example.com/gpu=0") {
		t.Errorf("a device that is described twice: %v", err)
	}
	if _, err := both.Edits([]string{"example.com/gpu=0"}); !errors.Is(err, ErrUnresolvable) || len(both.Kind("example.com/gpu")) != 0 {
		t.Errorf("a device that is described twice: %v", err)
	}
}

// A file that cannot be used is left out, and the others count.
func TestBadSpecs(t *testing.T) {
	for text, want := range map[string]string{
		"nonsense":    "must consist of keys and values",
		"kind: a/b\n": "cdiVersion is missing",
		strings.Replace(good, "0.6.0", "9.0.0", 1):                                       `cdiVersion "9.0.0" is none that podd knows`,
		strings.Replace(good, "kind", "kin", 1):                                          "kin",
		strings.Replace(good, "example.com/gpu", "gpu", 1):                               "must be VENDOR/CLASS",
		strings.Replace(good, `"1"`, `"0"`, 1):                                           "is there twice",
		strings.Replace(good, "ONE=1", "ONE", 1):                                         "must be NAME=VALUE",
		strings.Replace(good, "/dev/gpu0", "gpu0", 1):                                    "path must begin with /",
		strings.Replace(good, "env: [ALL=1]", "intelRdt: {closID: x}", 1):                "podd does not set cache",
		strings.Replace(good, "env: [ALL=1]", "hooks: [{hookName: later, path: /x}]", 1): "must be a stage of OCI",
	} {
		s := Load([]string{folder(t, map[string]string{"bad.yaml": text, "good.yaml": strings.ReplaceAll(good, "example.com", "good.com")})})
		if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Error(), want) || !strings.Contains(s.Problems[0].Error(), "bad.yaml: ") {
			t.Errorf("%q: %v, want %q", text, s.Problems, want)
		}
		if len(s.Kind("good.com/gpu")) != 2 {
			t.Errorf("%q: the other file is left out, too", text)
		}
	}
}

func TestAnnotated(t *testing.T) {
	got := Annotated(map[string]string{"cdi.k8s.io/b": "x/y=2", "cdi.k8s.io/a": "x/y=0, x/y=1", "other": "x/y=3"})
	if strings.Join(got, " ") != "x/y=0 x/y=1 x/y=2" {
		t.Errorf("%v", got)
	}
}
