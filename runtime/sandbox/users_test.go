package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nstest"
	"podd/runtime/container/lsm"
	"podd/runtime/sandbox/mcs"
	"podd/runtime/sandbox/userns"
	"podd/runtime/state"
)

func needUsers(t *testing.T) {
	t.Helper()
	if err := userns.Supported(); err != nil {
		t.Skip(err)
	}
}

// withUsers starts a process with ids of its own, which waits until the test is over.
func withUsers(t *testing.T, first, count int) int {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	must(t, err)
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: first, Size: count}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// Who has ids of their own, and what the record says of those who have not.
func TestAcquireUsers(t *testing.T) {
	needUsers(t)
	auto, required := &state.HandlerRecord{Name: "h", Handler: state.Handler{UserNamespaces: state.UsersAuto}}, &state.HandlerRecord{Name: "h", Handler: state.Handler{UserNamespaces: state.UsersRequired}}
	for name, tc := range map[string]struct {
		spec    string
		in      Inputs
		handler *state.HandlerRecord
		before  func(r *rig, rec *state.Record)
		own     bool
		why     string // in the record
		says    string // the error
	}{
		"says nothing":                    {spec: `{}`},
		"asks for them":                   {spec: `{"hostUsers":false}`, own: true},
		"wants the machine's":             {spec: `{"hostUsers":true}`, in: Inputs{AutoUsers: true}},
		"the node gives them":             {spec: `{}`, in: Inputs{AutoUsers: true}, own: true},
		"the node gives them, not so":     {spec: `{"hostNetwork":true}`, in: Inputs{AutoUsers: true}, why: "hostNetwork"},
		"a claim is of nfs":               {spec: `{"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]}`, in: Inputs{AutoUsers: true, NFSClaim: "v"}, why: "volume v is of nfs"},
		"the handler gives them":          {spec: `{}`, handler: auto, own: true},
		"the handler gives them, not so":  {spec: `{"hostPID":true}`, handler: auto, why: "hostPID"},
		"the handler insists":             {spec: `{}`, handler: required, own: true},
		"the handler insists in vain":     {spec: `{"hostPID":true}`, handler: required, says: `runtime handler "h" runs no pod without user ids of its own, and this one cannot have them: hostPID`},
		"the pod wants the machine's":     {spec: `{"hostUsers":true}`, handler: required, says: "cannot have them: hostUsers: true"},
		"devices of the handler":          {spec: `{}`, in: Inputs{AutoUsers: true}, handler: &state.HandlerRecord{Name: "gpu", Handler: state.Handler{CDIDevices: []string{"v.com/gpu=0"}}}, why: "device v.com/gpu=0 of runtime handler gpu"},
		"was refused before":              {spec: `{}`, in: Inputs{AutoUsers: true}, before: func(_ *rig, rec *state.Record) { rec.Sandbox.HostUsers = "for a reason" }, why: "for a reason"},
		"had them before":                 {spec: `{}`, before: func(r *rig, rec *state.Record) { _, err := r.Users.Acquire(string(rec.UID)); must(r.t, err) }, own: true},
		"has namespaces of the machine's": {spec: `{}`, in: Inputs{AutoUsers: true}, before: func(r *rig, rec *state.Record) { must(r.t, os.MkdirAll(r.Paths.Namespaces(rec.UID), 0o700)) }, why: "it has namespaces of the machine's users already"},
		"none are left":                   {spec: `{}`, in: Inputs{AutoUsers: true}, before: (*rig).exhaust, why: "no ids of its own are left"},
		"none are left, asked for":        {spec: `{"hostUsers":false}`, before: (*rig).exhaust, says: "no ids of its own are left"},
		"none are left, insisted on":      {spec: `{}`, handler: required, before: (*rig).exhaust, says: "no ids of its own are left"},
		"a device as a volume":            {spec: `{"volumes":[{"name":"v","hostPath":{"path":"/dev/null"}}]}`, in: Inputs{AutoUsers: true}, why: "volume v is a device or a socket"},
		"a volume on proc":                {spec: `{"volumes":[{"name":"v","hostPath":{"path":"/proc"}}]}`, in: Inputs{AutoUsers: true}, why: "volume v is on"},
		"a volume that is not there":      {spec: `{"volumes":[{"name":"v","hostPath":{"path":"/none/there"}}]}`, in: Inputs{AutoUsers: true}, own: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			rec := record(t, tc.spec)
			rec.Sandbox.Handler = tc.handler
			if tc.before != nil {
				tc.before(r, rec)
			}
			users, err := r.acquireUsers(rec, tc.in)
			if tc.says != "" {
				if err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("error %v, want %q", err, tc.says)
				}
				return
			}
			must(t, err)
			if (users != nil) != tc.own || rec.Sandbox.OwnUsers != tc.own && rec.Object.Spec.HostUsers == nil || HasOwnUsers(rec) != tc.own {
				t.Errorf("its own: %v, in the record %t", users, rec.Sandbox.OwnUsers)
			}
			if why := rec.Sandbox.HostUsers; (why == "") != (tc.why == "") || !strings.Contains(why, tc.why) {
				t.Errorf("the record says %q, want %q", why, tc.why)
			}
			// What was decided stays, whatever the node gives later.
			again, err := r.acquireUsers(rec, Inputs{AutoUsers: !tc.in.AutoUsers})
			if tc.handler == nil && tc.why == "" && name != "says nothing" && (err != nil || (again != nil) != tc.own) {
				t.Errorf("later: %v, %v", again, err)
			}
		})
	}
}

