package netns

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Collect drops the veth pairs and the leases of all ids that are not in keep.
func (n *Network) Collect(keep map[string]bool) error {
	kept := make(map[string]bool, len(keep))
	for id := range keep {
		if keep[id] {
			kept[hostIf(id)] = true
		}
	}
	errs := []error{n.collectPorts(kept)}
	ids, err := n.leases.holders()
	errs = append(errs, err)
	for _, id := range ids {
		if !keep[id] {
			errs = append(errs, n.leases.release(id))
		}
	}
	return errors.Join(errs...)
}

// collectPorts looks at interfaces that have our kind of name, are veths, and are ports of our
// bridge or of none: another bridge means another owner.
func (n *Network) collectPorts(kept map[string]bool) error {
	links, err := retryDump(listLinks)
	if err != nil {
		return fmt.Errorf("cannot list interfaces: %w", err)
	}
	bridge := 0
	for _, l := range links {
		if l.name == n.cfg.Bridge {
			bridge = l.index
		}
	}
	var stale []deletion
	for _, l := range links {
		ours := isHostIf(l.name) && l.kind == "veth" && (l.master == 0 || l.master == bridge)
		if ours && !kept[l.name] {
			stale = append(stale, deletion{name: l.name, done: make(chan error, 1)})
		}
	}
	return deleteStale(stale)
}

func deleteStale(stale []deletion) error {
	if len(stale) == 0 {
		return nil
	}
	deleteBatch(stale)
	var errs []error
	for _, s := range stale {
		errs = append(errs, <-s.done)
	}
	return errors.Join(errs...)
}

// listLinks leaves the statistics out: they are the larger part of the answer.
func listLinks() ([]*link, error) {
	r := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)))
	msgs, err := r.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, err
	}
	links := make([]*link, 0, len(msgs))
	for _, m := range msgs {
		l, perr := parseLink(m)
		if perr != nil {
			return nil, perr
		}
		links = append(links, l)
	}
	return links, err
}
