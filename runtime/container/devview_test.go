package container

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container/devview"
	"podd/runtime/container/spec"
)

// A container has the same /dev whether podd's init has made it or libcontainer's, and the host nothing of it.
func TestDevView(t *testing.T) {
	e, image := testEngine(t)
	dir := filepath.Join(t.TempDir(), "dev")
	for name, sc := range map[string]*corev1.SecurityContext{
		"confined":     nil,
		"no-new-privs": {AllowPrivilegeEscalation: new(bool)},
	} {
		e.Views.Dev = ""
		theirs := devOf(t, e, image, "theirs-"+name, sc)
		e.Views.Dev = dir
		if err := ensureView(dir, "devices"); err != nil {
			t.Fatal(err)
		}
		ours := devOf(t, e, image, "ours-"+name, sc)
		if !slices.Equal(theirs, ours) || len(ours) < 20 || !slices.Contains(ours, "stdin is null: /dev/null") {
			t.Errorf("%s, by libcontainer:\n%s\nby podd:\n%s", name, strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("the host has mounts at %s, %v", dir, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the host has files at %s: %v, %v", dir, entries, err)
	}
}

// podd makes /dev where it is every container's, and only there.
func TestUseDevView(t *testing.T) {
	other := func(change func(*specs.Spec)) *specs.Spec {
		s := &specs.Spec{Linux: &specs.Linux{}}
		s.Mounts = append([]specs.Mount{{Destination: "/proc", Type: "proc"}}, spec.DevMounts()...)
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/dev/shm", Type: "bind"})
		change(s)
		return s
	}
	for name, c := range map[string]struct {
		spec *specs.Spec
		want bool
	}{
		"every container's":         {other(func(*specs.Spec) {}), true},
		"no folder named dev":       {other(func(s *specs.Spec) { s.Mounts = s.Mounts[:1] }), false},
		"a volume at /dev/mqueue":   {other(func(s *specs.Spec) { s.Mounts = slices.Delete(s.Mounts, 3, 4) }), false},
		"a volume at /dev":          {other(func(s *specs.Spec) { s.Mounts[1].Type = "bind" }), false},
		"other options":             {other(func(s *specs.Spec) { s.Mounts[2].Options = []string{"nosuid"} }), false},
		"a device of the container": {other(func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/kvm"}} }), false},
	} {
		dir, v := t.TempDir(), &Views{Dev: "/run/podd/dev"}
		before := slices.Clone(c.spec.Mounts)
		if err := v.useDev(dir, &spec.Config{ID: "id"}, c.spec); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(dir, devview.File))
		if c.want {
			if i := len(before) - 2; err != nil || string(file) != v.Dev || len(c.spec.Mounts) != i {
				t.Errorf("%s: %q, %v, mounts %v", name, file, err, c.spec.Mounts)
			}
			if m := c.spec.Mounts[1]; m.Destination != "/dev" || m.Source != v.Dev || m.Type != "bind" || c.spec.Mounts[2].Destination != "/dev/shm" {
				t.Errorf("%s: mounts %v", name, c.spec.Mounts)
			}
			continue
		}
		if err == nil || !reflect.DeepEqual(before, c.spec.Mounts) {
			t.Errorf("%s: %q, mounts %v", name, file, c.spec.Mounts)
		}
	}
}

// devOf runs a container and lists its mounts at and below /dev, its files there, and where its stdin leads.
func devOf(t *testing.T, e *Engine, image spec.Image, id string, sc *corev1.SecurityContext) []string {
	t.Helper()
	out := t.TempDir()
	c := testConfig(image, id, "sh", "-c",
		"cat /proc/self/mountinfo > /out/mounts; cd /dev; ls -ln . | awk '{print $1,$2,$3,$4,$5,$6,$NF}' > /out/files; "+
			"for l in fd stdin stdout stderr ptmx core; do echo $l $(readlink $l); done >> /out/files; "+
			"stat -c '%n %a %u %g %t %T' * | grep -v '^fd ' >> /out/files; [ $(stat -L -c %d /dev/stdin) = $(stat -c %d null) ] && echo stdin is null: $(readlink /proc/self/fd/0) >> /out/files")
	c.SeccompDefault, c.Container.SecurityContext = true, sc
	c.Mounts = []spec.Mount{{Source: out, Destination: "/out"}}
	if status := runToEnd(t, e, c); status.Code != 0 {
		t.Fatalf("%+v", status)
	}
	var list []string
	for line := range strings.Lines(string(mustRead(t, filepath.Join(out, "mounts")))) {
		f := strings.Fields(line)
		if f[4] != "/dev" && !strings.HasPrefix(f[4], "/dev/") {
			continue
		}
		list = append(list, strings.Join(append(f[3:6:6], f[6:]...), " "))
	}
	for line := range strings.Lines(string(mustRead(t, filepath.Join(out, "files")))) {
		list = append(list, strings.TrimSpace(line))
	}
	slices.Sort(list)
	return list
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