// exhaust gives all ids to others.
func (r *rig) exhaust(*state.Record) {
	for _, id := range []string{"x", "y"} {
		_, err := r.Users.Acquire(id)
		must(r.t, err)
	}
}

// A pod with ids of its own has a namespace for them, and its files are its root's.
func TestSandboxWithUsers(t *testing.T) {
	needUsers(t)
	r := newRig(t)
	rec := record(t, `{"hostUsers":false}`)
	r.ensure(rec, Inputs{NameServers: servers})
	if got := r.kinds(rec); got != "ipc net user uts" || !rec.Sandbox.OwnUsers {
		t.Errorf("its own are %q", got)
	}
	s := r.For(rec)
	if s.Users == nil || s.Users.First != 1<<16 || s.Users.Count != 1<<16 || s.Users.NS != r.Paths.UserNamespace(rec.UID) {
		t.Fatalf("its ids are %+v", s.Users)
	}
	for _, name := range []string{"hosts", "hostname", "resolv.conf", "shm"} {
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(r.Paths.Sandbox(rec.UID), name), &st))
		if st.Uid != 1<<16 || st.Gid != 1<<16 {
			t.Errorf("%s is of %d:%d", name, st.Uid, st.Gid)
		}
	}
	// Its root passes the folder, so that its init binds them by itself; nobody else of the board does.
	var st unix.Stat_t
	must(t, unix.Stat(r.Paths.Sandbox(rec.UID), &st))
	if st.Mode&0o777 != 0o710 || st.Uid != 0 || st.Gid != 1<<16 {
		t.Errorf("the folder is of %d:%d and has mode %o", st.Uid, st.Gid, st.Mode&0o777)
	}
	if err := r.Chown(rec, filepath.Join(r.Paths.Run, "none")); err == nil {
		t.Error("a file that is not there was given")
	}
	must(t, r.Remove(rec))
	r.clean(rec)
	if err := r.Chown(record(t, `{}`), filepath.Join(r.Paths.Run, "none")); err != nil {
		t.Errorf("a pod with the machine's ids: %v", err)
	}
}

