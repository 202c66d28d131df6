package netns

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Names of the Services' maps, less the family.
const (
	setServices    = "services"    // address, protocol, port: to the Service's chain
	setNodePorts   = "node-ports"  // protocol, port: likewise
	setNobody      = "nobody"      // address, protocol, port of a Service without endpoints
	setNobodyOn    = "nobody-on"   // protocol, port of a node port without endpoints
	setClusters    = "cluster-ips" // addresses that exist in the table only
	affinityPrefix = "aff"         // of the sets of clients

	setHealth = "health-ports" // protocol, port of the node's own answers to load balancers

	setRemotes = "remotes" // address, protocol, port of endpoints that are elsewhere
)

// renderServices builds maps and chains: a packet costs one lookup of its destination and, with more than
// one endpoint, one of a random number, however many there are.
func renderServices(t ServiceTable) *ruleset {
	r := newRuleset()
	health := r.addSet(&set{name: setHealth, key: []field{fieldProto, fieldPort}})
	for i := range t {
		if port := t[i].HealthPort; port != 0 {
			health.add(keyOf([]byte{byte(TCP)}, portBytes(port)), "")
		}
	}
	for _, f := range families() {
		r.addSet(&set{name: setServices + f.suffix, key: []field{f.addr, fieldProto, fieldPort}, verdicts: true})
		r.addSet(&set{name: setNodePorts + f.suffix, key: []field{fieldProto, fieldPort}, verdicts: true})
		r.addSet(&set{name: setNobody + f.suffix, key: []field{f.addr, fieldProto, fieldPort}})
		r.addSet(&set{name: setNobodyOn + f.suffix, key: []field{fieldProto, fieldPort}})
		r.addSet(&set{name: setClusters + f.suffix, key: []field{f.addr}})
		r.addSet(&set{name: setRemotes + f.suffix, key: []field{f.addr, fieldProto, fieldPort}})
		r.addSet(&set{name: setHairpinServices + f.suffix, key: []field{f.addr, f.addr}})
		for i := range t {
			renderService(r, f, &t[i])
		}
	}
	return r
}

func renderService(r *ruleset, f family, p *ServicePort) {
	ends := p.endpoints(f)
	proto := []byte{byte(p.Protocol)}
	for _, e := range ends {
		ip := e.Addr.Addr().AsSlice()
		if e.Remote {
			r.sets[setRemotes+f.suffix].add(keyOf(ip, proto, portBytes(e.Addr.Port())), "")
		} else {
			r.sets[setHairpinServices+f.suffix].add(keyOf(ip, ip), "")
		}
	}
	inside, outside := "", ""
	if len(ends) > 0 {
		inside = renderEndpoints(r, f, p, ends, p.InternalLocal)
		switch {
		case p.ExternalLocal:
			outside = renderOutside(r, f, p, ends)
		case p.InternalLocal:
			outside = renderEndpoints(r, f, p, ends, false)
		default:
			outside = inside
		}
	}
	front := func(list []netip.Addr, target string) {
		for _, ip := range list {
			if ip.Is4() != (f.bits == 32) {
				continue
			}
			key := keyOf(ip.AsSlice(), proto, portBytes(p.Port))
			if target == "" {
				r.sets[setNobody+f.suffix].add(key, "")
			} else {
				r.sets[setServices+f.suffix].add(key, target)
			}
		}
	}
	front(p.External, outside)
	front(p.ClusterIPs, inside)
	for _, ip := range p.ClusterIPs {
		if ip.Is4() == (f.bits == 32) {
			r.sets[setClusters+f.suffix].add(keyOf(ip.AsSlice()), "")
		}
	}
	if p.NodePort == 0 {
		return
	}
	if key := keyOf(proto, portBytes(p.NodePort)); outside == "" {
		r.sets[setNobodyOn+f.suffix].add(key, "")
	} else {
		r.sets[setNodePorts+f.suffix].add(key, outside)
	}
}

