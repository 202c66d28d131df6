package spec

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

// builds makes the specification of a container with these changes.
func builds(t *testing.T, change func(c *Config)) *specs.Spec {
	t.Helper()
	c := &Config{ID: "id", Pod: &corev1.Pod{}, Image: Image{Entrypoint: []string{"/app"}}, Container: &corev1.Container{Name: "c"}}
	change(c)
	before := *c
	s, err := Build(c, Identity{UID: 7, GID: 8, Groups: []int{8, 9}}, "/root")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, *c) {
		t.Error("the configuration was changed")
	}
	return s
}

func TestBuildRefusesNoCommand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*Config{
		"nothing":          {},
		"empty lists":      {Image: Image{Entrypoint: []string{}, Cmd: []string{}}},
		"an empty name":    {Image: Image{Entrypoint: []string{"", "arg"}}},
		"an empty command": {Container: &corev1.Container{Name: "c", Image: "img", Command: []string{""}}, Image: Image{Entrypoint: []string{"/app"}}},
		"of a variable":    {Container: &corev1.Container{Name: "c", Image: "img", Command: []string{"$(E)"}, Env: []corev1.EnvVar{{Name: "E"}}}},
	} {
		c.Pod = &corev1.Pod{}
		if c.Container == nil {
			c.Container = &corev1.Container{Name: "c", Image: "img"}
		}
		const want = `container cannot be configured: container "c" has no command: neither the manifest nor image "img" names one`
		if _, err := Build(c, Identity{}, "/root"); !errors.Is(err, ErrConfig) || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	// args alone are a command.
	s := builds(t, func(c *Config) { c.Image.Entrypoint, c.Container.Args = nil, []string{"/bin/true"} })
	if !slices.Equal(s.Process.Args, []string{"/bin/true"}) {
		t.Errorf("args %q", s.Process.Args)
	}
}

func TestBuildProcess(t *testing.T) {
	t.Parallel()
	s := builds(t, func(c *Config) {
		c.Container.TTY, c.OOMScoreAdj, c.NoNewPrivileges = true, ptr(-997), true
		c.Sandbox.CgroupPath = "/podd/pod1"
	})
	p := s.Process
	if !p.Terminal || *p.OOMScoreAdj != -997 || !p.NoNewPrivileges || s.Linux.CgroupsPath != "/podd/pod1/id" {
		t.Errorf("process %+v in %s", p, s.Linux.CgroupsPath)
	}
	if p.User.UID != 7 || p.User.GID != 8 || !slices.Equal(p.User.AdditionalGids, []uint32{8, 9}) || *p.User.Umask != 0o022 {
		t.Errorf("user %+v", p.User)
	}
	if s.Root.Path != "/root" || s.Root.Readonly {
		t.Errorf("root %+v", s.Root)
	}
	// The last ID of 32 bits arrives as what it is.
	if got := gids([]int{0, maxID}); !slices.Equal(got, []uint32{0, 1<<32 - 2}) {
		t.Errorf("groups %v", got)
	}
}

func TestWorkingDir(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, own, image, want string }{
		{"neither", "", "", "/"},
		{"the image's", "", "/srv", "/srv"},
		{"the container's", "/tmp", "/srv", "/tmp"},
		{"a variable", "/tmp/$(A)", "/srv", "/tmp/1"},
		{"not one of an image's", "", "/$(A)", "/$(A)"},
		{"not known", "/$(B)", "", "/$(B)"},
	} {
		c := &Config{Container: &corev1.Container{WorkingDir: tc.own}, Image: Image{WorkingDir: tc.image}}
		if got := workingDir(c, manifestEnv([]corev1.EnvVar{{Name: "A", Value: "1"}})); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// A namespace without a path is new; the host's are those that are not listed at all (OCI runtime specification, config-linux).
func TestNamespaces(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(c *Config)
		want   map[specs.LinuxNamespaceType]string
	}{
		{"alone", func(*Config) {}, map[specs.LinuxNamespaceType]string{"mount": "", "pid": ""}},
		{"the pod's", func(c *Config) {
			c.Sandbox = Sandbox{NetNS: "/n", IPCNS: "/i", UTSNS: "/u", PIDNS: "/p"}
		}, map[specs.LinuxNamespaceType]string{"mount": "", "network": "/n", "ipc": "/i", "uts": "/u", "pid": "/p"}},
		{"hostPID", func(c *Config) { c.Pod.Spec.HostPID = true }, map[specs.LinuxNamespaceType]string{"mount": ""}},
		{"its own cgroup", func(c *Config) { c.CgroupNS = true }, map[specs.LinuxNamespaceType]string{"mount": "", "pid": "", "cgroup": ""}},
		{"privileged", func(c *Config) {
			c.CgroupNS, c.Container.SecurityContext = true, &corev1.SecurityContext{Privileged: ptr(true)}
		}, map[specs.LinuxNamespaceType]string{"mount": "", "pid": ""}},
	} {
		got := map[specs.LinuxNamespaceType]string{}
		list := builds(t, tc.change).Linux.Namespaces
		for _, ns := range list {
			got[ns.Type] = ns.Path
		}
		if !reflect.DeepEqual(got, tc.want) || len(list) != len(tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, list, tc.want)
		}
	}
}

