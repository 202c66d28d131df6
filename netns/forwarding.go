package netns

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forwarding keeps the sysctls that lead packets to and from pods.
type forwarding struct{ n *Network }

// Where the kernel is told to forward packets, by family.
const (
	forwarding4 = "net/ipv4/ip_forward"
	forwarding6 = "net/ipv6/conf/all/forwarding"
)

// forwardingForPods is what podd turns forwarding on with. To the kernel it is the same as 1. To podd, and to every later
// podd until the machine or its network namespace ends, it says who did it; whoever needs forwarding for himself writes 1
// (Docker, libvirt, netavark, sysctl.d), and with that the machine is a router by somebody's will.
const forwardingForPods = 2

// forwarded says for which families forwarding is on, or about to be, for podd's sake alone.
func (fw forwarding) forwarded() (r routing) {
	for i, name := range []string{forwarding4, forwarding6} {
		off, err := fw.sysctlIs(name, "0")
		ours, _ := fw.sysctlIs(name, strconv.Itoa(forwardingForPods))
		r.closed[i] = err == nil && (off || ours) && !fw.n.cfg.Router
	}
	return r
}

// ensureForwarding writes only what it must: /proc/sys may be read-only and right.
func (fw forwarding) ensureForwarding() error {
	if err := fw.forward(forwarding4, func() error { return nil }); err != nil || !fw.n.UsesIPv6() {
		return err
	}
	return fw.forward(forwarding6, fw.keepRouterAdvertisements)
}

// forward turns forwarding on where it is off, after prepare.
func (fw forwarding) forward(name string, prepare func() error) error {
	off, err := fw.sysctlIs(name, "0")
	if err == nil && off {
		if !fw.n.rules.inForce() {
			return fmt.Errorf("cannot turn on forwarding: %w", errNoRules)
		}
		if err = prepare(); err == nil {
			err = fw.ensureSysctl(name, strconv.Itoa(forwardingForPods))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot turn on forwarding: %w", err)
	}
	return nil
}

// endForwarding turns off what podd has turned on and nobody else has asked for since.
func (fw forwarding) endForwarding() error {
	for _, name := range []string{forwarding4, forwarding6} {
		ours, err := fw.sysctlIs(name, strconv.Itoa(forwardingForPods))
		if errors.Is(err, os.ErrNotExist) || err == nil && !ours {
			continue
		}
		if err == nil {
			err = fw.turnOff(name)
		}
		if err != nil {
			return fmt.Errorf("cannot turn off forwarding: %w", err)
		}
	}
	return nil
}

// turnOff undoes what the kernel does beside: an IPv4 host that forwards no more would listen to redirects
// (inet_forward_change), whatever it did before.
func (fw forwarding) turnOff(name string) error {
	const redirects = "net/ipv4/conf/all/accept_redirects"
	before, unknown := os.ReadFile(filepath.Join(fw.n.cfg.ProcSys, redirects))
	if err := fw.ensureSysctl(name, "0"); err != nil || unknown != nil {
		return err
	}
	return fw.ensureSysctl(redirects, string(bytes.TrimSpace(before)))
}

// keepRouterAdvertisements lets the node go on to configure itself from its router. A kernel that forwards
// takes itself for a router and stops listening to others, and forgets the default route that it has from
// them, unless accept_ra is 2 (kernel, Documentation/networking/ip-sysctl.rst).
func (fw forwarding) keepRouterAdvertisements() error {
	files, err := filepath.Glob(filepath.Join(fw.n.cfg.ProcSys, "net/ipv6/conf/*/accept_ra"))
	if err != nil {
		return err
	}
	for _, f := range files {
		name := strings.TrimPrefix(f, fw.n.cfg.ProcSys+"/")
		listens, err := fw.sysctlIs(name, "1")
		if errors.Is(err, os.ErrNotExist) || err == nil && !listens {
			continue
		}
		if err := fw.ensureSysctl(name, "2"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (fw forwarding) sysctlIs(name, value string) (bool, error) {
	now, err := os.ReadFile(filepath.Join(fw.n.cfg.ProcSys, name))
	return err == nil && bytes.Equal(bytes.TrimSpace(now), []byte(value)), err
}

func (fw forwarding) ensureSysctl(name, value string) error {
	if is, err := fw.sysctlIs(name, value); err != nil || is {
		return err
	}
	return os.WriteFile(filepath.Join(fw.n.cfg.ProcSys, name), []byte(value), 0o644)
}

// prepareLink sets what the pod's link is not to inherit from the machine's defaults. Before the link is up, nobody can
// use them.
func (fw forwarding) prepareLink(name string, p Pod) error {
	// The guard drops router advertisements of pods; without a table in force the node would believe them.
	err := fw.ensureSysctl("net/ipv6/conf/"+name+"/accept_ra", "0")
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.EROFS) {
		return err
	}
	for _, port := range p.Ports {
		ip := port.HostIP
		if !ip.IsValid() || ip == netip.IPv4Unspecified() || ip.IsLoopback() && ip.Is4() {
			// Connections from the node's 127.0.0.1 go out to the pod, and their answers come back. The guard chain keeps
			// the pod itself from using that.
			return fw.ensureSysctl("net/ipv4/conf/"+name+"/route_localnet", "1")
		}
	}
	return nil
}
