package netns

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// doomed is the interface group of links about to be deleted ("podd").
const doomed = 0x706f6464

// Detach takes the pod off the network: its veth pair, then its address. Gone is success.
//
// Deleting an interface costs the kernel some 30 ms of grace periods, however many interfaces
// one request deletes. Calls that come while one is under way share the next.
func (n *Network) Detach(id string) error {
	hadPorts := n.forget(id)
	if err := n.deleter.delete(hostIf(id)); err != nil {
		return fmt.Errorf("cannot detach pod %q: %w", id, err)
	}
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
	name string
	done chan error
}

// delete returns when the link is gone.
func (d *deleter) delete(name string) error {
	w := deletion{name: name, done: make(chan error, 1)}
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
		deleteBatch(batch)
	}
}

// deleteBatch tells each waiter what became of its link.
func deleteBatch(batch []deletion) {
	c, err := dial()
	if err != nil {
		for _, w := range batch {
			w.done <- err
		}
		return
	}
	defer c.close()
	if len(batch) == 1 {
		batch[0].done <- c.deleteLink(batch[0].name)
		return
	}
	marked := batch[:0:0]
	for _, w := range batch {
		_, err := c.do(setGroup(w.name, doomed))
		switch {
		case errors.Is(err, unix.ENODEV):
			w.done <- nil
		case err != nil:
			w.done <- fmt.Errorf("cannot mark interface %s: %w", w.name, err)
		default:
			marked = append(marked, w)
		}
	}
	err = deleteGroup(c, doomed)
	for _, w := range marked {
		w.done <- err
	}
}

func setGroup(name string, group uint32) *nl.NetlinkRequest {
	r := byName(unix.RTM_NEWLINK, name)
	r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	return r
}

func deleteGroup(c *rtnl, group uint32) error {
	r := nl.NewNetlinkRequest(unix.RTM_DELLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	if _, err := c.do(r); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot delete interface group: %w", err)
	}
	return nil
}
