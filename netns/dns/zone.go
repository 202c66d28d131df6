package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Service is what the node knows under NAME.NAMESPACE.svc.DOMAIN.
type Service struct {
	Namespace, Name string
	External        string       // another name for it; the rest is then empty
	Addrs           []netip.Addr // one a family; none for a headless Service
	Ports           []Port       // of a Service with an address
	Endpoints       []Endpoint   // of a headless Service
}

// Port is a named port, found by SRV. Ports without a name have no such record.
type Port struct {
	Name, Protocol string
	Number         uint16
}

// Endpoint is one pod behind a headless Service.
type Endpoint struct {
	Addrs    []netip.Addr
	Hostname string // "": made of the address
	Ports    []Port
}

// Pod is what the node knows under A-B-C-D.NAMESPACE.pod.DOMAIN.
type Pod struct {
	Namespace string
	Addrs     []netip.Addr
}

// Zone is everything that the node answers itself. It does not change once it is made.
type Zone struct {
	domain  []byte
	reverse []netip.Prefix
	names   map[string]*entry
}

// entry is what is known of one name; an empty one is only there for those below it.
type entry struct {
	addrs []netip.Addr
	srv   []service
	ptr   []string // targets as they stand in messages
	cname string
	txt   string
}

// service is the target of an SRV record. RFC 2782
type service struct {
	weight, port uint16
	target       string
}

// schema is the version of the names that are served.
const schema = "1.1.0"

// NewZone makes a zone for a domain, such as cluster.local. Addresses within reverse are this node's to name:
// one that has no name is not asked for elsewhere. What cannot be a name is left out and told in the error; the
// zone is whole without it.
func NewZone(domain string, reverse []netip.Prefix, services []Service, pods []Pod) (*Zone, error) {
	wire, err := wireName(domain)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the domain %q: %w", domain, err)
	}
	b := &builder{zone: &Zone{domain: wire, reverse: reverse, names: map[string]*entry{}}, domain: strings.TrimSuffix(domain, ".")}
	b.zone.names[string(wire)] = &entry{}
	if e := b.at("dns-version." + b.domain); e != nil {
		e.txt = schema
	}
	for i := range services {
		b.add(&services[i])
	}
	for i := range pods {
		for _, ip := range pods[i].Addrs {
			b.address(dashed(ip)+"."+pods[i].Namespace+".pod."+b.domain, ip)
		}
	}
	return b.zone, b.err
}

type builder struct {
	zone   *Zone
	domain string
	err    error // the first
}

// at finds or makes the entry of a name and of those above it.
func (b *builder) at(name string) *entry {
	wire, err := wireName(name)
	if err != nil {
		if b.err == nil {
			b.err = err
		}
		return nil
	}
	for rest := wire; len(rest) > len(b.zone.domain); rest = rest[1+rest[0]:] {
		if b.zone.names[string(rest)] == nil {
			b.zone.names[string(rest)] = &entry{}
		}
	}
	return b.zone.names[string(wire)]
}

func (b *builder) address(name string, ip netip.Addr) {
	if e := b.at(name); e != nil && !slices.Contains(e.addrs, ip) {
		e.addrs = append(e.addrs, ip)
	}
}

func (b *builder) add(s *Service) {
	name := s.Name + "." + s.Namespace + ".svc." + b.domain
	switch {
	case s.External != "":
		b.external(name, s.External)
	case len(s.Addrs) > 0:
		for _, ip := range s.Addrs {
			b.address(name, ip)
			b.pointer(ip, name)
		}
		b.ports(name, s.Ports, name, 1)
	default:
		for i := range s.Endpoints {
			b.endpoint(name, &s.Endpoints[i], len(s.Endpoints))
		}
	}
}

func (b *builder) external(name, target string) {
	wire, err := wireName(target)
	if e := b.at(name); e != nil && err == nil {
		e.cname = string(wire)
	}
}

func (b *builder) endpoint(name string, e *Endpoint, of int) {
	for _, ip := range e.Addrs {
		own := e.Hostname
		if own == "" {
			own = dashed(ip)
		}
		own += "." + name
		b.address(name, ip)
		b.address(own, ip)
		b.pointer(ip, own)
		b.ports(name, e.Ports, own, of)
	}
}

// ports adds the SRV records of one target; their weights share what one of them would have.
func (b *builder) ports(name string, ports []Port, target string, of int) {
	wire, err := wireName(target)
	if err != nil {
		return
	}
	for _, p := range ports {
		if p.Name == "" {
			continue
		}
		record := service{weight: uint16(max(100/of, 1)), port: p.Number, target: string(wire)}
		if e := b.at("_" + p.Name + "._" + strings.ToLower(p.Protocol) + "." + name); e != nil && !slices.Contains(e.srv, record) {
			e.srv = append(e.srv, record)
		}
	}
}

func (b *builder) pointer(ip netip.Addr, target string) {
	name, err := wireName(target)
	if err != nil {
		return
	}
	key := string(reverseName(ip))
	e := b.zone.names[key]
	if e == nil {
		e = &entry{}
		b.zone.names[key] = e
	}
	if !slices.Contains(e.ptr, string(name)) {
		e.ptr = append(e.ptr, string(name))
	}
}

// dashed is an address as a label: 10-0-0-1, fd00--1.
func dashed(ip netip.Addr) string {
	s := strings.Map(func(r rune) rune {
		if r == '.' || r == ':' {
			return '-'
		}
		return r
	}, ip.String())
	// No label begins or ends with a dash: those are the zeros that "::" stands for.
	if strings.HasPrefix(s, "-") {
		s = "0" + s
	}
	if strings.HasSuffix(s, "-") {
		s += "0"
	}
	return s
}
