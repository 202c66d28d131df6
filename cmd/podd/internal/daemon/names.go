package daemon

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/netns"
	"podd/netns/dns"
)

// descriptors keep sockets while no daemon lives.
type descriptors interface {
	Received() map[string]int
	Put(name string, fd int) error
	Remove(name string) error
}

// names is the name server of the pods, on the addresses of their bridge and nowhere else.
type names struct {
	*dns.Server
	wanted []netip.Addr
	store  descriptors
	// trouble is told each new reason why an address is not served.
	trouble func(error)

	mu     sync.Mutex
	served []netip.Addr
	said   map[netip.Addr]string
}

// openNames takes over the sockets of an earlier daemon, with the questions that wait in them, or opens new ones.
func openNames(o dns.Options, wanted []netip.Addr, store descriptors, trouble func(error)) *names {
	n := &names{Server: dns.New(o), store: store, trouble: trouble, said: map[netip.Addr]string{}}
	for _, ip := range wanted {
		if ip.IsValid() {
			n.wanted = append(n.wanted, ip)
		}
	}
	n.Addrs()
	return n
}

// Addrs are the addresses that are served. What another program had is tried again each time.
func (n *names) Addrs() []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.served) == len(n.wanted) {
		return n.served
	}
	var served []netip.Addr
	for _, ip := range n.wanted {
		if n.serves(ip) || n.listen(ip) {
			served = append(served, ip)
		}
	}
	n.served = served
	return served
}

func (n *names) serves(ip netip.Addr) bool {
	for _, s := range n.served {
		if s == ip {
			return true
		}
	}
	return false
}

func (n *names) listen(ip netip.Addr) bool {
	addr := netip.AddrPortFrom(ip, dns.Port53)
	sockets, err := n.inherit(addr)
	if sockets == nil {
		sockets, err = dns.Listen(addr)
		if err == nil {
			err = sockets.Files(func(udp, tcp int) error { return n.keep(ip, udp, tcp) })
		}
	}
	if err != nil && n.said[ip] != err.Error() {
		n.said[ip] = err.Error()
		n.trouble(err)
	}
	if sockets == nil {
		return false
	}
	n.Serve(sockets)
	return true
}

// socketNames are what the store knows an address's sockets by. A name has no colon.
func socketNames(ip netip.Addr) (udp, tcp string) {
	s := strings.ReplaceAll(ip.String(), ":", "-")
	return "dns.udp." + s, "dns.tcp." + s
}

func (n *names) inherit(addr netip.AddrPort) (*dns.Sockets, error) {
	udpName, tcpName := socketNames(addr.Addr())
	fds := n.store.Received()
	udp, haveUDP := fds[udpName]
	tcp, haveTCP := fds[tcpName]
	if !haveUDP || !haveTCP {
		return nil, nil // what is there alone is closed with all that nobody claims
	}
	delete(fds, udpName)
	delete(fds, tcpName)
	sockets, err := dns.Inherit(addr, udp, tcp)
	if err != nil {
		n.forget(addr.Addr())
	}
	return sockets, err
}

func (n *names) keep(ip netip.Addr, udp, tcp int) error {
	udpName, tcpName := socketNames(ip)
	if err := n.store.Put(udpName, udp); err != nil {
		return err
	}
	return n.store.Put(tcpName, tcp)
}

func (n *names) forget(ip netip.Addr) {
	udpName, tcpName := socketNames(ip)
	for _, name := range []string{udpName, tcpName} {
		if err := n.store.Remove(name); err != nil {
			n.trouble(err)
		}
	}
}

// clear ends the service for good: there are no pods.
func (n *names) clear() {
	n.Close()
	for _, ip := range n.wanted {
		n.forget(ip)
	}
}

// openNames makes the pods' name server.
func (d *daemon) openNames() {
	d.names = openNames(dns.Options{Clients: podCIDRs(d.config.Network())}, []netip.Addr{d.network.Gateway(), d.network.Gateway6()}, d.manager, func(err error) {
		d.log.Error("names are not served; new pods get the host's name servers instead", "error", err)
		d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeWarning, "NamesNotServed", err.Error()+"; new pods get the host's name servers instead")
	})
}

func podCIDRs(n netns.Config) []netip.Prefix {
	list := []netip.Prefix{n.CIDR}
	if n.CIDR6.IsValid() {
		list = append(list, n.CIDR6)
	}
	return list
}
