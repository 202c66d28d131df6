package nfs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

func checkAddr(word, value string) error {
	if _, err := netip.ParseAddr(value); err != nil {
		return fmt.Errorf("mount option %q: its value is no address", word)
	}
	return nil
}

// family is what a protocol says of addresses. As with mount.nfs, a name is looked up for IPv4 alone if a protocol is named.
func family(proto string) string {
	switch {
	case strings.HasSuffix(proto, "6"):
		return "ip6"
	case proto != "":
		return "ip4"
	}
	return "ip"
}

// resolve finds the addresses of a server, the best first.
func resolve(ctx context.Context, server, proto string) ([]netip.Addr, error) {
	server = strings.Trim(server, "[]")
	if addr, err := netip.ParseAddr(server); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	list, err := net.DefaultResolver.LookupNetIP(ctx, family(proto), server)
	if err != nil {
		// The words of getaddrinfo, which do not change from try to try.
		reason := "Temporary failure in name resolution"
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			reason = "Name or service not known"
		}
		return nil, fmt.Errorf("failed to resolve server %s: %s", server, reason)
	}
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return list, nil
}

// protoFor is a protocol as the kernel has it for an address.
func protoFor(proto string, addr netip.Addr) string {
	proto = strings.TrimSuffix(proto, "6")
	if addr.Is6() {
		proto += "6"
	}
	return proto
}

// localAddr is the board's own address towards a server, where that may call back: no packet is sent.
func localAddr(server netip.Addr) (string, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, 2049)))
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().String(), nil
}

// data is what the kernel is told beside the flags. Its own part of the mount protocol of version 3 takes the rest from the
// server: it asks rpcbind for the ports of nfsd and mountd, and mountd for the root.
func (o *options) data(ctx context.Context, v version, addr netip.Addr) (string, error) {
	list := append([]string{"vers=" + v.String()}, o.kernel...)
	if !o.shares {
		// What is done by force at the end of a pod is then done to no other pod's files.
		list = append(list, "nosharecache")
	}
	if o.proto != "" {
		list = append(list, "proto="+protoFor(o.proto, addr))
	}
	if o.port != "" {
		list = append(list, "port="+o.port)
	}
	list = append(list, "addr="+addr.String())
	if v.major == 4 {
		client := o.clientAddr
		if client == "" {
			var err error
			if client, err = localAddr(addr); err != nil {
				return "", err
			}
		}
		return strings.Join(append(list, "clientaddr="+client), ","), nil
	}
	mountd := o.mountAddr
	if mountd == "" && o.mountHost != "" {
		found, err := resolve(ctx, o.mountHost, o.mountProto)
		if err != nil {
			return "", err
		}
		mountd = found[0].String()
	}
	if mountd != "" {
		list = append(list, "mountaddr="+mountd)
	}
	if o.mountProto != "" {
		list = append(list, "mountproto="+o.mountProto)
	}
	return strings.Join(list, ","), nil
}
