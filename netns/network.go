// Package netns gives a pod its place on the network.
//
// A [Network] is one bridge with a gateway address, one lease file
// per address, one veth pair per pod, and one nftables table that masquerades what leaves.
//
// Every verb can be repeated, and finishes what a crash left half done.
package netns

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"podd/internal/atomicfile"
	"podd/internal/lease"
	"podd/netns/rtnetlink"
)

// Config is the pod network of one node.
type Config struct {
	Bridge    string       // interface that has the gateway's addresses; default podd0
	CIDR      netip.Prefix // IPv4, /8 to /30; the first address is the gateway's
	CIDR6     netip.Prefix // IPv6, a pod's address in it counts as its IPv4 one does in CIDR; invalid: IPv4 only
	LeaseDir  string       // on tmpfs: leases die with the interfaces that they describe
	MTU       int          // bytes; 0 follows the uplink
	TableName string       // of the nftables table in family inet; default podd
	ProcSys   string       // default /proc/sys
	// ServiceCIDRs are where ClusterIPs come from: the node itself needs a route to them, or a machine
	// without an uplink could not open a connection for the rules to translate.
	ServiceCIDRs []netip.Prefix
	// PortInterfaces and PortSources limit who reaches pods from outside, through host ports, node ports and addresses of
	// load balancers; none: anybody.
	PortInterfaces []string
	PortSources    []netip.Prefix
	// PodSources reach pods and ClusterIPs from outside at their own addresses; none: nobody but whom a policy admits.
	PodSources []netip.Prefix
	// Router forwards what is neither from nor to pods, too, where forwarding is on for podd's sake.
	Router  bool
	Damaged atomicfile.Report // of leases; nil: nobody is told
	// Changed is told, once each time, what the network begins to do otherwise than it is configured, or as it is again: one
	// of the reasons of this package and a sentence. nil: nobody is told.
	Changed func(reason, sentence string)
}

// Network is what pods are attached to. Its methods may be called at the same time.
type Network struct {
	cfg      Config
	gateway  netip.Addr
	gateway6 netip.Addr // invalid without IPv6
	leases   *lease.Leases[netip.Addr]
	rules    *table
	bridge   atomic.Int64 // interface index; 0 until EnsureHost
	mtu      atomic.Int64 // of pods' links; 0: the kernel's default
	overlap  atomic.Pointer[overlap]
	shadowed atomic.Pointer[[]netip.Prefix] // networks that have addresses of Services'
	deleter  deleter
	without6 atomic.Bool                                  // the machine has IPv6 disabled
	links4   atomic.Bool                                  // it has for new links
	trouble  atomic.Pointer[func(what string, err error)] // as Watch was given it

	podsMu   sync.Mutex
	pods     map[string]Pod  // attached, by id
	suspects map[string]bool // pods that may have lost something

	hostMu sync.Mutex // one EnsureHost or RemoveHost at a time
	connMu sync.Mutex
	conn   *rtnetlink.Conn // opened at first use, in the namespace of the process

	forwarding forwarding
	repairer   repairer
	addresses  addresses
	hostPorts  hostPorts
	hostSide   hostSide
	uplinks    uplinks
}

// New checks the configuration; it touches nothing.
func New(c Config) (*Network, error) {
	if c.Bridge == "" {
		c.Bridge = "podd0"
	}
	if c.TableName == "" {
		c.TableName = "podd"
	}
	if c.ProcSys == "" {
		c.ProcSys = "/proc/sys"
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.CIDR = c.CIDR.Masked()
	n := &Network{cfg: c, gateway: c.CIDR.Addr().Next(), leases: newLeases(c.LeaseDir, c.CIDR, c.Damaged), pods: map[string]Pod{}, suspects: map[string]bool{}}
	n.forwarding = forwarding{n}
	n.repairer = repairer{n}
	n.addresses = addresses{n}
	n.hostPorts = hostPorts{n}
	n.hostSide = hostSide{n}
	n.uplinks = uplinks{n}
	if c.CIDR6.IsValid() && haveIPv6(c.ProcSys) {
		n.cfg.CIDR6 = c.CIDR6.Masked()
		n.gateway6 = n.addr6(n.gateway)
	} else {
		n.cfg.CIDR6 = netip.Prefix{}
	}
	n.rules = newTable(&n.cfg)
	return n, nil
}

func (c *Config) check() error {
	if len(c.Bridge) > maxName {
		return fmt.Errorf("cannot use %q as a bridge name: more than %d bytes", c.Bridge, maxName)
	}
	if !c.CIDR.IsValid() || !c.CIDR.Addr().Is4() || c.CIDR.Bits() < 8 || c.CIDR.Bits() > 30 {
		return fmt.Errorf("cannot use %q as the pod network: want an IPv4 prefix between /8 and /30", c.CIDR)
	}
	room := 128 - (32 - c.CIDR.Bits())
	if c.CIDR6.IsValid() && (!c.CIDR6.Addr().Is6() || c.CIDR6.Addr().Is4In6() || c.CIDR6.Bits() > room || c.CIDR6.Bits() < 32) {
		return fmt.Errorf("cannot use %q as the pods' IPv6 network: want a prefix between /32 and /%d, as many addresses as %s has", c.CIDR6, room, c.CIDR)
	}
	for _, s := range c.ServiceCIDRs {
		if s.Overlaps(c.CIDR) || c.CIDR6.IsValid() && s.Overlaps(c.CIDR6) {
			return fmt.Errorf("%w: Services cannot have %s, pods have %s and %s", ErrOverlap, s, c.CIDR, c.CIDR6)
		}
	}
	if c.LeaseDir == "" {
		return fmt.Errorf("cannot keep leases: %w", os.ErrInvalid)
	}
	return nil
}

// haveIPv6 is false on a kernel without it or with it switched off at boot.
func haveIPv6(procSys string) bool {
	_, err := os.Stat(procSys + "/net/ipv6")
	return err == nil
}

// addr6 is the IPv6 address that goes with an IPv4 one: the same distance from the start of the network.
func (n *Network) addr6(ip netip.Addr) netip.Addr {
	if !n.cfg.CIDR6.IsValid() || !n.cfg.CIDR.Contains(ip) {
		return netip.Addr{}
	}
	from, a, base := n.cfg.CIDR.Addr().As4(), ip.As4(), n.cfg.CIDR6.Addr().As16()
	for i := range a {
		base[12+i] |= a[i] ^ from[i]
	}
	return netip.AddrFrom16(base)
}

// Gateway is the node's address on the pod network, which pods use as their default route.
func (n *Network) Gateway() netip.Addr { return n.gateway }

// Gateway6 is the same in IPv6; invalid without.
func (n *Network) Gateway6() netip.Addr { return n.gateway6 }

// host is the socket of the process's own network namespace.
func (n *Network) host() (*rtnetlink.Conn, error) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	if n.conn == nil {
		c, err := rtnetlink.Dial()
		if err != nil {
			return nil, err
		}
		n.conn = c
	}
	return n.conn, nil
}

// Close gives up the sockets; the network stays as it is.
func (n *Network) Close() {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
	n.rules.close()
}
