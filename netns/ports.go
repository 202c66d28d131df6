package netns

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"podd/netns/nft"
)

// hostPorts says whose a port of the node is.
type hostPorts struct{ n *Network }

// HostPort forwards a port of the node to a pod.
type HostPort struct {
	HostIP    netip.Addr // one address of the node; unspecified or none: all of its family, or of both
	Protocol  Protocol
	HostPort  uint16
	Container uint16 // the port inside the pod
}

func (p HostPort) String() string {
	if p.HostIP.IsValid() && !p.HostIP.IsUnspecified() {
		return fmt.Sprintf("%s/%s", netip.AddrPortFrom(p.HostIP, p.HostPort), p.Protocol)
	}
	return fmt.Sprintf("%d/%s", p.HostPort, p.Protocol)
}

// covers says whether the port is open on addresses of the family.
func (p HostPort) covers(f nft.Family) bool {
	return !p.HostIP.IsValid() || p.HostIP.Is4() == (f.Bits == 32)
}

// clashes follows the scheduler's rule: an unspecified address takes the port on every other
// (kubernetes, NodePorts).
func (p HostPort) clashes(o HostPort) bool {
	if p.Protocol != o.Protocol || p.HostPort != o.HostPort {
		return false
	}
	anyP, anyO := !p.HostIP.IsValid() || p.HostIP.IsUnspecified(), !o.HostIP.IsValid() || o.HostIP.IsUnspecified()
	return anyP || anyO || p.HostIP == o.HostIP
}

// Names of the host ports' maps, less the family.
const (
	setPorts           = "host-ports"      // protocol, port: to address, port
	setPortsAt         = "host-ports-at"   // address, protocol, port: likewise
	setKeptPorts       = "host-ports-kept" // address, protocol, port: of a process of the machine, though a pod has the port
	setHairpinPorts    = "hairpin-ports"   // address, the same again: pods that may meet themselves
	setHairpinServices = "hairpin-services"
)

// renderPorts forwards what the pods' host ports take.
func renderPorts(pods map[string]Pod, addressesOf func(id string) []netip.Addr, listening func(Protocol) []listener) *nft.Ruleset {
	r := nft.NewRuleset()
	for _, f := range nft.Families() {
		ports := r.AddSet(&nft.Set{Name: setPorts + f.Suffix, Key: []nft.Field{nft.FieldProto, nft.FieldPort}, Data: []nft.Field{f.Addr, nft.FieldPort}})
		at := r.AddSet(&nft.Set{Name: setPortsAt + f.Suffix, Key: []nft.Field{f.Addr, nft.FieldProto, nft.FieldPort}, Data: []nft.Field{f.Addr, nft.FieldPort}})
		spared := r.AddSet(&nft.Set{Name: setKeptPorts + f.Suffix, Key: []nft.Field{f.Addr, nft.FieldProto, nft.FieldPort}})
		hairpin := r.AddSet(&nft.Set{Name: setHairpinPorts + f.Suffix, Key: []nft.Field{f.Addr, f.Addr}})
		for id := range pods {
			for _, ip := range addressesOf(id) {
				if ip.Is4() != (f.Bits == 32) || ip.Is6() && pods[id].IPv4Only {
					continue
				}
				for _, p := range pods[id].Ports {
					addHostPort(f, p, ip, ports, at, hairpin)
					keepPort(f, p, listening, spared)
				}
			}
		}
	}
	return r
}

func addHostPort(f nft.Family, p HostPort, ip netip.Addr, ports, at, hairpin *nft.Set) {
	if !p.covers(f) {
		return
	}
	target := nft.AddrPortValue(netip.AddrPortFrom(ip, p.Container))
	proto, port := []byte{byte(p.Protocol)}, nft.PortBytes(p.HostPort)
	hairpin.Add(nft.KeyOf(ip.AsSlice(), ip.AsSlice()), "")
	if p.HostIP.IsValid() && !p.HostIP.IsUnspecified() {
		at.Add(nft.KeyOf(p.HostIP.AsSlice(), proto, port), target)
		return
	}
	ports.Add(nft.KeyOf(proto, port), target)
}

