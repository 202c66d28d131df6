package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/netns"
	"podd/netns/namespace"
	"podd/netns/nstest"
	"podd/runtime/container"
	"podd/runtime/sandbox/mcs"
	"podd/runtime/sandbox/userns"
	"podd/runtime/state"
)

// networkOf gives every pod one pair of addresses, or an error.
type networkOf struct {
	mu       sync.Mutex
	attached map[string]netns.Pod
	fails    error
	only4    bool
}

func (n *networkOf) Attach(p netns.Pod) (netns.Attachment, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fails != nil {
		return netns.Attachment{}, n.fails
	}
	n.attached[p.ID] = p
	a := netns.Attachment{IP: netip.MustParseAddr("10.0.0.5")}
	if !n.only4 {
		a.IP6 = netip.MustParseAddr("fd00::5")
	}
	return a, nil
}

func (n *networkOf) Detach(id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.attached, id)
	return n.fails
}

// cgroupsOf knows which pods have a cgroup.
type cgroupsOf struct {
	mu    sync.Mutex
	made  map[string]cgroups.Resources
	fails error
}

func (c *cgroupsOf) PodPath(uid, qos string) (string, error) { return "/podd/" + qos + "/" + uid, nil }

func (c *cgroupsOf) EnsurePod(uid, qos string, r cgroups.Resources) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path, _ := c.PodPath(uid, qos)
	if c.fails == nil {
		c.made[path] = r
	}
	return path, c.fails
}

func (c *cgroupsOf) RemovePod(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.made, path)
	return c.fails
}

func (*cgroupsOf) Warm() {}

// rig is a Manager over the kernel's namespaces and mounts, with a network and cgroups of the test's.
type rig struct {
	*Manager
	t       *testing.T
	network *networkOf
	cgroups *cgroupsOf
}

func newRig(t *testing.T) *rig {
	t.Helper()
	nstest.NeedRoot(t)
	root, err := os.MkdirTemp("/dev/shm", "podd-sandbox-") // on tmpfs, as /run is, and one that can be mapped
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.Chmod(root, 0o755))
	network, groups := &networkOf{attached: map[string]netns.Pod{}}, &cgroupsOf{made: map[string]cgroups.Resources{}}
	r := &rig{t: t, network: network, cgroups: groups, Manager: &Manager{
		Paths:   state.Paths{Run: filepath.Join(root, "run"), Root: filepath.Join(root, "lib"), Logs: filepath.Join(root, "log")},
		Engine:  &container.Engine{MountDir: filepath.Join(root, "run", "roots")},
		Network: network, Cgroups: groups, ClusterDomain: "cluster.local", Log: slog.New(slog.DiscardHandler),
		Levels: mcs.NewLeases(filepath.Join(root, "run", "levels"), nil),
	}}
	r.Users = userns.NewLeases(filepath.Join(root, "run", "users"), userns.Span{Base: 1 << 16, Size: 2 << 16, PerPod: 1 << 16}, nil)
	must(t, os.MkdirAll(r.Engine.MountDir, 0o711), os.MkdirAll(r.Paths.Root, 0o711))
	t.Cleanup(func() {
		for _, dir := range []string{"ns", "sandbox"} {
			_ = namespace.RemoveParent(filepath.Join(r.Paths.Run, dir))
		}
		if n := nstest.MountsBelow(t, root); n != 0 {
			t.Errorf("%d mounts are left", n)
		}
		must(t, os.RemoveAll(root))
	})
	return r
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// record is a pod "web" of namespace "shop" with a spec in JSON.
func record(t *testing.T, spec string) *state.Record {
	t.Helper()
	p := &corev1.Pod{}
	p.Namespace, p.Name, p.UID = "shop", "web", "uid-1"
	must(t, json.Unmarshal([]byte(spec), &p.Spec))
	if len(p.Spec.Containers) == 0 {
		p.Spec.Containers = []corev1.Container{{Name: "c"}}
	}
	return state.NewRecord(p.UID, p, state.Now())
}

// ensure makes the sandbox and takes over what came of it, as the loop does.
func (r *rig) ensure(rec *state.Record, in Inputs) {
	r.t.Helper()
	made, err := r.Ensure(rec, in)
	must(r.t, err)
	rec.Sandbox = made
}

