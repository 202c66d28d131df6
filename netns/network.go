package netns

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
)

// Config is the pod network of one node.
type Config struct {
	Bridge    string       // interface name; default podd0
	CIDR      netip.Prefix // IPv4, /8 to /30; the first address is the gateway's
	LeaseDir  string       // on tmpfs: leases die with the interfaces that they describe
	MTU       int          // bytes; 0 leaves the kernel's 1500
	TableName string       // of the nftables table in family ip; default podd
	ProcSys   string       // default /proc/sys
}

// Network is the bridge that pods are attached to. Its methods may be called at the same time.
type Network struct {
	cfg     Config
	gateway netip.Addr
	leases  *leases
	bridge  atomic.Int64 // interface index; 0 until EnsureHost
	deleter deleter

	hostMu sync.Mutex // one EnsureHost or RemoveHost at a time
	connMu sync.Mutex
	conn   *rtnl // opened at first use, in the namespace of the process
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
	if len(c.Bridge) > maxName {
		return nil, fmt.Errorf("cannot use %q as a bridge name: more than %d bytes", c.Bridge, maxName)
	}
	if !c.CIDR.IsValid() || !c.CIDR.Addr().Is4() || c.CIDR.Bits() < 8 || c.CIDR.Bits() > 30 {
		return nil, fmt.Errorf("cannot use %q as the pod network: want an IPv4 prefix between /8 and /30", c.CIDR)
	}
	if c.LeaseDir == "" {
		return nil, fmt.Errorf("cannot keep leases: %w", os.ErrInvalid)
	}
	c.CIDR = c.CIDR.Masked()
	gateway := c.CIDR.Addr().Next()
	return &Network{cfg: c, gateway: gateway, leases: newLeases(c.LeaseDir, c.CIDR)}, nil
}

// Gateway is the address of the bridge, which pods use as their default route.
func (n *Network) Gateway() netip.Addr { return n.gateway }

// host is the socket of the process's own network namespace.
func (n *Network) host() (*rtnl, error) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	if n.conn == nil {
		c, err := dial()
		if err != nil {
			return nil, err
		}
		n.conn = c
	}
	return n.conn, nil
}

// Close gives up the socket; the network stays as it is.
func (n *Network) Close() {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	if n.conn != nil {
		n.conn.close()
		n.conn = nil
	}
}