// keepPort leaves a port to those who listen to it on an address of their own, such as podd's name server and systemd's.
func keepPort(f nft.Family, p HostPort, listening func(Protocol) []listener, spared *nft.Set) {
	if !p.covers(f) || p.HostIP.IsValid() && !p.HostIP.IsUnspecified() || p.Protocol == SCTP {
		return
	}
	for _, ip := range kept(listening(p.Protocol), f, p.HostPort) {
		spared.Add(nft.KeyOf(ip.AsSlice(), []byte{byte(p.Protocol)}, nft.PortBytes(p.HostPort)), "")
	}
}

// claim takes the host ports for the pod, all of them or none. It says whether the pod has been attached before.
func (hp hostPorts) claim(p Pod) (known bool, err error) {
	hp.n.podsMu.Lock()
	defer hp.n.podsMu.Unlock()
	if _, known = hp.n.pods[p.ID]; !known {
		for _, port := range p.Ports {
			for id, other := range hp.n.pods {
				for _, o := range other.Ports {
					if port.clashes(o) {
						return false, fmt.Errorf("%w: host port %s belongs to pod %s", ErrTaken, port, cmpName(other.Name, id))
					}
				}
			}
			if err := hp.overlaps(port); err != nil {
				return false, err
			}
		}
	}
	hp.n.pods[p.ID] = p
	return known, nil
}

func cmpName(name, id string) string {
	if name != "" {
		return fmt.Sprintf("%q", name)
	}
	return id
}

// overlaps is hostUses for a pod's port, which others may have on addresses of their own: those are left out of what is
// translated.
func (hp hostPorts) overlaps(p HostPort) error {
	err := hp.hostUses(p)
	if err == nil || p.HostIP.IsValid() && !p.HostIP.IsUnspecified() || p.Protocol == SCTP {
		return err
	}
	list, lerr := listeners(p.Protocol)
	if lerr != nil {
		return err
	}
	others := false
	for _, f := range nft.Families() {
		if !p.covers(f) || f.Bits == 128 && !hp.n.cfg.CIDR6.IsValid() {
			continue
		}
		if l := holder(list, f, p.HostPort); l != nil {
			if name := nameOf(l.inode); name != "" {
				return fmt.Errorf("%w: host port %s is used by %s on all addresses; let that listen on some only, or stop it", ErrTaken, p, name)
			}
			return err
		}
		others = others || len(kept(list, f, p.HostPort)) > 0
	}
	if others {
		return nil
	}
	return err
}

// hostUses finds out whether a process of the node has the port by asking for it too: translation would
// take it away from that process without a word.
func (hp hostPorts) hostUses(p HostPort) error {
	for _, f := range nft.Families() {
		if !p.covers(f) || f.Bits == 128 && !hp.n.cfg.CIDR6.IsValid() {
			continue
		}
		if err := tryPort(f, p); err != nil {
			return fmt.Errorf("%w: host port %s is used by a process of this machine; stop that, or write a hostIP that it does not listen on", ErrTaken, p)
		}
	}
	return nil
}

// tryPort reports nothing but a port in use: an address that the node does not have yet, or a protocol that
// its kernel has no sockets for, can still be forwarded.
func tryPort(f nft.Family, p HostPort) error {
	kind := unix.SOCK_STREAM
	if p.Protocol == UDP {
		kind = unix.SOCK_DGRAM
	}
	domain, addr := unix.AF_INET, sockaddr(f, p)
	if f.Bits == 128 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, int(p.Protocol))
	if err != nil {
		return nil // no such protocol here
	}
	defer unix.Close(fd)
	if p.Protocol == TCP {
		// Connections of the past (TIME_WAIT) are in nobody's way; listeners still are.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if f.Bits == 128 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	err = unix.Bind(fd, addr)
	// A connection of the machine's own may have got the number for its near end. Translation leaves it alone.
	if errors.Is(err, unix.EADDRINUSE) && (p.Protocol != TCP || someoneListens(p.HostPort)) {
		return err
	}
	return nil
}

func sockaddr(f nft.Family, p HostPort) unix.Sockaddr {
	ip := f.Any.Addr()
	if p.HostIP.IsValid() {
		ip = p.HostIP
	}
	if f.Bits == 32 {
		return &unix.SockaddrInet4{Port: int(p.HostPort), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(p.HostPort), Addr: ip.As16()}
}
