package security

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// podd doctor security tells apart what is confined by default, as far as a manifest can, and not at all.
func TestDoctorSecurity(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("plain", harness.PodOf("plain", "hostUsers: true", harness.ContainerOf("main", harness.Forever)))
	b.MustDrop("tight", harness.PodOf("tight", "hostUsers: true", harness.ContainerOf("main", harness.Forever,
		"securityContext: {runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, seccompProfile: {type: RuntimeDefault}, capabilities: {drop: [ALL]}}")))
	b.MustDrop("loose", harness.PodOf("loose", "hostPID: true", harness.ContainerOf("main", harness.Forever, "securityContext: {privileged: true}")))
	for _, name := range []string{"plain", "tight", "loose"} {
		b.Running(name)
	}
	var said struct {
		Containers []struct {
			Pod, PodSecurity, Seccomp                     string
			UID                                           int
			Capabilities, Masked, HostNamespaces, Tighter []string
			NoNewPrivileges, ReadOnlyRoot                 bool
		}
	}
	if err := json.Unmarshal([]byte(b.CLI("doctor", "security", "-o", "json")), &said); err != nil {
		t.Fatal(err)
	}
	if len(said.Containers) != 3 {
		t.Fatalf("%+v", said)
	}
	for _, c := range said.Containers {
		got := fmt.Sprintf("%s %s %s %d caps=%t masked=%t nnp=%t ro=%t %v", c.Pod, c.PodSecurity, c.Seccomp, c.UID, len(c.Capabilities) > 0,
			slices.Contains(c.Masked, "/proc/keys"), c.NoNewPrivileges, c.ReadOnlyRoot, c.HostNamespaces)
		want := map[string]string{
			"plain": "plain baseline filter 0 caps=true masked=true nnp=false ro=false []",
			"tight": "tight restricted filter 1000 caps=false masked=true nnp=true ro=true []",
			"loose": "loose privileged none 0 caps=true masked=false nnp=false ro=false [PID]",
		}[c.Pod]
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if c.Pod == "tight" && len(c.Tighter) != 1 || !strings.Contains(strings.Join(c.Tighter, ";"), "hostUsers: false") {
			t.Errorf("%s would be tighter with %q", c.Pod, c.Tighter)
		}
	}
	if out := b.CLI("doctor", "security", "--pod", "loose"); !strings.Contains(out, "hostPID: false") || !strings.Contains(out, "privileged: false") || !strings.Contains(out, "the machine's: hostPID") {
		t.Error(out)
	}
	// A device that was mounted is a device, the nodes of every container are none of its own, and what lies below a mount is
	// not listed.
	b.MustDrop("has", harness.PodOf("has", "hostUsers: false\nvolumes: [{name: root, hostPath: {path: /}}, {name: loop, hostPath: {path: /dev/full}}]",
		harness.Mounting("main", harness.Forever, "{name: root, mountPath: /host}", "{name: loop, mountPath: /dev/own}")))
	b.Running("has")
	out := b.CLI("doctor", "security", "--pod", "has")
	for line, want := range map[string]string{"devices": "/dev/own", "mounts": "/host (rw)"} {
		if !regexp.MustCompile(`(?m)^ +` + line + ` +` + regexp.QuoteMeta(want) + `$`).MatchString(out) {
			t.Errorf("%s is not %s alone:\n%s", line, want, out)
		}
	}
	// Who writes is in the daemon's log, and nobody reads its memory.
	b.CLI("delete", "pod", "plain")
	const line = `msg="API request" method=DELETE path=/api/v1/namespaces/default/pods/plain pid=`
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, rest, found := strings.Cut(b.Output(), line)
		return found && strings.Contains(strings.SplitN(rest, "\n", 2)[0], fmt.Sprintf(" uid=%d gid=%d", os.Geteuid(), os.Getegid())), errors.New(b.Output())
	}))
}
