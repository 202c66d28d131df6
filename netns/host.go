package netns

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// EnsureHost makes what all pods share: the bridge with the gateway's address, forwarding, and
// the nftables table. It repairs what is missing or was changed, and leaves alone what is right.
func (n *Network) EnsureHost() error {
	n.hostMu.Lock()
	defer n.hostMu.Unlock()
	host, err := n.host()
	if err != nil {
		return err
	}
	if err := n.ensureBridge(host); err != nil {
		return fmt.Errorf("cannot prepare bridge %s: %w", n.cfg.Bridge, err)
	}
	if err := n.ensureForwarding(); err != nil {
		return fmt.Errorf("cannot turn on forwarding: %w", err)
	}
	if err := n.ensureRules(); err != nil {
		return fmt.Errorf("cannot prepare nftables table %s: %w", n.cfg.TableName, err)
	}
	return nil
}

func (n *Network) ensureBridge(host *rtnl) error {
	l, err := host.getLink(n.cfg.Bridge)
	if err != nil {
		return err
	}
	made := false
	if l == nil {
		made = true
		if l, err = n.makeBridge(host); err != nil {
			return err
		}
	}
	if l.kind != "bridge" {
		return fmt.Errorf("%w: %s", ErrNotABridge, l.kind)
	}
	addr := netip.PrefixFrom(n.gateway, n.cfg.CIDR.Bits())
	if _, err := host.do(setUp(l.index), setAddr(l.index, addr)); err != nil {
		return err
	}
	n.bridge.Store(int64(l.index))
	if made {
		return n.reclaimPorts(host, l.index)
	}
	return nil
}

func (n *Network) makeBridge(host *rtnl) (*link, error) {
	_, err := host.do(createBridge(n.cfg.Bridge, macOf(n.gateway), n.cfg.MTU))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	l, err := host.getLink(n.cfg.Bridge)
	if err == nil && l == nil {
		err = fmt.Errorf("interface is gone again: %w", unix.ENODEV)
	}
	return l, err
}

// reclaimPorts gives a bridge that somebody had deleted its pods back.
func (n *Network) reclaimPorts(host *rtnl, bridge int) error {
	ids, err := n.leases.holders()
	if err != nil {
		return err
	}
	for _, id := range ids {
		l, err := host.getLink(hostIf(id))
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		if _, err := host.do(enslave(l.index, bridge)); err != nil {
			return err
		}
	}
	return nil
}

// ensureForwarding writes only when it must: /proc/sys may be read-only and right.
func (n *Network) ensureForwarding() error {
	path := filepath.Join(n.cfg.ProcSys, "net/ipv4/ip_forward")
	now, err := os.ReadFile(path)
	if err != nil || bytes.Equal(bytes.TrimSpace(now), []byte("1")) {
		return err
	}
	return os.WriteFile(path, []byte("1"), 0o644)
}

// RemoveHost takes the table and the bridge away. A bridge that podd did not make (its address is
// another) only loses the gateway's address. Forwarding stays on: others may count on it by now.
func (n *Network) RemoveHost() error {
	n.hostMu.Lock()
	defer n.hostMu.Unlock()
	host, err := n.host()
	if err != nil {
		return err
	}
	if err := n.removeRules(); err != nil {
		return fmt.Errorf("cannot remove nftables table %s: %w", n.cfg.TableName, err)
	}
	n.bridge.Store(0)
	l, err := host.getLink(n.cfg.Bridge)
	if err != nil || l == nil {
		return err
	}
	if l.kind == "bridge" && l.mac == string(macOf(n.gateway)) {
		return host.deleteLink(n.cfg.Bridge)
	}
	r := setAddr(l.index, netip.PrefixFrom(n.gateway, n.cfg.CIDR.Bits()))
	r.Type, r.Flags = unix.RTM_DELADDR, unix.NLM_F_REQUEST
	if _, err := host.do(r); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("cannot take the gateway address off %s: %w", n.cfg.Bridge, err)
	}
	return nil
}