func (r *rig) text(rec *state.Record, name string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.Paths.Sandbox(rec.UID), name))
	must(r.t, err)
	return string(data)
}

// kinds are the namespaces that a pod has of its own.
func (r *rig) kinds(rec *state.Record) string {
	entries, _ := os.ReadDir(r.Paths.Namespaces(rec.UID))
	var list []string
	for _, e := range entries {
		if held, err := namespace.HoldsNamespace(filepath.Join(r.Paths.Namespaces(rec.UID), e.Name())); held && err == nil {
			list = append(list, e.Name())
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// clean says that nothing is left of a pod but its logs.
func (r *rig) clean(rec *state.Record) {
	r.t.Helper()
	for _, path := range []string{r.Paths.Namespaces(rec.UID), r.Paths.Sandbox(rec.UID)} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			r.t.Errorf("%s is left: %v", path, err)
		}
	}
	if _, leased := r.Users.Lookup(string(rec.UID)); leased || len(r.network.attached) > 0 || len(r.cgroups.made) > 0 {
		r.t.Errorf("left: ids %t, addresses %v, cgroups %v", leased, r.network.attached, r.cgroups.made)
	}
}

var servers = NameServers{Host: ParseResolvConf("nameserver 192.0.2.1\n"), Own: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}, ClusterDomain: "cluster.local"}

// A sandbox is made, made again as it is, and taken away with all that belongs to it.
func TestSandboxOfAPod(t *testing.T) {
	r := newRig(t)
	rec := record(t, `{"subdomain":"app","dnsPolicy":"ClusterFirst","containers":[{"name":"c","ports":[{"containerPort":80,"hostPort":8080,"protocol":"TCP"}]}]}`)
	in := Inputs{PidsLimit: 100, NameServers: servers}
	r.ensure(rec, in)
	first := rec.Sandbox
	if first.IP != "10.0.0.5" || first.IP6 != "fd00::5" || first.CgroupPath != "/podd/besteffort/uid-1" || first.OwnUsers || first.Resolv != Digest(r.text(rec, "resolv.conf")) {
		t.Errorf("made %+v", first)
	}
	if got := r.kinds(rec); got != "ipc net uts" {
		t.Errorf("its own namespaces are %q", got)
	}
	if got := r.network.attached["uid-1"]; len(got.Ports) != 1 || got.NetNS != filepath.Join(r.Paths.Namespaces("uid-1"), "net") || got.Name != "shop/web" {
		t.Errorf("attached as %+v", got)
	}
	if got := r.cgroups.made["/podd/besteffort/uid-1"]; got.PidsLimit != 100 {
		t.Errorf("its cgroup has %+v", got)
	}
	const hosts = "10.0.0.5\tweb.app.shop.svc.cluster.local\tweb\nfd00::5\tweb.app.shop.svc.cluster.local\tweb\n"
	for name, want := range map[string]string{"hostname": "web\n", "hosts": hosts, "resolv.conf": "nameserver 10.0.0.1\nnameserver fd00::1\n"} {
		if got := r.text(rec, name); !strings.Contains(got, want) {
			t.Errorf("%s is\n%s", name, got)
		}
	}
	if _, err := os.Stat(r.Paths.PodLogs(rec)); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(r.Paths.Sandbox(rec.UID)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its files are in a folder of mode %v, %v", info.Mode(), err)
	}
	mounts := nstest.MountsBelow(t, r.Paths.Run)
	r.ensure(rec, in)
	if after := nstest.MountsBelow(t, r.Paths.Run); after != mounts || !reflect.DeepEqual(rec.Sandbox, first) {
		t.Errorf("again: %d mounts, %d before; %+v", after, mounts, rec.Sandbox)
	}
	must(t, r.Remove(rec), r.Remove(rec))
	r.clean(rec)
}

