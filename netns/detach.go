package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/nft"
	"podd/netns/rtnetlink"
)

// Detach takes the pod off the network: its veth pair, then its address. Gone is success.
//
// Deleting an interface costs the kernel some 30 ms of grace periods, however many interfaces
// one request deletes. Calls that come while one is under way share the next.
func (n *Network) Detach(id string) error {
	hadPorts := n.forget(id)
	gone := n.deleter.delete(hostIf(id), n.addressesOf(id))
	if gone.link != nil {
		return fmt.Errorf("cannot detach pod %q: %w", id, gone.link)
	}
	n.reportFlows(gone.flows)
	if err := n.leases.Release(id); err != nil {
		return err
	}
	if hadPorts {
		if err := n.rules.setPorts(n.renderPods); err != nil {
			return fmt.Errorf("cannot take back host ports of pod %q: %w", id, err)
		}
	}
	return n.rules.addressed(id, n.addressesOf)
}

// deleter gathers deletions: one thread waits in the kernel for all of them, and other requests
// have the shared socket to themselves.
type deleter struct {
	mu    sync.Mutex
	queue []deletion
	busy  bool
}

type deletion struct {
	name      string
	addresses []netip.Addr
	done      chan deleted
}

// deleted is what became of a link, and of what the kernel remembered of its pod's addresses.
type deleted struct{ link, flows error }

// delete returns when the link is gone, and what had to do with the addresses is forgotten.
func (d *deleter) delete(name string, addresses []netip.Addr) deleted {
	w := deletion{name: name, addresses: addresses, done: make(chan deleted, 1)}
	d.mu.Lock()
	d.queue = append(d.queue, w)
	if !d.busy {
		d.busy = true
		go d.drain()
	}
	d.mu.Unlock()
	return <-w.done
}

// drain works until the queue is empty, then it is no more.
func (d *deleter) drain() {
	for {
		d.mu.Lock()
		batch := d.queue
		d.queue = nil
		d.busy = len(batch) > 0
		d.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		names, gone := make([]string, len(batch)), []netip.Addr{}
		for i, w := range batch {
			names[i], gone = w.name, append(gone, w.addresses...)
		}
		errs := deleteLinks(names)
		flows := forgetFlowsOf(gone)
		for i, w := range batch {
			w.done <- deleted{errs[i], flows}
		}
	}
}

// deleteLinks deletes all of them at once. It returns an error for each.
func deleteLinks(names []string) []error {
	errs := make([]error, len(names))
	c, err := rtnetlink.Dial()
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer c.Close()
	if len(names) == 1 {
		errs[0] = c.DeleteLink(names[0])
		return errs
	}
	var marked []int
	for i, name := range names {
		_, err := c.Do(setGroup(name, nft.MarkedForDeletion))
		switch {
		case errors.Is(err, unix.ENODEV):
		case err != nil:
			errs[i] = fmt.Errorf("cannot mark interface %s: %w", name, err)
		default:
			marked = append(marked, i)
		}
	}
	err = deleteGroup(c, nft.MarkedForDeletion)
	for _, i := range marked {
		errs[i] = err
	}
	return errs
}

func setGroup(name string, group uint32) *nl.NetlinkRequest {
	r := rtnetlink.ByName(unix.RTM_NEWLINK, name)
	r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	return r
}

func deleteGroup(c *rtnetlink.Conn, group uint32) error {
	r := nl.NewNetlinkRequest(unix.RTM_DELLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	if _, err := c.Do(r); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot delete interface group: %w", err)
	}
	return nil
}
