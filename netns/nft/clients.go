package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// Client is where somebody is led by affinity, as packets have filled it in.
type Client struct {
	Element
	Left uint64 // milliseconds
}

// Clients reads what packets have put into the sets with a timeout, so that it can be written again with the rest: clients
// stay with their endpoints over a daemon's death, and when the table is written anew. A set that is not there has none.
func (c *Conn) Clients(table string, want *Ruleset) (map[string][]Client, error) {
	all := map[string][]Client{}
	for _, name := range Sorted(want.Sets) {
		if want.Sets[name].Timeout == 0 {
			continue
		}
		b := &Batch{}
		b.open(unix.NFT_MSG_GETSETELEM, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
		b.text(unix.NFTA_SET_ELEM_LIST_TABLE, table)
		b.text(unix.NFTA_SET_ELEM_LIST_SET, name)
		b.Close()
		list, err := rtnetlink.RetryDump(func() (list []Client, err error) {
			err = c.Dump(b, func(data []byte) { list = append(list, parseClients(data)...) })
			return list, err
		})
		// A list that always changes while it is read lacks some, and is better than none.
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("cannot read clients of %s: %w", name, err)
		}
		if len(list) > 0 {
			all[name] = list
		}
	}
	return all, nil
}

// Dump asks for a list; the kernel makes the next part of it when one has been read.
func (c *Conn) Dump(b *Batch, each func(data []byte)) error {
	if err := unix.Sendto(c.fd, b.Buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto nftables", err)
	}
	interrupted := false
	for {
		n, _, err := unix.Recvfrom(c.fd, c.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("recvfrom nftables", err)
		}
		for rest := c.buf[:n]; len(rest) > 0; {
			var m rtnetlink.Message
			if m, rest, err = rtnetlink.NextMessage(rest); err != nil {
				return err
			}
			interrupted = interrupted || m.Flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case m.Kind == unix.NLMSG_ERROR:
				return m.Err()
			case m.Kind == unix.NLMSG_DONE && interrupted:
				return unix.EINTR
			case m.Kind == unix.NLMSG_DONE:
				return nil
			case len(m.Data) > NfgenmsgSize:
				each(m.Data[NfgenmsgSize:])
			}
		}
	}
}

// parseClients takes the elements out of one message of a dump.
func parseClients(data []byte) []Client {
	var list []Client
	rtnetlink.EachAttr(data, func(kind uint16, elements []byte) {
		if kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			return
		}
		rtnetlink.EachAttr(elements, func(_ uint16, e []byte) {
			if c := parseClient(e); c.Key != "" && c.Value != "" && c.Left > 0 {
				list = append(list, c)
			}
		})
	})
	return list
}

func parseClient(e []byte) Client {
	var c Client
	rtnetlink.EachAttr(e, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			c.Key = dataValue(value)
		case unix.NFTA_SET_ELEM_DATA:
			c.Value = dataValue(value)
		case unix.NFTA_SET_ELEM_EXPIRATION:
			if len(value) == 8 {
				c.Left = binary.BigEndian.Uint64(value)
			}
		}
	})
	return c
}

func dataValue(nested []byte) string {
	out := ""
	rtnetlink.EachAttr(nested, func(kind uint16, value []byte) {
		if kind == unix.NFTA_DATA_VALUE {
			out = string(value)
		}
	})
	return out
}

// Remember puts clients back, each with the time that it had left.
func (b *Batch) Remember(s *Set, list []Client) {
	for len(list) > 0 {
		n := min(len(list), elementsPerBundle)
		b.open(unix.NFT_MSG_NEWSETELEM, newFlags)
		b.text(unix.NFTA_SET_ELEM_LIST_TABLE, b.table)
		b.text(unix.NFTA_SET_ELEM_LIST_SET, s.Name)
		b.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
			for _, c := range list[:n] {
				b.nest(unix.NFTA_LIST_ELEM, func() {
					b.nest(unix.NFTA_SET_ELEM_KEY, func() { b.Attr(unix.NFTA_DATA_VALUE, []byte(c.Key)) })
					b.nest(unix.NFTA_SET_ELEM_DATA, func() { b.Attr(unix.NFTA_DATA_VALUE, []byte(c.Value)) })
					b.double(unix.NFTA_SET_ELEM_EXPIRATION, c.Left)
				})
			}
		})
		b.Close()
		list = list[n:]
	}
}