// What a pod shares with the machine, it has none of its own of.
func TestWhatAPodShares(t *testing.T) {
	name, err := os.Hostname()
	must(t, err)
	for spec, want := range map[string]struct {
		kinds, ip, hostname, shm string
	}{
		`{}`:                   {"ipc net uts", "10.0.0.5", "web", "shm"},
		`{"hostNetwork":true}`: {"ipc", "", name, "shm"},
		`{"hostIPC":true}`:     {"net uts", "10.0.0.5", "web", "/dev/shm"},
		`{"hostPID":true}`:     {"ipc net uts", "10.0.0.5", "web", "shm"},
		`{"hostname":"front"}`: {"ipc net uts", "10.0.0.5", "front", "shm"},
		`{"hostNetwork":true,"hostIPC":true,"hostAliases":[{"ip":"192.0.2.7","hostnames":["a"]}]}`: {"", "", name, "/dev/shm"},
	} {
		t.Run(spec, func(t *testing.T) {
			r := newRig(t)
			rec := record(t, spec)
			r.ensure(rec, Inputs{NameServers: servers})
			if got := r.kinds(rec); got != want.kinds || rec.Sandbox.IP != want.ip {
				t.Errorf("its own are %q, at %q", got, rec.Sandbox.IP)
			}
			s := r.For(rec)
			for kind, path := range map[string]string{"net": s.NetNS, "ipc": s.IPCNS, "uts": s.UTSNS} {
				if own := strings.Contains(want.kinds, kind); own && path != filepath.Join(r.Paths.Namespaces(rec.UID), kind) || !own && path != "" {
					t.Errorf("containers join %s at %q", kind, path)
				}
			}
			if s.Hostname != want.hostname || strings.TrimSpace(r.text(rec, "hostname")) != want.hostname {
				t.Errorf("it is called %q, and %q in its file", s.Hostname, r.text(rec, "hostname"))
			}
			if s.ShmDir != want.shm && s.ShmDir != filepath.Join(r.Paths.Sandbox(rec.UID), want.shm) {
				t.Errorf("its shared memory is at %s", s.ShmDir)
			}
			if _, err := os.Stat(filepath.Join(r.Paths.Sandbox(rec.UID), "shm")); (err == nil) != (want.shm == "shm") {
				t.Errorf("a folder for it: %v", err)
			}
			if rec.Object.Spec.HostNetwork {
				if text := r.text(rec, "hosts"); !strings.HasPrefix(text, "# Kubernetes-managed hosts file (host network).\n") {
					t.Errorf("hosts is\n%s", text)
				}
			}
			must(t, r.Remove(rec))
			r.clean(rec)
		})
	}
}

// Its files are on a file system that is no larger than they need, and its shared memory on one that anybody may use.
func TestSandboxFileSystems(t *testing.T) {
	r := newRig(t)
	rec := record(t, `{}`)
	r.ensure(rec, Inputs{})
	for dir, size := range map[string]int64{r.Paths.Sandbox(rec.UID): 16 << 20, filepath.Join(r.Paths.Sandbox(rec.UID), "shm"): 64 << 20} {
		var st unix.Statfs_t
		must(t, unix.Statfs(dir, &st))
		const flags = unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC
		if got := int64(st.Blocks) * int64(st.Bsize); got != size || int64(st.Type) != unix.TMPFS_MAGIC || int64(st.Flags)&flags != flags {
			t.Errorf("%s: %d bytes, type %x, flags %x", dir, got, st.Type, st.Flags)
		}
	}
	if info, err := os.Stat(filepath.Join(r.Paths.Sandbox(rec.UID), "shm")); err != nil || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("shared memory: %v, %v", info, err)
	}
	must(t, r.Remove(rec))
}