// The lease of ids that a pod's processes have is found again when it was lost, and nobody else gets them.
func TestAdoptUsers(t *testing.T) {
	needUsers(t)
	r := newRig(t)
	pid := withUsers(t, 1<<16, 1<<16)
	rec := record(t, `{"hostUsers":false,"containers":[{"name":"a"},{"name":"b"}]}`)
	must(t, r.AdoptLeases(rec))
	if _, leased := r.Users.Lookup(string(rec.UID)); leased {
		t.Error("a pod that has no process has ids")
	}
	for _, c := range rec.Containers {
		c.State = state.ContainerRunning
	}
	rec.Containers[0].PID, rec.Containers[1].PID = os.Getpid(), pid // the first has the machine's
	must(t, r.AdoptLeases(rec), r.AdoptLeases(rec))
	if ids, leased := r.Users.Lookup(string(rec.UID)); !leased || ids.First != 1<<16 {
		t.Errorf("it has %v, %t", ids, leased)
	}
	other := record(t, `{"hostUsers":false}`)
	other.UID = "uid-2"
	users, err := r.acquireUsers(other, Inputs{})
	if err != nil || users.First != 2<<16 {
		t.Errorf("the next gets %v, %v", users, err)
	}
	// Ids that another has by now are not taken from it.
	other.Containers[0].State, other.Containers[0].PID = state.ContainerRunning, pid
	must(t, r.Users.Release(string(other.UID)))
	if err := r.AdoptLeases(other); err == nil || !strings.Contains(err.Error(), "cannot lease pod") {
		t.Errorf("two pods with one range: %v", err)
	}
	plain := record(t, `{}`)
	plain.UID, plain.Containers[0].State, plain.Containers[0].PID = "uid-3", state.ContainerRunning, pid
	must(t, r.AdoptLeases(plain))
	if _, leased := r.Users.Lookup("uid-3"); leased {
		t.Error("a pod with the machine's ids has leased some")
	}
}

// Folders are shown with the pod's owners for the time of a call, and what a crash has left is taken away.
func TestWithMapped(t *testing.T) {
	needUsers(t)
	r := newRig(t)
	ns := fmt.Sprintf("/proc/%d/ns/user", withUsers(t, 1<<16, 1<<16))
	layer := filepath.Join(r.Paths.Root, "layer")
	must(t, os.Mkdir(layer, 0o755), os.WriteFile(filepath.Join(layer, "file"), []byte("text"), 0o644))
	boom := errors.New("boom")
	for _, want := range []error{nil, boom} {
		err := r.WithMapped("id", ns, []string{layer, layer}, func(places []string) error {
			for _, place := range places {
				var st unix.Stat_t
				must(t, unix.Stat(filepath.Join(place, "file"), &st))
				if st.Uid != 1<<16 {
					t.Errorf("its owner is %d", st.Uid)
				}
			}
			if len(places) != 2 {
				t.Errorf("%d places", len(places))
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Errorf("error %v", err)
		}
		if n := nstest.MountsBelow(t, r.mappedDir()); n != 0 {
			t.Errorf("%d mounts are left", n)
		}
	}
	must(t, r.UnmapAll())
	for _, id := range []string{"a", "b"} {
		_, err := userns.MapAll(filepath.Join(r.mappedDir(), id), ns, []string{layer})
		must(t, err)
	}
	must(t, r.UnmapAll())
	if n := nstest.MountsBelow(t, r.mappedDir()); n != 0 {
		t.Errorf("%d mounts are left", n)
	}
	if err := r.WithMapped("id", ns, []string{"/none"}, func([]string) error { t.Error("it was called"); return nil }); err == nil {
		t.Error("what is not there was shown")
	}
}

func TestIsMapped(t *testing.T) {
	rec := record(t, `{"hostUsers":false,"volumes":[{"name":"e","emptyDir":{}},{"name":"i","image":{"reference":"x"}}]}`)
	if !IsMapped(rec, &rec.Object.Spec.Volumes[0]) || IsMapped(rec, &rec.Object.Spec.Volumes[1]) {
		t.Error("not exactly the volume that is no image is mapped")
	}
	plain := record(t, `{}`)
	if IsMapped(plain, &rec.Object.Spec.Volumes[0]) {
		t.Error("a volume of a pod with the machine's ids is mapped")
	}
}

// selinux is a machine that enforces a policy with levels; pid, if any, has a label.
func selinux(t *testing.T, pid, label string) lsm.Machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"sys/fs/selinux/enforce": "1", "sys/fs/selinux/mls": "1", "sys/fs/selinux/context": "",
		"proc/self/attr/current": "system_u:system_r:container_runtime_t:s0\x00", "proc/" + pid + "/attr/current": label + "\x00",
	} {
		path := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
	}
	return lsm.Machine{Root: root}
}