// Only a pod with a user namespace of its own may see all of /proc: elsewhere the manifest is refused, and a podd that took it
// all the same would still hide.
func TestProcMount(t *testing.T) {
	t.Parallel()
	unmasked := &corev1.SecurityContext{ProcMount: ptr(corev1.UnmaskedProcMount)}
	for _, tc := range []struct {
		name   string
		users  *Users
		sc     *corev1.SecurityContext
		hidden bool
	}{
		{"by default", nil, nil, true},
		{"asked for without users", nil, unmasked, true},
		{"users alone", &Users{First: 65536, Count: 65536}, nil, true},
		{"both", &Users{First: 65536, Count: 65536}, unmasked, false},
		{"default with users", &Users{First: 65536, Count: 65536}, &corev1.SecurityContext{ProcMount: ptr(corev1.DefaultProcMount)}, true},
	} {
		s := builds(t, func(c *Config) { c.Sandbox.Users, c.Container.SecurityContext = tc.users, tc.sc })
		if hidden := len(s.Linux.MaskedPaths) > 0; hidden != tc.hidden || hidden != (len(s.Linux.ReadonlyPaths) > 0) {
			t.Errorf("%s: masked %v, read-only %v", tc.name, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths)
		}
	}
	// The lists of containerd (pkg/oci, populateDefaultUnixSpec) are the least.
	s := builds(t, func(*Config) {})
	for _, place := range []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/sys/devices/virtual/powercap", "/proc/scsi"} {
		if !slices.Contains(s.Linux.MaskedPaths, place) {
			t.Errorf("%s can be seen", place)
		}
	}
	for _, place := range []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"} {
		if !slices.Contains(s.Linux.ReadonlyPaths, place) {
			t.Errorf("%s can be written to", place)
		}
	}
}

// What the pod has no id for is shown as its root's; nothing is ever the machine's own.
func TestUsersHost(t *testing.T) {
	t.Parallel()
	u := &Users{First: 1 << 20, Count: 1 << 16}
	for id, want := range map[int]int{0: 1 << 20, 1: 1<<20 + 1, 65535: 1<<20 + 65535, 65536: 1 << 20, -1: 1 << 20, maxID: 1 << 20} {
		if got := u.Host(id); got != want {
			t.Errorf("%d is %d, want %d", id, got, want)
		}
	}
}

func TestBeyondError(t *testing.T) {
	t.Parallel()
	err := (&Users{First: 65536, Count: 65536}).Check(&Config{Container: &corev1.Container{Name: "c"}}, Identity{UID: 65536, GID: 70000})
	const want = `container cannot be configured: container "c" is to run as user or group 65536, and a pod with a user namespace of its own has those from 0 to 65535; set hostUsers: true`
	var beyond *BeyondError
	if errorText(err) != want || !errors.As(err, &beyond) || beyond.ID != 65536 || beyond.Last != 65535 {
		t.Errorf("%v", err)
	}
	var nobody *Users
	if err := nobody.Check(nil, Identity{UID: maxID}); err != nil {
		t.Errorf("without a user namespace: %v", err)
	}
}