// Whatever a step of the making says, what was made before it can be taken away, and nothing is left.
func TestSandboxThatCannotBeMade(t *testing.T) {
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		spec   string
		in     Inputs
		broken func(r *rig)
		mended func(r *rig)
		says   string
		cgroup bool // the record says where it is
	}{
		"no handler":  {in: Inputs{NoHandler: broken}, says: "broken"},
		"no cgroup":   {broken: func(r *rig) { r.cgroups.fails = broken }, says: "broken", cgroup: true},
		"no address":  {broken: func(r *rig) { r.network.fails = broken }, says: "broken", cgroup: true},
		"no name":     {spec: `{"subdomain":"` + strings.Repeat("a", 60) + `","setHostnameAsFQDN":true}`, says: "FQDN is too long", cgroup: true},
		"no log":      {broken: func(r *rig) { must(t, os.WriteFile(r.Paths.Logs, nil, 0o600)) }, says: "cannot make a folder for pod"},
		"no folder":   {broken: func(r *rig) { must(t, os.WriteFile(filepath.Join(r.Paths.Run, "sandbox"), nil, 0o600)) }, mended: func(r *rig) { must(t, os.Remove(filepath.Join(r.Paths.Run, "sandbox"))) }, says: "cannot make"},
		"bad sysctl":  {spec: `{"securityContext":{"sysctls":[{"name":"net.ipv4.no_such_thing","value":"1"}]}}`, says: "no_such_thing", cgroup: true},
		"bad value":   {spec: `{"securityContext":{"sysctls":[{"name":"net.ipv4.ip_forward","value":"many"}]}}`, says: "ip_forward", cgroup: true},
		"users above": {spec: `{"hostUsers":false}`, broken: func(r *rig) { must(t, os.Chmod(filepath.Dir(r.Paths.Run), 0o700)) }, says: "may not pass the folder", cgroup: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			rec := record(t, cmp.Or(tc.spec, "{}"))
			if tc.broken != nil {
				tc.broken(r)
			}
			made, err := r.Ensure(rec, tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("error %v, want %q", err, tc.says)
			}
			if made.IP != "" || (made.CgroupPath != "") != tc.cgroup {
				t.Errorf("made %+v", made)
			}
			r.cgroups.fails, r.network.fails = nil, nil
			if tc.mended != nil {
				tc.mended(r)
			}
			must(t, r.Remove(rec))
			r.clean(rec)
		})
	}
}

// Of what cannot be taken away, the rest is, and the errors are all told.
func TestRemoveTriesEverything(t *testing.T) {
	r := newRig(t)
	rec := record(t, `{}`)
	r.ensure(rec, Inputs{})
	r.network.fails, r.cgroups.fails = errors.New("no detaching"), errors.New("no removing")
	err := r.Remove(rec)
	if err == nil || !strings.Contains(err.Error(), "no detaching") || !strings.Contains(err.Error(), "no removing") {
		t.Errorf("error %v", err)
	}
	if got := r.kinds(rec); got != "" {
		t.Errorf("namespaces %q are left", got)
	}
	r.network.fails, r.cgroups.fails = nil, nil
	must(t, r.Remove(rec))
	r.clean(rec)
}

// A pod without an IPv6 address is led to no name server that it cannot reach.
func TestNameServersOfAPodWithoutIPv6(t *testing.T) {
	r := newRig(t)
	r.network.only4 = true
	rec := record(t, `{"dnsPolicy":"ClusterFirst"}`)
	r.ensure(rec, Inputs{NameServers: servers})
	if got := r.text(rec, "resolv.conf"); strings.Contains(got, "fd00::1") || !strings.Contains(got, "10.0.0.1") || rec.Sandbox.IP6 != "" {
		t.Errorf("resolv.conf is\n%s", got)
	}
	must(t, r.Remove(rec))
}

