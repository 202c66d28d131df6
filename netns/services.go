package netns

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns/inspect"
	"podd/netns/nft"
)

// Protocol is a transport protocol by its number.
type Protocol uint8

// The protocols that ports are of.
const (
	TCP  Protocol = unix.IPPROTO_TCP
	UDP  Protocol = unix.IPPROTO_UDP
	SCTP Protocol = unix.IPPROTO_SCTP
)

func (p Protocol) String() string {
	switch p {
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	case SCTP:
		return "SCTP"
	}
	return fmt.Sprint(uint8(p))
}

// ProtocolOf is the protocol that has a name; without one it is TCP, as Kubernetes has it.
func ProtocolOf(name string) Protocol {
	switch name {
	case "UDP":
		return UDP
	case "SCTP":
		return SCTP
	}
	return TCP
}

// ServicePort is one port of one Service: addresses in front, endpoints behind.
type ServicePort struct {
	Name       string // "namespace/name:port", unique in a table
	Protocol   Protocol
	ClusterIPs []netip.Addr // of either family; none for a headless Service, which needs no table
	Port       uint16
	NodePort   uint16       // on the node's own addresses but the loopback's; 0: none
	HealthPort uint16       // healthCheckNodePort, where podd itself answers; 0: none
	External   []netip.Addr // externalIPs and those of a load balancer, with Port
	// Affinity keeps a client's connections on one endpoint until it has opened none for that long;
	// 0: each connection is dealt anew.
	Affinity time.Duration
	// InternalLocal and ExternalLocal leave out endpoints that are not on this node (internalTrafficPolicy,
	// externalTrafficPolicy); a Service that has only others is then silent.
	InternalLocal, ExternalLocal bool
	// Endpoints of either family, ready ones and terminating ones that still serve.
	Endpoints []Endpoint
}

// Endpoint is one place where a Service is served.
type Endpoint struct {
	Addr   netip.AddrPort
	Remote bool // not on this node: answers find their way back only if it is the node that asks
	// Terminating endpoints get new connections only where no other one is left for them. KEP-1669
	Terminating bool
}

// takingNew are those of ends that get new connections, of this node's only with local.
func takingNew(ends []Endpoint, local bool) []Endpoint {
	var ready, terminating []Endpoint
	for _, e := range ends {
		switch {
		case local && e.Remote:
		case e.Terminating:
			terminating = append(terminating, e)
		default:
			ready = append(ready, e)
		}
	}
	if len(ready) == 0 {
		return terminating
	}
	return ready
}

// ServiceTable is all Services of the node.
type ServiceTable []ServicePort

// Services is the Services' part of the network's rules.
type Services struct{ n *Network }

// Services returns the network's Services. Who asks for it promises to call Apply, which the network waits
// for before it replaces the rules of an earlier daemon.
func (n *Network) Services() *Services {
	n.rules.expectServices()
	return &Services{n}
}

// Apply makes the kernel forward what the table says, all of it in one transaction or nothing. Services that
// have not changed are not touched, and no connection is: only new ones meet the new table. What the kernel
// remembers of UDP, which knows no connections, is dropped where its endpoint has gone.
func (s *Services) Apply(t ServiceTable) error {
	if err := t.check(); err != nil {
		return err
	}
	changed, err := s.n.rules.setServices(t)
	if err != nil {
		return fmt.Errorf("cannot forward to Services: %w", err)
	}
	if err := changed.forgetStale(); err != nil {
		return fmt.Errorf("cannot drop connections to endpoints that have gone: %w", err)
	}
	return nil
}

// InUse says whether a process of the machine listens on a port of an address, or without one of any address of the machine
// that has node ports: all but the loopback's.
func (s *Services) InUse(ip netip.Addr, p Protocol, port uint16) bool {
	if ip.IsValid() {
		return tryPort(nft.FamilyOf(ip), HostPort{HostIP: ip, Protocol: p, HostPort: port}) != nil
	}
	if s.n.hostPorts.hostUses(HostPort{Protocol: p, HostPort: port}) == nil {
		return false
	}
	addrs, err := inspect.HostIPs()
	return err == nil && slices.ContainsFunc(addrs, func(ip netip.Addr) bool { return s.InUse(ip, p, port) })
}

// check refuses what the maps could not hold: one address and port that lead to two Services.
func (t ServiceTable) check() error {
	taken := map[string]string{}
	for i := range t {
		p := &t[i]
		for _, frontend := range p.frontends() {
			if other, ok := taken[frontend]; ok {
				return fmt.Errorf("%w: %s and %s both have %s", ErrTaken, other, p.Name, frontend)
			}
			taken[frontend] = p.Name
		}
	}
	return nil
}

// frontends are the addresses and ports that lead to the Service, in words.
func (p *ServicePort) frontends() []string {
	var all []string
	seen := map[netip.Addr]bool{}
	for _, list := range [][]netip.Addr{p.ClusterIPs, p.External} {
		for _, ip := range list {
			if !seen[ip] {
				seen[ip] = true
				all = append(all, fmt.Sprintf("%s port %d/%s", ip, p.Port, p.Protocol))
			}
		}
	}
	if p.NodePort != 0 {
		all = append(all, fmt.Sprintf("node port %d/%s", p.NodePort, p.Protocol))
	}
	return all
}
