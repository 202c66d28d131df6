package seccomp

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	moby "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"podd/test/confined"
)

// What the probe finds in containers, on amd64 (TestConfinementAgainstGoldenFiles) and on arm64 (TestBoard of test/vm), is what
// the filter answers to the same calls, and the little that the kernel refuses by itself: nothing else stands between a
// container and the kernel. The files of arm64 are written here, and the board says whether they are true.
func TestGoldenFilesOfTheProbe(t *testing.T) {
	ordinary := []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP",
		"CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
	// A thread without no_new_privs and CAP_SYS_ADMIN may not restrict itself; one without CAP_SETGID may not set groups.
	restrict, groups := []string{"landlock_restrict_self"}, []string{"setgroups", "setgroups32"}
	top := filepath.Join("..", "..", "..", "test")
	for _, machine := range []struct {
		goarch, dir string
		sections    map[string]specs.Arch // of the golden file
		programs    map[string]string     // what looks around there is built for
	}{
		{"amd64", filepath.Join(top, "e2e", "security", "testdata", "confinement"), map[string]specs.Arch{"syscalls": specs.ArchX86_64, "syscalls 386": specs.ArchX86}, map[string]string{"syscalls": "amd64", "syscalls 386": "386"}},
		{"arm64", filepath.Join(top, "vm", "testdata", "confinement", "arm64"), map[string]specs.Arch{"syscalls": specs.ArchAARCH64, "syscalls arm": specs.ArchARM}, map[string]string{"syscalls": "arm64", "syscalls arm": "arm"}},
	} {
		for _, container := range []struct {
			name     string
			bounding []string
			itself   []string
		}{{"plain", ordinary, restrict}, {"users", ordinary, restrict}, {"restricted", nil, groups}} {
			p := runtimeDefaultOf(t, machine.goarch, container.bounding)
			list, err := abis(machine.goarch)
			if err != nil {
				t.Fatal(err)
			}
			p.Architectures = nil
			for _, a := range list {
				p.Architectures = append(p.Architectures, a.arch)
			}
			f, found := compile(t, p, machine.goarch), confined.Report{}
			for section, arch := range machine.sections {
				a := list[slices.IndexFunc(list, func(a abi) bool { return a.arch == arch })]
				numbers, all := a.numbers(), ^uint64(0)
				if section != "syscalls" {
					all = 1<<32 - 1
				}
				answers := map[string][]string{}
				for nr := range uint32(confined.Calls) {
					answer := spell(run(t, f, nr|a.bit, a.audit, [6]uint64{all, all, all, all, all, all}))
					if slices.ContainsFunc(container.itself, func(name string) bool { own, ok := numbers[name]; return ok && own == nr }) {
						answer = "EPERM"
					}
					if answer != "allow" && !slices.Contains(confined.Harmful[machine.programs[section]], uintptr(nr)) {
						answers[answer] = append(answers[answer], fmt.Sprint(nr))
					}
				}
				found[section] = []string{}
				for _, answer := range slices.Sorted(maps.Keys(answers)) {
					found[section] = append(found[section], answer+" "+strings.Join(answers[answer], " "))
				}
			}
			path := filepath.Join(machine.dir, container.name)
			if *update && machine.goarch != "amd64" {
				if err := os.WriteFile(path, []byte(found.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden := confined.Parse(string(data))
			for section := range machine.sections {
				want, got := golden.Refused(section), found.Refused(section)
				for _, call := range slices.Sorted(maps.Keys(got)) {
					// What is newer than the kernel that the file is of has no line there.
					var nr int
					if _, err := fmt.Sscanf(call, "ENOSYS %d", &nr); !want[call] && (err != nil || nr < 470) {
						t.Errorf("%s, %s, %s: the filter answers %s, and the probe found nothing of it", machine.goarch, container.name, section, call)
					}
				}
				for _, call := range slices.Sorted(maps.Keys(want)) {
					if !got[call] {
						t.Errorf("%s, %s, %s: the probe found %s, which is not the filter's", machine.goarch, container.name, section, call)
					}
				}
			}
		}
	}
}

// runtimeDefaultOf is runtimeDefault as a machine of another architecture makes it: some calls are allowed on some only.
func runtimeDefaultOf(t *testing.T, goarch string, bounding []string) *specs.LinuxSeccomp {
	t.Helper()
	profile := moby.DefaultProfile()
	profile.Syscalls = slices.DeleteFunc(profile.Syscalls, func(s *moby.Syscall) bool {
		return s.Includes != nil && len(s.Includes.Arches) > 0 && !slices.Contains(s.Includes.Arches, goarch) ||
			s.Excludes != nil && slices.Contains(s.Excludes.Arches, goarch)
	})
	for _, s := range profile.Syscalls {
		for _, f := range []*moby.Filter{s.Includes, s.Excludes} {
			if f != nil {
				f.Arches = nil
			}
		}
	}
	data, err := json.Marshal(profile)
	if err != nil {
		t.Fatal(err)
	}
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: bounding}}}
	p, err := moby.LoadProfile(string(data), spec)
	if err != nil {
		t.Fatal(err)
	}
	withoutVmsplice(p)
	if goarch == runtime.GOARCH {
		want, err := runtimeDefault(spec)
		if err != nil || !reflect.DeepEqual(p.Syscalls, want.Syscalls) {
			t.Fatalf("the profile of this machine is made in another way: %v", err)
		}
	}
	return p
}
