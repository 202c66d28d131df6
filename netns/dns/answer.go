package dns

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// ttl of what the node knows, in seconds: pods come and go. The same that CoreDNS gives Kubernetes' names.
const ttl = 5

// owns says whether the zone alone has the say about a name.
func (z *Zone) owns(name []byte) bool {
	if z.below(name) || z.searched(name) {
		return true
	}
	ip, ok := parseReverse(name)
	if !ok {
		return false
	}
	if z.names[string(name)] != nil {
		return true
	}
	for _, p := range z.reverse {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// below says whether a name is the domain or within it.
func (z *Zone) below(name []byte) bool {
	for len(name) >= len(z.domain) {
		if bytes.Equal(name, z.domain) {
			return true
		}
		if name[0] == 0 {
			break
		}
		name = name[1+name[0]:]
	}
	return false
}

// searched says whether a name is a Service's or a pod's with something behind it: what a search list makes of it, which is
// nowhere. A name server that is not there would keep the client from the next of its list, and from the right name.
func (z *Zone) searched(name []byte) bool {
	within := z.domain[:len(z.domain)-1]
	for len(name) > len(within)+4 && name[0] != 0 {
		rest := name[1+name[0]:]
		if kind := name[1 : 1+name[0]]; (string(kind) == "svc" || string(kind) == "pod") && bytes.HasPrefix(rest, within) {
			return true
		}
		name = rest
	}
	return false
}

// maxAliases is how many aliases of aliases are followed.
const maxAliases = 8

// answer writes what the zone says to a question about a name that it owns. If that is another name somewhere
// else, it is returned, and the answer is not complete without what that says.
func (z *Zone) answer(q *query, out []byte) (answer, elsewhere []byte) {
	out = q.begin(out, flagAA)
	e := z.names[string(q.name)]
	if e == nil {
		setFlags(out, flagsOf(out)|rcodeName)
		return z.deny(q, out), nil
	}
	var owner []byte
	for range maxAliases {
		if e.cname == "" || q.typ == typeCNAME {
			break
		}
		out = appendAlias(out, owner, e.cname)
		owner = []byte(e.cname)
		if !z.below(owner) {
			return out, owner
		}
		if e = z.names[e.cname]; e == nil {
			setFlags(out, flagsOf(out)|rcodeName) // RFC 6604: of the last name
			return z.deny(q, out), nil
		}
	}
	before := count(out, 1)
	out = e.write(q, out, owner)
	if count(out, 1) == before {
		return z.deny(q, out), nil
	}
	return z.helpful(e, q, out), nil
}

func appendAlias(out, owner []byte, target string) []byte {
	out = appendRecord(out, owner, typeCNAME, ttl)
	at := len(out)
	out = append(out, target...)
	setLength(out, at)
	setCount(out, 1, count(out, 1)+1)
	return out
}

// write appends the answers of one name, of which an owner of nil says that it is the question's.
func (e *entry) write(q *query, out, owner []byte) []byte {
	n := 0
	add := func(typ uint16, data func()) {
		if q.typ == typ || q.typ == typeANY {
			out = appendRecord(out, owner, typ, ttl)
			at := len(out)
			data()
			setLength(out, at)
			n++
		}
	}
	first := 0
	if len(e.addrs) > 1 {
		first = rand.IntN(len(e.addrs)) // a client that takes the first one takes another each time
	}
	for i := range e.addrs {
		ip := e.addrs[(first+i)%len(e.addrs)]
		add(addressType(ip), func() { out = append(out, ip.AsSlice()...) })
	}
	for _, s := range e.srv {
		add(typeSRV, func() { out = s.append(out) })
	}
	for _, target := range e.ptr {
		add(typePTR, func() { out = append(out, target...) })
	}
	if e.cname != "" {
		add(typeCNAME, func() { out = append(out, e.cname...) })
	}
	if e.txt != "" {
		add(typeTXT, func() { out = append(append(out, byte(len(e.txt))), e.txt...) })
	}
	setCount(out, 1, count(out, 1)+n)
	return out
}

func addressType(ip netip.Addr) uint16 {
	if ip.Is4() {
		return typeA
	}
	return typeAAAA
}

func (s service) append(out []byte) []byte {
	out = binary.BigEndian.AppendUint16(out, 0) // priority
	out = binary.BigEndian.AppendUint16(out, s.weight)
	out = binary.BigEndian.AppendUint16(out, s.port)
	return append(out, s.target...)
}

// helpful adds the addresses of SRV targets, which the client would ask for next.
func (z *Zone) helpful(e *entry, q *query, out []byte) []byte {
	if q.typ != typeSRV {
		return out
	}
	n := 0
	for _, s := range e.srv {
		target := z.names[s.target]
		if target == nil {
			continue
		}
		for _, ip := range target.addrs {
			out = appendRecord(out, []byte(s.target), addressType(ip), ttl)
			at := len(out)
			out = append(out, ip.AsSlice()...)
			setLength(out, at)
			n++
		}
	}
	setCount(out, 3, n)
	return out
}

// deny adds what says for how long there is no such thing. RFC 2308
func (z *Zone) deny(q *query, out []byte) []byte {
	owner := z.domain
	if !z.below(q.name) { // a reverse name: the zone is the next one up
		owner = q.name[1+q.name[0]:]
	}
	out = appendRecord(out, owner, typeSOA, ttl)
	at := len(out)
	out = append(append(out, "\x02ns\x03dns"...), z.domain...)
	out = append(append(out, "\x0ahostmaster"...), z.domain...)
	for _, n := range [...]uint32{1, 7200, 1800, 86400, ttl} {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	setLength(out, at)
	setCount(out, 2, 1)
	return out
}
