package netns

import (
	"fmt"
	"net/netip"
)

// PolicyTable is what NetworkPolicies come to on this node. Pods are named by the ids that they are
// attached with: an address is filled in when it is known, before the pod's link is up.
type PolicyTable []PodPolicy

// PodPolicy isolates one pod.
type PodPolicy struct {
	ID string
	// Ingress and Egress are what is allowed; nil leaves the direction open, an empty list shuts it.
	Ingress, Egress *[]PolicyRule
}

// PolicyRule allows connections.
type PolicyRule struct {
	Anyone bool        // Peers do not matter
	Peers  []Peer      // the other side
	Ports  []PortRange // at the side that is connected to; none: all of them
}

// Peer is a pod of this node, or a network.
type Peer struct {
	ID     string
	Net    netip.Prefix
	Except []netip.Prefix // holes in Net
}

// PortRange is one or more ports of a protocol, both ends included.
type PortRange struct {
	Protocol    Protocol
	First, Last uint16
}

// SetPolicies makes the kernel enforce the table, at once and as a whole. Connections that exist go on.
func (n *Network) SetPolicies(t PolicyTable) error {
	if err := n.rules.setPolicies(t, n.addressesOf); err != nil {
		return fmt.Errorf("cannot enforce network policies: %w", err)
	}
	return nil
}

// addressesOf are the addresses that the pod has now.
func (n *Network) addressesOf(id string) []netip.Addr {
	ip, ok := n.leases.Lookup(id)
	if !ok {
		return nil
	}
	if ip6 := n.addr6(ip); ip6.IsValid() {
		return []netip.Addr{ip, ip6}
	}
	return []netip.Addr{ip}
}

// mentions says whether a pod's address is part of the table.
func (t PolicyTable) mentions(id string) bool {
	for i := range t {
		if t[i].ID == id || rulesMention(t[i].Ingress, id) || rulesMention(t[i].Egress, id) {
			return true
		}
	}
	return false
}

func rulesMention(rules *[]PolicyRule, id string) bool {
	if rules == nil {
		return false
	}
	for _, r := range *rules {
		for _, p := range r.Peers {
			if p.ID == id {
				return true
			}
		}
	}
	return false
}
