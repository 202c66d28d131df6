package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
)

// Await says that Restore and SetPolicies will be called: until then the rules of an earlier daemon stand.
func (n *Network) Await() { n.rules.expect() }

// Restore tells the network of pods that an earlier daemon has attached, and puts back what they have lost
// meanwhile. It is called once, before anything is attached. What cannot be put back is joined into the
// error, one sentence a pod.
func (n *Network) Restore(pods []Pod) error {
	n.podsMu.Lock()
	for _, p := range pods {
		n.pods[p.ID] = p
	}
	n.podsMu.Unlock()
	errs := []error{n.rules.setPorts(n.renderPods)}
	for _, p := range pods {
		errs = append(errs, n.repairPod(p))
	}
	return errors.Join(errs...)
}

func (n *Network) renderPods() *ruleset {
	n.podsMu.Lock()
	defer n.podsMu.Unlock()
	return renderPorts(n.pods, n.addressesOf)
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
	if held, err := holdsNamespace(p.NetNS); err != nil || !held {
		return err // on its way out
	}
	ns, err := os.Open(p.NetNS)
	if err != nil {
		return fmt.Errorf("cannot open network namespace: %w", err)
	}
	defer ns.Close()
	return n.connect(p, ip, int(ns.Fd()))
}

// Addresses are those that the pod holds, IPv4 first; none for one that is not attached.
func (n *Network) Addresses(id string) []netip.Addr { return n.addressesOf(id) }