// Sysctls of a runtime handler are those of its pods that say nothing themselves, as far as the pod has a namespace for them.
func TestSysctlsOfAPod(t *testing.T) {
	handler := &state.HandlerRecord{Name: "rt", Handler: state.Handler{Sysctls: map[string]string{
		"net.ipv4.ip_forward": "1", "net/ipv4/tcp_syncookies": "0", "kernel.shm_rmid_forced": "1",
	}}}
	for name, tc := range map[string]struct {
		spec    string
		handler *state.HandlerRecord
		want    map[string]string
	}{
		"nobody says":              {`{}`, nil, map[string]string{}},
		"the pod says":             {`{"securityContext":{"sysctls":[{"name":"net.ipv4.ip_forward","value":"0"}]}}`, nil, map[string]string{"net.ipv4.ip_forward": "0"}},
		"the handler says":         {`{}`, handler, handler.Sysctls},
		"both say":                 {`{"securityContext":{"sysctls":[{"name":"net.ipv4.ip_forward","value":"0"}]}}`, handler, map[string]string{"net.ipv4.ip_forward": "0", "net/ipv4/tcp_syncookies": "0", "kernel.shm_rmid_forced": "1"}},
		"both, written otherwise":  {`{"securityContext":{"sysctls":[{"name":"net.ipv4.tcp_syncookies","value":"2"}]}}`, handler, map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.tcp_syncookies": "2", "kernel.shm_rmid_forced": "1"}},
		"in the machine's network": {`{"hostNetwork":true}`, handler, map[string]string{"kernel.shm_rmid_forced": "1"}},
		"in the machine's IPC":     {`{"hostIPC":true}`, handler, map[string]string{"net.ipv4.ip_forward": "1", "net/ipv4/tcp_syncookies": "0"}},
	} {
		rec := record(t, tc.spec)
		rec.Sandbox.Handler = tc.handler
		if got := sysctlsOf(rec); !maps.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestCgroupTiers(t *testing.T) {
	full := map[string]string{"cpu": "1", "memory": "1Mi"}
	for want, r := range map[string]corev1.ResourceRequirements{
		"besteffort": {}, "guaranteed": requirements(full, full), "burstable": requirements(full, nil),
	} {
		if got := CgroupTier(&corev1.PodSpec{Containers: []corev1.Container{{Resources: r}}}); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
}

// The folder of logs is in a place that others may write to: a link there is not followed, and a file stays what it is.
func TestLogFolder(t *testing.T) {
	up := t.TempDir()
	outside := filepath.Join(up, "outside")
	must(t, os.Mkdir(outside, 0o755), os.MkdirAll(filepath.Join(up, "logs"), 0o755), os.Symlink(outside, filepath.Join(up, "logs", "link")), os.WriteFile(filepath.Join(up, "logs", "file"), nil, 0o600))
	for name, ok := range map[string]bool{"new": true, "link": true, "file": false} {
		for range 2 {
			if err := MakeLogFolder(filepath.Join(up, "logs", name)); (err == nil) != ok {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if info, err := os.Lstat(filepath.Join(up, "logs", "link")); err != nil || !info.IsDir() {
		t.Errorf("in the place of the link there is %v, %v", info, err)
	}
	must(t, MakeLogFolder(filepath.Join(up, "not", "there", "yet")))
}

func TestTogether(t *testing.T) {
	one, two := errors.New("one"), errors.New("two")
	if err := together(); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	// Each waits for the other: they run side by side.
	a, b := make(chan bool), make(chan bool)
	err := together(
		func() error { close(a); <-b; return one },
		func() error { close(b); <-a; return nil },
		func() error { return two },
	)
	if !errors.Is(err, one) || !errors.Is(err, two) {
		t.Errorf("error %v", err)
	}
}

// An earlier podd has mounted the shared memory alone; what is no mount at all is removed as well.
func TestRemoveShared(t *testing.T) {
	nstest.NeedRoot(t)
	for name, mounts := range map[string][]string{"both": {"", "shm"}, "shared memory alone": {"shm"}, "none": nil, "twice": {"", "", "shm"}} {
		dir := filepath.Join(t.TempDir(), "sandbox")
		for _, at := range append([]string{"", "shm"}, mounts...) {
			must(t, os.MkdirAll(filepath.Join(dir, at), 0o755))
		}
		for _, at := range mounts {
			must(t, os.MkdirAll(filepath.Join(dir, at), 0o755), unix.Mount("x", filepath.Join(dir, at), "tmpfs", 0, ""))
		}
		err := removeShared(dir)
		if name == "twice" { // it is not podd's, and is told of until somebody takes it off
			if err == nil {
				t.Errorf("%s: it is removed under a mount", name)
			}
			err = removeShared(dir)
		}
		if _, there := os.Lstat(dir); err != nil || !errors.Is(there, os.ErrNotExist) {
			t.Errorf("%s: %v, %v", name, err, there)
		}
		must(t, removeShared(dir))
	}
}

func TestPauseContainer(t *testing.T) {
	c := pauseContainer()
	sc := c.SecurityContext
	if *sc.RunAsUser == 0 || *sc.RunAsGroup == 0 || !*sc.ReadOnlyRootFilesystem || *sc.AllowPrivilegeEscalation || !slices.Equal(sc.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("it may do %+v", sc)
	}
	if id := PauseID("uid-1"); id == state.ContainerID("uid-1", strings.ToLower(pauseName), 0) || !strings.Contains(id, "uid-1") {
		t.Errorf("its ID is %s", id)
	}
	yes, no := true, false
	for want, share := range map[bool][]*bool{true: {&yes}, false: {nil, &no}} {
		for _, s := range share {
			if got := SharesProcesses(&corev1.Pod{Spec: corev1.PodSpec{ShareProcessNamespace: s}}); got != want {
				t.Errorf("%v: %t", s, got)
			}
		}
	}
	r := newRig(t)
	rec := record(t, `{"shareProcessNamespace":true}`)
	if s := r.pauseSandbox(rec); s.HostsFile+s.HostnameFile+s.ResolvFile+s.PIDNS != "" || s.NetNS == "" {
		t.Errorf("it joins %+v", s)
	}
	for range 2 {
		layer, err := r.ensurePauseLayer()
		must(t, err)
		if info, err := os.Stat(filepath.Join(layer, pausePath)); err != nil || !info.Mode().IsRegular() || info.Size() != 0 {
			t.Errorf("its root has %v, %v", info, err)
		}
	}
	if got := pidNamespace(7); got != fmt.Sprintf("/proc/%d/ns/pid", 7) {
		t.Errorf("its namespace is %s", got)
	}
}

func TestNetworkPod(t *testing.T) {
	rec := record(t, `{"initContainers":[{"name":"i","ports":[{"containerPort":1,"hostPort":2}]}],
		"containers":[{"name":"c","ports":[{"containerPort":80},{"containerPort":53,"hostPort":53,"protocol":"UDP","hostIP":"::ffff:192.0.2.1"}]}]}`)
	for name, tc := range map[string]struct {
		in, out     string
		ingress, eg uint64
	}{
		"nothing": {"", "", 0, 0}, "both": {"1M", "500k", 1_000_000, 500_000}, "no figures": {"fast", "-1", 0, 0},
	} {
		rec.Object.Annotations = map[string]string{annotationIngress: tc.in, annotationEgress: tc.out}
		p := NetworkPod(state.Paths{Run: "/run/podd"}, rec)
		if p.Ingress != tc.ingress || p.Egress != tc.eg {
			t.Errorf("%s: %d and %d", name, p.Ingress, p.Egress)
		}
		if len(p.Ports) != 2 || p.Ports[0].HostPort != 2 || p.Ports[1].HostIP.String() != "192.0.2.1" || p.Ports[1].Protocol != netns.ProtocolOf("UDP") || p.NetNS != "/run/podd/ns/uid-1/net" || p.ID != "uid-1" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// A container that asks for more may go later, as long as it stays between what is protected and what goes first.
func TestOOMScoreOfSidecars(t *testing.T) {
	const capacity = 1000 << 20
	for name, tc := range map[string]struct {
		main, second, sidecar string
		want                  int
	}{
		"asks for less than those it serves": {"500Mi", "200Mi", "100Mi", 800},
		"asks for more":                      {"500Mi", "200Mi", "700Mi", 300},
		"asks for nothing":                   {"500Mi", "200Mi", "0", 800},
		"one it serves asks for nothing":     {"500Mi", "0", "100Mi", 900},
	} {
		always := corev1.ContainerRestartPolicyAlways
		memory := func(text string) corev1.ResourceRequirements {
			return requirements(map[string]string{"memory": text}, nil)
		}
		p := &corev1.Pod{Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "s", RestartPolicy: &always, Resources: memory(tc.sidecar)}},
			Containers:     []corev1.Container{{Name: "a", Resources: memory(tc.main)}, {Name: "b", Resources: memory(tc.second)}},
		}}
		if got := OOMScoreAdj(p, &p.Spec.InitContainers[0], capacity); got != tc.want {
			t.Errorf("a sidecar that %s: %d, want %d", name, got, tc.want)
		}
	}
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: requirements(map[string]string{"memory": "1Mi"}, nil)}}}}
	if got := OOMScoreAdj(p, &p.Spec.Containers[0], 0); got != 999 {
		t.Errorf("on a board of unknown size: %d", got)
	}
}
