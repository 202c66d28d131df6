package netns

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"podd/netns/nft"
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
func renderServices(t ServiceTable) *nft.Ruleset {
	r := nft.NewRuleset()
	health := r.AddSet(&nft.Set{Name: setHealth, Key: []nft.Field{nft.FieldProto, nft.FieldPort}})
	for i := range t {
		if port := t[i].HealthPort; port != 0 {
			health.Add(nft.KeyOf([]byte{byte(TCP)}, nft.PortBytes(port)), "")
		}
	}
	for _, f := range nft.Families() {
		r.AddSet(&nft.Set{Name: setServices + f.Suffix, Key: []nft.Field{f.Addr, nft.FieldProto, nft.FieldPort}, Verdicts: true})
		r.AddSet(&nft.Set{Name: setNodePorts + f.Suffix, Key: []nft.Field{nft.FieldProto, nft.FieldPort}, Verdicts: true})
		r.AddSet(&nft.Set{Name: setNobody + f.Suffix, Key: []nft.Field{f.Addr, nft.FieldProto, nft.FieldPort}})
		r.AddSet(&nft.Set{Name: setNobodyOn + f.Suffix, Key: []nft.Field{nft.FieldProto, nft.FieldPort}})
		r.AddSet(&nft.Set{Name: setClusters + f.Suffix, Key: []nft.Field{f.Addr}})
		r.AddSet(&nft.Set{Name: setRemotes + f.Suffix, Key: []nft.Field{f.Addr, nft.FieldProto, nft.FieldPort}})
		r.AddSet(&nft.Set{Name: setHairpinServices + f.Suffix, Key: []nft.Field{f.Addr, f.Addr}})
		for i := range t {
			renderService(r, f, &t[i])
		}
	}
	return r
}

func renderService(r *nft.Ruleset, f nft.Family, p *ServicePort) {
	ends := p.endpoints(f)
	proto := []byte{byte(p.Protocol)}
	for _, e := range ends {
		ip := e.Addr.Addr().AsSlice()
		if e.Remote {
			r.Sets[setRemotes+f.Suffix].Add(nft.KeyOf(ip, proto, nft.PortBytes(e.Addr.Port())), "")
		} else {
			r.Sets[setHairpinServices+f.Suffix].Add(nft.KeyOf(ip, ip), "")
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
			if ip.Is4() != (f.Bits == 32) {
				continue
			}
			key := nft.KeyOf(ip.AsSlice(), proto, nft.PortBytes(p.Port))
			if target == "" {
				r.Sets[setNobody+f.Suffix].Add(key, "")
			} else {
				r.Sets[setServices+f.Suffix].Add(key, target)
			}
		}
	}
	front(p.External, outside)
	front(p.ClusterIPs, inside)
	for _, ip := range p.ClusterIPs {
		if ip.Is4() == (f.Bits == 32) {
			r.Sets[setClusters+f.Suffix].Add(nft.KeyOf(ip.AsSlice()), "")
		}
	}
	if p.NodePort == 0 {
		return
	}
	if key := nft.KeyOf(proto, nft.PortBytes(p.NodePort)); outside == "" {
		r.Sets[setNobodyOn+f.Suffix].Add(key, "")
	} else {
		r.Sets[setNodePorts+f.Suffix].Add(key, outside)
	}
}

// endpoints are those of the family, in an order of their own.
func (p *ServicePort) endpoints(f nft.Family) []Endpoint {
	var ends []Endpoint
	for _, e := range p.Endpoints {
		if e.Addr.Addr().Is4() == (f.Bits == 32) {
			ends = append(ends, e)
		}
	}
	sort.Slice(ends, func(i, j int) bool { return ends[i].Addr.Compare(ends[j].Addr) < 0 })
	return slices.CompactFunc(ends, func(a, b Endpoint) bool { return a.Addr == b.Addr })
}

