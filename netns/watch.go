package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// Multicast groups of netlink (linux/rtnetlink.h, linux/netfilter/nfnetlink.h).
const (
	groupLink        = 1
	groupIPv4Addr    = 5
	groupIPv4Route   = 7
	groupIPv6Addr    = 9
	groupIPv6Route   = 11
	groupIPv4Netconf = 24
	groupIPv6Netconf = 25
	groupNftables    = 7
)

// settleTime gathers what comes in bursts: a reload of a firewall is thousands of messages.
const settleTime = 30 * time.Millisecond

// hint is what an event makes worth a look.
type hint uint8

const (
	hintRules   hint = 1 << iota // podd's table is not as podd has left it
	hintPods                     // the link or a route of a suspect may be gone
	hintAllPods                  // those of any
	hintHost                     // the bridge, forwarding or a shared route may be
	hintMoved                    // the machine's own addresses, routes or MTU may have changed
)

// Watch waits for what others do to the machine's network and puts right what the pods need, until ctx is
// done. It calls moved when the machine's addresses or routes may have changed, and repaired with a part of
// it and what cannot be put right there, or nil when all is. Of a pod's network it touches only what is missing.
func (n *Network) Watch(ctx context.Context, moved func(), repaired func(what string, err error)) error {
	n.trouble.Store(&repaired)
	routes, err := listen(unix.NETLINK_ROUTE, groupLink, groupIPv4Addr, groupIPv4Route, groupIPv6Addr,
		groupIPv6Route, groupIPv4Netconf, groupIPv6Netconf)
	if err != nil {
		return fmt.Errorf("cannot watch the machine's network: %w", err)
	}
	defer routes.Close()
	rules, err := listen(unix.NETLINK_NETFILTER, groupNftables)
	if err != nil {
		return fmt.Errorf("cannot watch the machine's firewall: %w", err)
	}
	defer rules.Close()
	defer context.AfterFunc(ctx, func() {
		_ = routes.SetReadDeadline(time.Unix(1, 0))
		_ = rules.SetReadDeadline(time.Unix(1, 0))
	})()
	if err := n.EnsureHost(); err != nil { // for what was missed until now
		repaired("links and routes", err)
	}
	hints, done := make(chan hint), make(chan error, 2)
	go func() {
		done <- hearEvents(ctx, routes, hints, n.repairer.classifyRoutes, hintAllPods|hintHost|hintMoved)
	}()
	go func() { done <- hearEvents(ctx, rules, hints, n.repairer.classifyRules, hintRules) }()
	n.repairer.answer(ctx, hints, moved, repaired)
	return errors.Join(<-done, <-done)
}

// listen opens a socket that hears the groups, in the runtime's poller.
func listen(protocol int, groups ...int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "netlink")
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for _, g := range groups {
		err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g)
		if err != nil && !errors.Is(err, unix.EINVAL) { // a kernel without that family
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// hearEvents turns messages into hints. Events that the kernel had no room for are worth every look.
func hearEvents(ctx context.Context, f *os.File, hints chan<- hint, classify func(rtnetlink.Message) hint, lost hint) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot read network events: %w", err)
	}
	buf := make([]byte, rtnetlink.AnswerSize)
	for {
		h, err := readHint(conn, buf, classify)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			h = lost
		case err != nil:
			return fmt.Errorf("cannot read network events: %w", err)
		}
		if h == 0 {
			continue
		}
		select {
		case hints <- h:
		case <-ctx.Done():
			return nil
		}
	}
}

// readHint waits for one datagram of the kernel's and judges what is in it.
func readHint(conn syscall.RawConn, buf []byte, classify func(rtnetlink.Message) hint) (h hint, err error) {
	n := 0
	cerr := conn.Read(func(fd uintptr) bool {
		var from unix.Sockaddr
		n, from, err = unix.Recvfrom(int(fd), buf, 0)
		if nl, ok := from.(*unix.SockaddrNetlink); err == nil && (!ok || nl.Pid != 0) {
			n = 0
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	if cerr != nil || err != nil {
		return 0, errors.Join(cerr, err)
	}
	for rest := buf[:n]; len(rest) >= unix.SizeofNlMsghdr; {
		var m rtnetlink.Message
		if m, rest, err = rtnetlink.NextMessage(rest); err != nil {
			return h, nil // cut off: the rest of it is worth no more
		}
		h |= classify(m)
	}
	return h, nil
}

// answer repairs, a moment after the first hint of several.
func (rp repairer) answer(ctx context.Context, hints <-chan hint, moved func(), repaired func(what string, err error)) {
	var due hint
	settled := time.NewTimer(0)
	settled.Stop()
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-hints:
			if h == hintRules {
				// At once: connections that are translated break on the first packet that is not.
				repaired("rules", rp.repair(h))
				continue
			}
			if due == 0 {
				settled.Reset(settleTime)
			}
			due |= h
		case <-settled.C:
			repaired("links and routes", rp.repair(due))
			if due&hintMoved != 0 {
				moved()
			}
			due = 0
		}
	}
}
