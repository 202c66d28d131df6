package network

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podd/board"
	"podd/test/harness"
	"podd/test/lab"
)

// podd doctor network names the hop that fails: each is broken once while the daemon cannot mend it, and no other is blamed.
func TestDoctorNetwork(t *testing.T) {
	t.Parallel()
	config, resolv := withConfig(t, "nameserver "+harness.OtherAddr+"\n")
	b := harness.NewEmptyBoard(t, config, harness.WithFDStore)
	other := b.Neighbour()
	server := nameServerIn(b, other, harness.OtherAddr)
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.MustDrop("walker", harness.OnePod("walker", harness.Forever))
	pod := b.NetnsOf("walker")
	look := func(more ...string) []board.Finding {
		t.Helper()
		// It may know no /etc/machine-id, nor the daemon's name: what makes the pods' IPv6 network is then not what it is.
		args := []string{
			"unshare", "-m", "sh", "-c", `mount --bind /dev/null /etc/machine-id 2>/dev/null; exec "$@"`, "sh",
			harness.Suite.Podd, "doctor", "network", "--run-dir", b.Run, "--root", b.Root, "-o", "json", "--socket", b.Socket,
			"--config", strings.TrimSuffix(resolv, "resolv.conf") + "config.yaml",
		}
		command := b.In(append(args, more...)...)
		var stderr strings.Builder
		command.Stderr = &stderr
		stdout, _ := command.Output()
		var report struct {
			Verdict  board.Verdict
			Findings []board.Finding
		}
		if err := json.Unmarshal(stdout, &report); err != nil {
			t.Fatalf("%v: %s%s", err, stdout, stderr.String())
		}
		if code := command.ProcessState.ExitCode(); (report.Verdict == board.Fail) != (code == 1) {
			t.Errorf("exit %d, verdict %s", code, report.Verdict)
		}
		return report.Findings
	}
	// At first nothing fails; the pod's first packet may have to wait for a neighbour.
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		bad := failing(look("--pod", "walker"))
		return len(bad) == 0, fmt.Errorf("on a sound network it says %v", bad)
	}))
	// A daemon that is stopped does not mend what the test breaks. What it would answer is not asked for.
	b.Must(exec.Command("kill", "-STOP", fmt.Sprint(b.Pid())).Run())
	for _, f := range look("--socket", "/nowhere/podd.sock") {
		if strings.Contains(f.Reason, "has no IPv6 address") {
			t.Errorf("of a pod that has one: %s", f.Reason)
		}
	}
	for _, c := range []struct{ name, in, undo, brk, check, words string }{
		{"the pod's link is down", pod, "ip link set eth0 up; ip route add default via 169.254.1.1 dev eth0 onlink", "ip link set eth0 down", "IPv4 pod", ""},
		{"forwarding is off", b.Netns(), "sysctl -qw net.ipv4.ip_forward=1", "sysctl -qw net.ipv4.ip_forward=0", "IPv4 forwarding", "net.ipv4.ip_forward is 0"},
		{"a firewall drops", b.Netns(), "nft delete table ip wall", "nft 'table ip wall { chain every { type filter hook forward priority 0; policy drop; }; }'", "IPv4 forward rule", "chain every of table ip wall drops"},
		{"the node's firewall drops", b.Netns(), "nft delete table inet wall", "nft 'table inet wall { chain in { type filter hook input priority 0; policy drop; ct state established accept; }; }'", "IPv4 node", "chain in of table inet wall drops"},
		{"no default route", b.Netns(), "ip route add default via " + harness.OtherAddr, "ip route del default", "IPv4 uplink", "no default route"},
		{"the gateway is silent", b.Netns(), "ip route replace default via " + harness.OtherAddr, "ip route replace default via 192.0.2.77", "IPv4 gateway", "192.0.2.77 does not answer on lan0"},
		{"the uplink has no carrier", other, "ip link set eth0 up; ip route replace default via " + harness.BoardAddr, "ip link set eth0 down", "IPv4 uplink", "lan0 has no carrier"},
	} {
		b.Shell(c.in, c.brk)
		var found []board.Finding
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			found = failing(look("--socket", "/nowhere/podd.sock"))
			ok := slices.ContainsFunc(found, func(f board.Finding) bool { return f.Check == c.check && strings.Contains(f.Reason, c.words) })
			return ok, fmt.Errorf("%s: it says %v", c.name, found)
		}))
		for _, f := range found {
			if f.Remedy == "" {
				t.Errorf("%s: nothing says what to do about %q", c.name, f.Reason)
			}
		}
		b.Shell(c.in, c.undo)
	}
	b.Must(exec.Command("kill", "-CONT", fmt.Sprint(b.Pid())).Run())
	server.conn.Close()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		bad := failing(look("--pod", "walker"))
		ok := slices.ContainsFunc(bad, func(f board.Finding) bool {
			return f.Check == "DNS server" && strings.Contains(f.Reason, harness.OtherAddr+" does not answer the machine")
		})
		return ok, fmt.Errorf("without a name server it says %v", bad)
	}))
}

// A file that cannot be used is said here as well: what is looked at is then not what it says.
func TestDoctorNetworkSaysBadConfiguration(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	file := filepath.Join(b.Dir, "config.yaml")
	b.Must(os.WriteFile(file, []byte("bridge: [\n"), 0o600))
	stdout, err := b.In(harness.Suite.Podd, "doctor", "network", "--run-dir", b.Run, "--root", b.Root, "--socket", b.Socket, "--config", file).Output()
	if !strings.Contains(string(stdout), "warn  configuration ") {
		t.Errorf("it does not say it (%v):\n%s", err, stdout)
	}
}

func failing(list []board.Finding) []board.Finding {
	return slices.DeleteFunc(list, func(f board.Finding) bool { return f.Verdict != board.Fail })
}