// renderOutside makes the chain of addresses outside under a Local policy. The node and its pods are not outside: what
// they send stays here, and may go to any endpoint, as with kube-proxy.
func renderOutside(r *nft.Ruleset, f nft.Family, p *ServicePort, ends []Endpoint) string {
	local := renderEndpoints(r, f, p, ends, true)
	if !slices.ContainsFunc(ends, func(e Endpoint) bool { return e.Remote }) {
		return local
	}
	all := renderEndpoints(r, f, p, ends, false)
	c := r.Chain("ext"+f.Suffix+"-"+nft.ShortHash(p.Name), nil)
	c.Add(p.Name+": from pods", fromPods(), nft.GoTo(all))
	c.Add(p.Name+": from the node", nft.FromThisHost(), nft.GoTo(all))
	c.Add(p.Name+": from outside", nft.GoTo(local))
	return c.Name
}

// renderEndpoints makes the chain that deals connections to endpoints, and returns its name. The name is
// the Service's: a change behind it leaves the maps in front alone.
func renderEndpoints(r *nft.Ruleset, f nft.Family, p *ServicePort, ends []Endpoint, local bool) string {
	suffix := f.Suffix
	if local {
		suffix += "l"
	}
	ends = takingNew(ends, local)
	name := "svc" + suffix + "-" + nft.ShortHash(p.Name)
	c := r.Chain(name, nil)
	if len(ends) == 0 {
		c.Add(p.Name+": no endpoint on this node", nft.Verdict(expr.VerdictDrop))
		return name
	}
	pick := pickEndpoint(r, f, name, ends)
	if p.Affinity <= 0 {
		c.Add(p.Name, pick, f.Dnat())
		return name
	}
	known := r.AddSet(&nft.Set{
		// The time is part of the name: it cannot change otherwise.
		Name: affinityPrefix + suffix + "-" + nft.ShortHash(p.Name, p.Affinity), Key: []nft.Field{f.Addr},
		Data: []nft.Field{f.Addr, nft.FieldPort}, Timeout: p.Affinity,
	})
	remember := append(f.LoadAddr(f.Source, f.Words+1),
		&expr.Dynset{
			SrcRegKey: nft.Reg(f.Words + 1), SrcRegData: nft.Reg(0), SetName: known.Name,
			Operation: uint32(unix.NFT_DYNSET_OP_UPDATE), Timeout: p.Affinity,
		})
	members := r.AddSet(&nft.Set{Name: "eps" + suffix + "-" + nft.ShortHash(p.Name), Key: []nft.Field{f.Addr, nft.FieldPort}})
	for _, e := range ends {
		members.Add(nft.AddrPortValue(e.Addr), "")
	}
	// Who was here before goes where it went, if that is still an endpoint.
	c.Add(p.Name+": known clients", f.LoadAddr(f.Source, 0), nft.Lookup(known.Name), nft.In(members.Name, false), remember, f.Dnat())
	c.Add(p.Name, pick, remember, f.Dnat())
	return name
}

// pickEndpoint leaves address and port of one of the endpoints in the registers.
func pickEndpoint(r *nft.Ruleset, f nft.Family, chain string, ends []Endpoint) []expr.Any {
	if len(ends) == 1 {
		a := ends[0].Addr
		return nft.One(&expr.Immediate{Register: nft.Reg(0), Data: a.Addr().AsSlice()},
			&expr.Immediate{Register: nft.Reg(f.Words), Data: nft.PortBytes(a.Port())})
	}
	choice := r.AddSet(&nft.Set{Name: "ends-" + chain, Key: []nft.Field{nft.FieldIndex}, Data: []nft.Field{f.Addr, nft.FieldPort}})
	for i, e := range ends {
		choice.Add(string(binary.NativeEndian.AppendUint32(nil, uint32(i))), nft.AddrPortValue(e.Addr))
	}
	return append(nft.One(&expr.Numgen{Register: nft.Reg(0), Modulus: uint32(len(ends)), Type: unix.NFT_NG_RANDOM}), nft.Lookup(choice.Name)...)
}