// A pod has a level of its own where labels have levels, and gives it back.
func TestLevelsOfPods(t *testing.T) {
	r := newRig(t)
	rec := record(t, `{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"a"},{"name":"b","volumeMounts":[{"name":"v","mountPath":"/v"}]}]}`)
	must(t, r.acquireLevel(rec), r.adoptLevel(rec))
	if label, err := r.VolumeLabel(rec, "v"); r.levelOf(rec) != "" || label != "" || err != nil {
		t.Errorf("without SELinux it has %q, its volume %q, %v", r.levelOf(rec), label, err)
	}
	r.Engine.Modules = selinux(t, "1", "")
	if got := r.levelOf(rec); got != "" {
		t.Errorf("before it has one it has %q", got)
	}
	if _, err := r.VolumeLabel(rec, "v"); err == nil {
		t.Error("a volume is labelled without a level")
	}
	must(t, r.acquireLevel(rec))
	level := r.levelOf(rec)
	must(t, r.acquireLevel(rec), r.adoptLevel(rec))
	if pair, ok := mcs.Parse(level); level == "" || level != r.levelOf(rec) || !ok || pair.Level() != level {
		t.Errorf("it has %q, then %q", level, r.levelOf(rec))
	}
	other := record(t, `{}`)
	other.UID = "uid-2"
	must(t, r.acquireLevel(other))
	if r.levelOf(other) == level {
		t.Errorf("two pods have %q", level)
	}
	if label, err := r.VolumeLabel(rec, "v"); err != nil || label != "system_u:object_r:container_file_t:"+level {
		t.Errorf("its volume has %q, %v", label, err)
	}
	if label, err := r.VolumeLabel(rec, "nobody's"); err != nil || label != "" {
		t.Errorf("a volume that nobody mounts has %q, %v", label, err)
	}
	must(t, r.RemoveOf(rec.UID))
	if got := r.levelOf(rec); got != "" {
		t.Errorf("after its end it has %q", got)
	}
}

// A lease that was lost is that of the level that the pod's processes have.
func TestAdoptLevel(t *testing.T) {
	const label, level = "system_u:system_r:container_t:s0:c5,c9", "s0:c5,c9"
	for name, tc := range map[string]struct {
		spec, label string
		alive, same bool
	}{
		"it has one":           {`{}`, label, true, true},
		"it has none":          {`{}`, "system_u:system_r:container_t:s0", true, false},
		"its process is gone":  {`{}`, label, false, false},
		"it asks for a level.": {`{"containers":[{"name":"c","securityContext":{"seLinuxOptions":{"level":"s0:c5,c9"}}}]}`, label, true, false},
	} {
		r := newRig(t)
		r.Engine.Modules = selinux(t, "77", tc.label)
		rec := record(t, tc.spec)
		rec.Containers[0].PID = 77
		if tc.alive {
			rec.Containers[0].State = state.ContainerRunning
		}
		must(t, r.AdoptLeases(rec))
		if got := r.levelOf(rec); got == "" || (got == level) != tc.same {
			t.Errorf("%s: it has %q", name, got)
		}
		if !tc.same {
			continue
		}
		other := record(t, tc.spec)
		other.UID, other.Containers[0].State, other.Containers[0].PID = "uid-2", state.ContainerRunning, 77
		if err := r.AdoptLeases(other); err == nil || !strings.Contains(err.Error(), "SELinux level s0:c5,c9") {
			t.Errorf("two pods with one level: %v", err)
		}
	}
}