// endpoints are those of the family, in an order of their own.
func (p *ServicePort) endpoints(f family) []Endpoint {
	var ends []Endpoint
	for _, e := range p.Endpoints {
		if e.Addr.Addr().Is4() == (f.bits == 32) {
			ends = append(ends, e)
		}
	}
	sort.Slice(ends, func(i, j int) bool { return ends[i].Addr.Compare(ends[j].Addr) < 0 })
	return slices.CompactFunc(ends, func(a, b Endpoint) bool { return a.Addr == b.Addr })
}

// renderOutside makes the chain of addresses outside under a Local policy. The node and its pods are not outside: what
// they send stays here, and may go to any endpoint, as with kube-proxy.
func renderOutside(r *ruleset, f family, p *ServicePort, ends []Endpoint) string {
	local := renderEndpoints(r, f, p, ends, true)
	if !slices.ContainsFunc(ends, func(e Endpoint) bool { return e.Remote }) {
		return local
	}
	all := renderEndpoints(r, f, p, ends, false)
	c := r.chain("ext"+f.suffix+"-"+shortHash(p.Name), nil)
	c.add(p.Name+": from pods", fromPods(), goTo(all))
	c.add(p.Name+": from the node", fromThisHost(), goTo(all))
	c.add(p.Name+": from outside", goTo(local))
	return c.name
}

// renderEndpoints makes the chain that deals connections to endpoints, and returns its name. The name is
// the Service's: a change behind it leaves the maps in front alone.
func renderEndpoints(r *ruleset, f family, p *ServicePort, ends []Endpoint, local bool) string {
	suffix := f.suffix
	if local {
		suffix += "l"
	}
	ends = takingNew(ends, local)
	name := "svc" + suffix + "-" + shortHash(p.Name)
	c := r.chain(name, nil)
	if len(ends) == 0 {
		c.add(p.Name+": no endpoint on this node", verdict(expr.VerdictDrop))
		return name
	}
	pick := pickEndpoint(r, f, name, ends)
	if p.Affinity <= 0 {
		c.add(p.Name, pick, f.dnat())
		return name
	}
	known := r.addSet(&set{
		// The time is part of the name: it cannot change otherwise.
		name: affinityPrefix + suffix + "-" + shortHash(p.Name, p.Affinity), key: []field{f.addr},
		data: []field{f.addr, fieldPort}, timeout: p.Affinity,
	})
	remember := append(f.loadAddr(f.source, f.words+1),
		&expr.Dynset{
			SrcRegKey: reg(f.words + 1), SrcRegData: reg(0), SetName: known.name,
			Operation: uint32(unix.NFT_DYNSET_OP_UPDATE), Timeout: p.Affinity,
		})
	members := r.addSet(&set{name: "eps" + suffix + "-" + shortHash(p.Name), key: []field{f.addr, fieldPort}})
	for _, e := range ends {
		members.add(addrPortValue(e.Addr), "")
	}
	// Who was here before goes where it went, if that is still an endpoint.
	c.add(p.Name+": known clients", f.loadAddr(f.source, 0), lookup(known.name), in(members.name, false), remember, f.dnat())
	c.add(p.Name, pick, remember, f.dnat())
	return name
}

// pickEndpoint leaves address and port of one of the endpoints in the registers.
func pickEndpoint(r *ruleset, f family, chain string, ends []Endpoint) []expr.Any {
	if len(ends) == 1 {
		a := ends[0].Addr
		return one(&expr.Immediate{Register: reg(0), Data: a.Addr().AsSlice()},
			&expr.Immediate{Register: reg(f.words), Data: portBytes(a.Port())})
	}
	choice := r.addSet(&set{name: "ends-" + chain, key: []field{fieldIndex}, data: []field{f.addr, fieldPort}})
	for i, e := range ends {
		choice.add(string(binary.NativeEndian.AppendUint32(nil, uint32(i))), addrPortValue(e.Addr))
	}
	return append(one(&expr.Numgen{Register: reg(0), Modulus: uint32(len(ends)), Type: unix.NFT_NG_RANDOM}), lookup(choice.name)...)
}
