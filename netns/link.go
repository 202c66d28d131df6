package netns

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// link is what RTM_NEWLINK says of an interface.
type link struct {
	index  int
	name   string
	kind   string // "veth", "bridge", ...; "" for hardware
	mac    string // six raw bytes
	peer   int    // of a veth: the index of the other end, in the other end's namespace
	master int
	mtu    int
	group  int
	up     bool
	fresh  bool // an event says that it is new in its namespace, not that it has changed
}

// getLink returns nil for a link that is not there.
func (c *rtnl) getLink(name string) (*link, error) {
	answers, err := c.do(byName(unix.RTM_GETLINK, name))
	if errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look up interface %s: %w", name, err)
	}
	return parseLink(answers[0])
}

// deleteLink succeeds for a link that is gone.
func (c *rtnl) deleteLink(name string) error {
	if _, err := c.do(byName(unix.RTM_DELLINK, name)); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot delete interface %s: %w", name, err)
	}
	return nil
}

func parseLink(b []byte) (*link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return nil, fmt.Errorf("cannot parse link of %d bytes", len(b))
	}
	l := &link{
		index: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		up:    binary.NativeEndian.Uint32(b[8:])&unix.IFF_UP != 0,
		fresh: binary.NativeEndian.Uint32(b[12:]) == ^uint32(0), // ifi_change, man 7 rtnetlink
	}
	eachAttr(b[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.name = unix.ByteSliceToString(value)
		case unix.IFLA_ADDRESS:
			l.mac = string(value)
		case unix.IFLA_LINK:
			l.peer = number(value)
		case unix.IFLA_MASTER:
			l.master = number(value)
		case unix.IFLA_MTU:
			l.mtu = number(value)
		case unix.IFLA_GROUP:
			l.group = number(value)
		case unix.IFLA_LINKINFO:
			l.kind = parseLinkKind(value)
		}
	})
	return l, nil
}

func parseLinkKind(info []byte) (kind string) {
	eachAttr(info, func(attr uint16, value []byte) {
		if attr == nl.IFLA_INFO_KIND {
			kind = unix.ByteSliceToString(value)
		}
	})
	return kind
}

func number(b []byte) int {
	if len(b) != 4 {
		return 0
	}
	return int(binary.NativeEndian.Uint32(b))
}
