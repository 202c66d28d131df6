package sandbox

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nstest"
	"podd/runtime/state"
)

// Where the kernel makes no user namespace, or no more of them, pods that leave that to the node have the machine's users, and
// say so; those that ask for their own wait. The limit is that of a user namespace of the test's own: the machine keeps its.
func TestNoUserNamespaces(t *testing.T) {
	needUsers(t)
	nstest.NeedRoot(t)
	const mark = "PODD_SANDBOX_TEST_NO_USERS"
	if os.Getenv(mark) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestNoUserNamespaces$", "-test.v")
		cmd.Env = append(os.Environ(), nstest.InsideEnv+"=1", mark+"=1")
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 3 << 16}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET, UidMappings: ids, GidMappings: ids,
			GidMappingsEnableSetgroups: true, Pdeathsig: syscall.SIGKILL,
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestNoUserNamespaces ") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	limit := func(most string) {
		t.Helper()
		must(t, os.WriteFile("/proc/sys/user/max_user_namespaces", []byte(most), 0))
	}
	must(t, unix.Mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777"), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	auto := Inputs{NameServers: servers, AutoUsers: true}
	required := &state.HandlerRecord{Name: "h", Handler: state.Handler{UserNamespaces: state.UsersRequired}}
	// That there are none at all is known beforehand; that there are no more is not.
	for _, tc := range []struct {
		name, most, spec string
		handler          *state.HandlerRecord
		kinds, why, says string
	}{
		{name: "there is one", most: "1", spec: `{}`, kinds: "ipc net user uts"},
		{name: "there is none", most: "0", spec: `{}`, kinds: "ipc net uts", why: "the kernel makes no more user namespaces"},
		{name: "asked for", most: "0", spec: `{"hostUsers":false}`, says: "the kernel makes no more user namespaces: set user.max_user_namespaces higher"},
		{name: "insisted on", most: "0", spec: `{}`, handler: required, says: "the kernel makes no more user namespaces: set user.max_user_namespaces higher"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			limit(tc.most)
			r := newRig(t)
			rec := record(t, tc.spec)
			in := auto
			in.Handler = tc.handler
			made, err := r.Ensure(rec, in)
			if tc.says != "" {
				if err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("it says %v", err)
				}
				if strings.Contains(r.kinds(rec), "net") {
					t.Errorf("it has %s of its own", r.kinds(rec))
				}
			} else {
				must(t, err)
				if got := r.kinds(rec); got != tc.kinds || made.OwnUsers != (tc.why == "") || !strings.Contains(made.HostUsers, tc.why) || (made.HostUsers == "") != (tc.why == "") || made.GiveUp != "" {
					t.Errorf("its own are %q: %+v", got, made)
				}
				if _, leased := r.Users.Lookup(string(rec.UID)); leased != made.OwnUsers {
					t.Errorf("ids are leased: %t", leased)
				}
				// It stays so when there are namespaces again: what runs would lose its own.
				limit("10")
				rec.Sandbox = made
				again, err := r.Ensure(rec, in)
				must(t, err)
				if got := r.kinds(rec); got != tc.kinds || again.OwnUsers != made.OwnUsers {
					t.Errorf("later its own are %q: %+v", got, again)
				}
			}
			must(t, r.Remove(rec))
			r.clean(rec)
		})
	}
}

// What of the machine denies all pods users of their own is told from what of one pod does.
func TestUsersOfNoPod(t *testing.T) {
	needUsers(t)
	for _, tc := range []struct {
		name, spec string
		closed     bool
		why        string
		noUsers    bool
	}{
		{"given", `{}`, false, "", false},
		{"a pod's own reason", `{"hostPID":true}`, false, "hostPID", false},
		{"a reason of the machine's", `{}`, true, "whose mode is 0700", true},
		{"both", `{"hostPID":true}`, true, "hostPID", false},
	} {
		r := newRig(t)
		if tc.closed {
			must(t, os.Chmod(r.Paths.Run, 0o700))
		}
		rec := record(t, tc.spec)
		made, err := r.Ensure(rec, Inputs{NameServers: servers, AutoUsers: true})
		must(t, err)
		if made.NoUsers != tc.noUsers || made.OwnUsers != (tc.why == "") || (made.HostUsers == "") != (tc.why == "") || !strings.Contains(made.HostUsers, tc.why) {
			t.Errorf("%s: %+v", tc.name, made)
		}
		// With the next daemon, too.
		rec.Sandbox = made
		if again, err := r.Ensure(rec, Inputs{NameServers: servers, AutoUsers: true}); err != nil || again.NoUsers != tc.noUsers || again.HostUsers != made.HostUsers {
			t.Errorf("%s, again: %+v, %v", tc.name, again, err)
		}
		must(t, r.Remove(rec))
	}
}
