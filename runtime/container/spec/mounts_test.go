package spec

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

// The options are those of the OCI's and containerd's mounts: private but for mountPropagation, rro for recursiveReadOnly.
func TestVolumeMount(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		m       Mount
		want    []string
		at, src string
	}{
		{"plain", Mount{Source: "/s", Destination: "/d"}, []string{"rbind", "rprivate"}, "/d", "/s"},
		{"None", Mount{Destination: "/d", Propagation: corev1.MountPropagationNone}, []string{"rbind", "rprivate"}, "/d", ""},
		{"HostToContainer", Mount{Destination: "/d", Propagation: corev1.MountPropagationHostToContainer}, []string{"rbind", "rslave"}, "/d", ""},
		{"Bidirectional", Mount{Destination: "/d", Propagation: corev1.MountPropagationBidirectional}, []string{"rbind", "rshared"}, "/d", ""},
		{"read-only", Mount{Destination: "/d", ReadOnly: true}, []string{"rbind", "rprivate", "ro"}, "/d", ""},
		{"recursively", Mount{Destination: "/d", ReadOnly: true, Recursive: true}, []string{"rbind", "rprivate", "rro"}, "/d", ""},
		{"recursively, and not read-only", Mount{Destination: "/d", Recursive: true}, []string{"rbind", "rprivate"}, "/d", ""},
		{"ids of the pod", Mount{Destination: "/d", Mapped: true}, []string{"rbind", "rprivate", "idmap"}, "/d", ""},
		{
			"all of it",
			Mount{Destination: "/d", ReadOnly: true, Mapped: true, Options: []string{"nodev", "noexec"}},
			[]string{"rbind", "rprivate", "ro", "idmap", "nodev", "noexec"},
			"/d", "",
		},
		{"relative", Mount{Destination: "d/e"}, []string{"rbind", "rprivate"}, "/d/e", ""},
		{"not clean", Mount{Destination: "/d//e/../f/"}, []string{"rbind", "rprivate"}, "/d/f", ""},
		{"above the root", Mount{Destination: "../../etc"}, []string{"rbind", "rprivate"}, "/etc", ""},
	} {
		got := tc.m.spec()
		if got.Type != "bind" || got.Destination != tc.at || got.Source != tc.src || !slices.Equal(got.Options, tc.want) {
			t.Errorf("%s: %+v, want %v at %s", tc.name, got, tc.want, tc.at)
		}
	}
}

func destinations(list []specs.Mount) (at []string) {
	for _, m := range list {
		at = append(at, m.Destination)
	}
	return at
}

