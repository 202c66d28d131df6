package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"podd/netns/namespace"
	"podd/netns/nft"
)

// Await says that Restore and SetPolicies will be called: until then the rules of an earlier daemon stand.
func (n *Network) Await() { n.rules.expect() }

// Restore tells the network of pods that an earlier daemon has attached, and puts back what they have lost
// meanwhile: their leases too, which follow what the pods say. It is called once, before anything is attached.
// homeless are the pods that have no address, each with the reason: of two that have one the first keeps it. They
// are not attached. What cannot be put back is joined into the error, one sentence a pod.
func (n *Network) Restore(pods []Pod) (homeless map[string]error, err error) {
	var errs []error
	homeless = map[string]error{}
	holders := make(map[netip.Addr]*Pod, len(pods))
	for i := range pods {
		p := &pods[i]
		if p.IP.IsValid() && !n.addresses.canHave(p.IP) {
			p.IP = netip.Addr{}
		}
		if !p.IP.IsValid() {
			continue
		}
		if holder := holders[p.IP]; holder != nil {
			homeless[p.ID] = fmt.Errorf("%w: pod %s has %s", ErrAddressTaken, cmpName(holder.Name, holder.ID), p.IP)
			continue
		}
		holders[p.IP] = p
		if err := n.addresses.reclaim(p.ID, p.IP); err != nil {
			errs = append(errs, fmt.Errorf("cannot lease %s to pod %q again: %w", p.IP, p.ID, err))
		}
	}
	var attached []Pod
	n.podsMu.Lock()
	for _, p := range pods {
		ip, has := n.leases.Lookup(p.ID)
		switch {
		case homeless[p.ID] != nil:
			continue
		case !has && !p.IP.IsValid():
			homeless[p.ID] = ErrNoAddress
			continue
		case has:
			p.IP = ip
		}
		n.pods[p.ID] = p
		attached = append(attached, p)
	}
	n.podsMu.Unlock()
	for id := range homeless {
		errs = append(errs, n.leases.Release(id))
	}
	errs = append(errs, n.rules.setPorts(n.renderPods))
	if len(attached) > 0 {
		errs = append(errs, n.forgetAllMisled())
	}
	for _, p := range attached {
		errs = append(errs, n.repairPod(p))
	}
	return homeless, errors.Join(errs...)
}

func (n *Network) renderPods() *nft.Ruleset {
	n.podsMu.Lock()
	defer n.podsMu.Unlock()
	known := map[Protocol][]listener{}
	return renderPorts(n.pods, n.addressesOf, func(p Protocol) []listener {
		list, ok := known[p]
		if !ok {
			list, _ = listeners(p) // where it cannot be read the pod has the port on all addresses, as elsewhere
			known[p] = list
		}
		return list
	})
}

// forget lets go of a pod and its host ports. It says whether there were any.
func (n *Network) forget(id string) bool {
	n.podsMu.Lock()
	defer n.podsMu.Unlock()
	p := n.pods[id]
	delete(n.pods, id)
	return len(p.Ports) > 0
}

// attached are the pods of now.
func (n *Network) attached() []Pod {
	n.podsMu.Lock()
	defer n.podsMu.Unlock()
	all := make([]Pod, 0, len(n.pods))
	for _, p := range n.pods {
		all = append(all, p)
	}
	return all
}

func (n *Network) isAttached(id string) bool {
	n.podsMu.Lock()
	defer n.podsMu.Unlock()
	_, ok := n.pods[id]
	return ok
}

// repairPod connects a pod again as it was: what is there stays.
func (n *Network) repairPod(p Pod) error {
	ip, ok := n.leases.Lookup(p.ID)
	if !ok || !n.isAttached(p.ID) {
		return nil
	}
	if held, err := namespace.HoldsNamespace(p.NetNS); err != nil || !held {
		return err // on its way out
	}
	ns, err := os.Open(p.NetNS)
	if err != nil {
		return fmt.Errorf("cannot open network namespace: %w", err)
	}
	defer ns.Close()
	_, err = n.connect(p, ip, int(ns.Fd()))
	return err
}

// Addresses are those that the pod holds, IPv4 first; none for one that is not attached.
func (n *Network) Addresses(id string) []netip.Addr { return n.addressesOf(id) }
