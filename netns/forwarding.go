package netns

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// ensureForwarding writes only what it must: /proc/sys may be read-only and right.
func (n *Network) ensureForwarding() error {
	if err := n.ensureSysctl("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	if !n.UsesIPv6() {
		return nil
	}
	if on, err := n.sysctlIs("net/ipv6/conf/all/forwarding", "1"); err != nil || on {
		return err
	}
	if err := n.keepRouterAdvertisements(); err != nil {
		return err
	}
	return n.ensureSysctl("net/ipv6/conf/all/forwarding", "1")
}

// keepRouterAdvertisements lets the node go on to configure itself from its router. A kernel that forwards
// takes itself for a router and stops listening to others, and forgets the default route that it has from
// them, unless accept_ra is 2 (kernel, Documentation/networking/ip-sysctl.rst).
func (n *Network) keepRouterAdvertisements() error {
	files, err := filepath.Glob(filepath.Join(n.cfg.ProcSys, "net/ipv6/conf/*/accept_ra"))
	if err != nil {
		return err
	}
	for _, f := range files {
		name := strings.TrimPrefix(f, n.cfg.ProcSys+"/")
		listens, err := n.sysctlIs(name, "1")
		if errors.Is(err, os.ErrNotExist) || err == nil && !listens {
			continue
		}
		if err := n.ensureSysctl(name, "2"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (n *Network) sysctlIs(name, value string) (bool, error) {
	now, err := os.ReadFile(filepath.Join(n.cfg.ProcSys, name))
	return err == nil && bytes.Equal(bytes.TrimSpace(now), []byte(value)), err
}

func (n *Network) ensureSysctl(name, value string) error {
	if is, err := n.sysctlIs(name, value); err != nil || is {
		return err
	}
	return os.WriteFile(filepath.Join(n.cfg.ProcSys, name), []byte(value), 0o644)
}

// prepareLink lets connections from the node's 127.0.0.1 out to a pod with host ports, and their answers
// back. The guard chain keeps the pod itself from using that.
func (n *Network) prepareLink(name string, p Pod) error {
	for _, port := range p.Ports {
		ip := port.HostIP
		if !ip.IsValid() || ip == netip.IPv4Unspecified() || ip.IsLoopback() && ip.Is4() {
			return n.ensureSysctl("net/ipv4/conf/"+name+"/route_localnet", "1")
		}
	}
	return nil
}