// A volume at the place of something that every container has replaces it, and one over /dev all that would be in it.
func TestVolumesReplaceMounts(t *testing.T) {
	t.Parallel()
	sandbox := Sandbox{HostsFile: "/r/hosts", HostnameFile: "/r/hostname", ResolvFile: "/r/resolv.conf", ShmDir: "/r/shm"}
	system := []string{"/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys", "/sys/fs/cgroup"}
	files := []string{"/dev/shm", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/log"}
	for _, tc := range []struct {
		name    string
		volumes []string
		gone    []string // of the system's and the sandbox's
	}{
		{"none", nil, nil},
		{"elsewhere", []string{"/data"}, nil},
		{"hosts", []string{"/etc/hosts"}, []string{"/etc/hosts"}},
		{"hosts, relative", []string{"etc/hosts/"}, []string{"/etc/hosts"}},
		{"shm", []string{"/dev/shm"}, []string{"/dev/shm"}},
		{"dev", []string{"/dev"}, []string{"/dev", "/dev/pts", "/dev/mqueue", "/dev/shm"}},
		{"begins like dev", []string{"/dev2"}, nil},
		{"cgroup", []string{"/sys/fs/cgroup"}, []string{"/sys/fs/cgroup"}},
		{"etc keeps what lies in it", []string{"/etc"}, nil},
		{"termination log", []string{"/log"}, []string{"/log"}},
	} {
		c := &Config{Sandbox: sandbox, TerminationLog: "/r/log", Container: &corev1.Container{TerminationMessagePath: "/log"}}
		for _, v := range tc.volumes {
			c.Mounts = append(c.Mounts, Mount{Source: "/volume", Destination: v})
		}
		var want []string
		for _, at := range slices.Concat(system, files) {
			if !slices.Contains(tc.gone, at) {
				want = append(want, at)
			}
		}
		got := systemMounts(c, false)
		have := slices.DeleteFunc(slices.Clone(got), func(m specs.Mount) bool { return m.Source == "/volume" })
		if at := destinations(have); !slices.Equal(slices.Sorted(slices.Values(at)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: %v, want %v", tc.name, at, want)
		}
		if len(got)-len(have) != len(tc.volumes) {
			t.Errorf("%s: the volumes are at %v", tc.name, destinations(got))
		}
	}
}

// What holds the place of another mount is mounted before it, whatever the order of the manifest; those that do not, in it.
func TestMountsNest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	parts := []string{"a", "b", "etc"}
	for range 300 {
		c := &Config{Container: &corev1.Container{}, Sandbox: Sandbox{HostsFile: "/r/hosts"}}
		for i := range 1 + random.IntN(6) {
			var at []string
			for range 1 + random.IntN(4) {
				at = append(at, parts[random.IntN(len(parts))])
			}
			c.Mounts = append(c.Mounts, Mount{Source: fmt.Sprint(i), Destination: strings.Join(at, "/")})
		}
		got := destinations(placed(c))
		for i, at := range got {
			for _, later := range got[i+1:] {
				if strings.HasPrefix(at, later+"/") {
					t.Fatalf("%s is mounted before %s, which covers it: %v", at, later, got)
				}
			}
		}
		var order []string
		for _, m := range placed(c) {
			if path.Dir(m.Destination) == "/a" {
				order = append(order, m.Source)
			}
		}
		if !slices.IsSorted(order) {
			t.Fatalf("side by side they are mounted as %v, not in the manifest's order", order)
		}
	}
}

// The sandbox's files are written to by the container unless its root is read-only; podd's own files never are.
func TestFileMounts(t *testing.T) {
	t.Parallel()
	c := &Config{
		Container: &corev1.Container{TerminationMessagePath: "/log"}, TerminationLog: "/r/log",
		Sandbox: Sandbox{HostsFile: "/r/hosts", ResolvFile: "/r/resolv", ShmDir: "/r/shm"},
		Files:   map[string]string{"/z": "/r/z", "/b": "/r/b", "/none": ""},
	}
	isRO := func(m specs.Mount) bool { return slices.Contains(m.Options, "ro") }
	for _, readOnly := range []bool{false, true} {
		c.Container.SecurityContext = &corev1.SecurityContext{ReadOnlyRootFilesystem: &readOnly}
		list := fileMounts(c)
		if at := destinations(list); !slices.Equal(at, []string{"/dev/shm", "/etc/hosts", "/etc/resolv.conf", "/log", "/b", "/z"}) {
			t.Fatalf("files at %v", at)
		}
		for _, m := range list {
			want := readOnly
			switch m.Destination {
			case "/dev/shm", "/log":
				want = false
			case "/b", "/z":
				want = true
			}
			if isRO(m) != want || m.Type != "bind" {
				t.Errorf("root read-only %t: %+v", readOnly, m)
			}
		}
	}
}

// The kernel's file systems can be written to by privileged containers only, and never hold programs.
func TestSystemMountsOptions(t *testing.T) {
	t.Parallel()
	for _, privileged := range []bool{false, true} {
		for _, m := range systemMounts(&Config{Container: &corev1.Container{}}, privileged) {
			readOnly := slices.Contains(m.Options, "ro")
			if want := !privileged && strings.HasPrefix(m.Destination, "/sys"); readOnly != want {
				t.Errorf("privileged %t: %s is read-only: %t", privileged, m.Destination, readOnly)
			}
			if !slices.Contains(m.Options, "nosuid") || !slices.Contains(m.Options, "noexec") {
				t.Errorf("%s: %v", m.Destination, m.Options)
			}
		}
	}
}

func TestRootPropagation(t *testing.T) {
	t.Parallel()
	none, slave, shared := Mount{Propagation: corev1.MountPropagationNone}, Mount{Propagation: corev1.MountPropagationHostToContainer}, Mount{Propagation: corev1.MountPropagationBidirectional}
	for _, tc := range []struct {
		name   string
		mounts []Mount
		want   string
	}{
		{"no mounts", nil, ""},
		{"private", []Mount{{}, none}, ""},
		{"slave", []Mount{none, slave, none}, "rslave"},
		{"shared", []Mount{none, shared}, "rshared"},
		{"both", []Mount{slave, shared}, "rshared"},
		{"both, the other way round", []Mount{shared, slave}, "rshared"},
	} {
		if got := rootPropagation(tc.mounts); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// What would come through a mount is known from the table of mounts; the sentences are containerd's.
func TestCheckPropagation(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	point, optional, err := mountOf(folder)
	if err != nil {
		t.Fatal(err)
	}
	shared, slave := strings.Contains(optional, "shared:"), strings.Contains(optional, "master:")
	both, down := fmt.Sprintf("path %q is mounted on %q but it is not a shared mount", folder, point), fmt.Sprintf("path %q is mounted on %q but it is not a shared or slave mount", folder, point)
	if shared {
		both, down = "", ""
	} else if slave {
		down = ""
	}
	for _, tc := range []struct {
		mode corev1.MountPropagationMode
		want string
	}{{"", ""}, {corev1.MountPropagationNone, ""}, {corev1.MountPropagationBidirectional, both}, {corev1.MountPropagationHostToContainer, down}} {
		if got := errorText(CheckPropagation([]Mount{{Source: "/none"}, {Source: folder, Propagation: tc.mode}})); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.mode, got, tc.want)
		}
	}
	gone := folder + "/gone"
	if got := errorText(CheckPropagation([]Mount{{Source: gone, Propagation: corev1.MountPropagationBidirectional}})); !strings.HasPrefix(got, "cannot find a volume: ") || !strings.Contains(got, gone) {
		t.Errorf("a volume that is not there: %q", got)
	}
}

// Every mount point is on itself, and so is what lies directly in it. Others may mount and unmount meanwhile: what the table
// does not have before and after is not judged.
func TestMountOfEveryMountPoint(t *testing.T) {
	t.Parallel()
	found := map[string]string{}
	places := func() map[string]bool {
		table, err := mountinfo.GetMounts(nil)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]bool{}
		for _, m := range table {
			all[m.Mountpoint] = true
		}
		return all
	}
	for place := range places() {
		for _, at := range []string{place, path.Join(place, "no such name")} {
			if point, _, err := mountOf(at); err != nil || point != place {
				found[place] = fmt.Sprintf("%s is on %q, %v", at, point, err)
			}
		}
	}
	left := places()
	for place, what := range found {
		if left[place] {
			t.Error(what)
		}
	}
}

func TestMounts(t *testing.T) {
	t.Parallel()
	c := &corev1.Container{VolumeMounts: []corev1.VolumeMount{{Name: "a", MountPath: "/b"}}, VolumeDevices: []corev1.VolumeDevice{{Name: "d"}}}
	for name, want := range map[string]bool{"a": true, "/b": false, "": false, "A": false, "d": false} {
		if got := Mounts(c, name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}