// A device's group is added once, unless the manifest says that there are to be no others or the pod does not have it.
func TestDeviceGroups(t *testing.T) {
	t.Parallel()
	strict := &corev1.PodSecurityContext{SupplementalGroupsPolicy: ptr(corev1.SupplementalGroupsPolicyStrict)}
	merge := &corev1.PodSecurityContext{SupplementalGroupsPolicy: ptr(corev1.SupplementalGroupsPolicyMerge)}
	for _, tc := range []struct {
		name  string
		pod   *corev1.PodSecurityContext
		users *Users
		want  []int
	}{
		{"by default", nil, nil, []int{5, 20, 44, 70000}},
		{"Merge", merge, nil, []int{5, 20, 44, 70000}},
		{"Strict", strict, nil, []int{5}},
		{"beyond the pod's", nil, &Users{First: 65536, Count: 45}, []int{5, 20, 44}},
		{"the first beyond", nil, &Users{First: 65536, Count: 44}, []int{5, 20}},
	} {
		c := &Config{Pod: &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: tc.pod}}, Sandbox: Sandbox{Users: tc.users}}
		id := Identity{Groups: []int{5}}
		for range 2 {
			id.AddDeviceGroups(c, []int{20, 5, 44, 70000, 20})
		}
		if !slices.Equal(id.Groups, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, id.Groups, tc.want)
		}
	}
	var id Identity
	id.AddGroups([]int{3, 1, 3})
	id.AddGroups(nil)
	id.AddGroups([]int{1, 2})
	if !slices.Equal(id.Groups, []int{3, 1, 2}) {
		t.Errorf("groups %v", id.Groups)
	}
}

// Whatever two contexts say, the container's word is the one that counts, and the pod's where it has none.
func TestMergeSecurityContext(t *testing.T) {
	t.Parallel()
	users, yes := []*int64{nil, ptr[int64](0), ptr[int64](5)}, []*bool{nil, ptr(false), ptr(true)}
	pick := func(own, pods any) any {
		if reflect.ValueOf(own).IsNil() {
			return pods
		}
		return own
	}
	for _, podUser := range users {
		for _, ownUser := range users {
			for i, podNon := range yes {
				for _, ownNon := range yes {
					podGroup, ownGroup := users[i], ownUser
					m := mergeSecurityContext(&corev1.PodSecurityContext{RunAsUser: podUser, RunAsGroup: podGroup, RunAsNonRoot: podNon},
						&corev1.SecurityContext{RunAsUser: ownUser, RunAsGroup: ownGroup, RunAsNonRoot: ownNon})
					if any(m.runAsUser) != pick(ownUser, podUser) || any(m.runAsGroup) != pick(ownGroup, podGroup) || any(m.runAsNonRoot) != pick(ownNon, podNon) {
						t.Fatalf("%v %v %v %v: %+v", podUser, ownUser, podNon, ownNon, m)
					}
				}
			}
		}
	}
	if m := mergeSecurityContext(nil, nil); !reflect.DeepEqual(m, securityContext{}) {
		t.Errorf("without contexts: %+v", m)
	}
	// The lists of the pod are read and not kept: what is added to them later is not the manifest's.
	pod := &corev1.PodSecurityContext{SupplementalGroups: append(make([]int64, 0, 4), 1), FSGroup: ptr[int64](2)}
	if m := mergeSecurityContext(pod, nil); !slices.Equal(m.groups, []int64{1, 2}) || pod.SupplementalGroups[:2][1] != 0 {
		t.Errorf("groups %v, of the pod %v", m.groups, pod.SupplementalGroups[:2])
	}
}

// A file of accounts has an end without a line feed, carriage returns and names of other alphabets.
func TestAccountsOfOddFiles(t *testing.T) {
	t.Parallel()
	root := imageRoot(t, "größe:x:5:6:Größe:/:/bin/sh\r\nweb:x:7:8", "größe:x:6:\r\nextra:x:9:größe,web\r\nodd:x:10: web \nlast:x:11:web")
	for _, tc := range []struct {
		user string
		want account
	}{
		{"größe", account{uid: 5, gid: 6, groups: []int{9}}},
		{"größe:extra", account{uid: 5, gid: 9, groups: []int{9}}},
		{"web", account{uid: 7, gid: 8, groups: []int{9, 11}}},
		{"web:last", account{uid: 7, gid: 11, groups: []int{9, 11}}},
		{"7", account{uid: 7, gid: 8, groups: []int{9, 11}}},
		{"0007", account{uid: 7, gid: 8, groups: []int{9, 11}}},
	} {
		if got, err := lookupAccount(tc.user, root); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, %v; want %+v", tc.user, got, err, tc.want)
		}
	}
	// An image without such files has numbers only.
	empty := t.TempDir()
	if got, err := lookupAccount("7:8", empty); err != nil || got.uid != 7 || got.gid != 8 {
		t.Errorf("without files: %+v, %v", got, err)
	}
	if _, err := lookupAccount("web", empty); errorText(err) != `cannot find user "web" in /etc/passwd of the image` {
		t.Errorf("without files: %v", err)
	}
}
