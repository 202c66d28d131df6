package rtnetlink

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Link is what RTM_NEWLINK says of an interface.
type Link struct {
	Index  int
	Name   string
	Kind   string // "veth", "bridge", ...; "" for hardware
	MAC    string // six raw bytes
	Peer   int    // of a veth: the index of the other end, in the other end's namespace
	Master int
	MTU    int
	Group  int
	Up     bool
	Fresh  bool // an event says that it is new in its namespace, not that it has changed
}

// GetLink returns nil for a link that is not there.
func (c *Conn) GetLink(name string) (*Link, error) {
	answers, err := c.Do(ByName(unix.RTM_GETLINK, name))
	if errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look up interface %s: %w", name, err)
	}
	return ParseLink(answers[0])
}

// DeleteLink succeeds for a link that is gone.
func (c *Conn) DeleteLink(name string) error {
	if _, err := c.Do(ByName(unix.RTM_DELLINK, name)); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot delete interface %s: %w", name, err)
	}
	return nil
}

// ParseLink reads the payload of an RTM_NEWLINK.
func ParseLink(b []byte) (*Link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return nil, fmt.Errorf("cannot parse link of %d bytes", len(b))
	}
	l := &Link{
		Index: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Up:    binary.NativeEndian.Uint32(b[8:])&unix.IFF_UP != 0,
		Fresh: binary.NativeEndian.Uint32(b[12:]) == ^uint32(0), // ifi_change, man 7 rtnetlink
	}
	EachAttr(b[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.Name = unix.ByteSliceToString(value)
		case unix.IFLA_ADDRESS:
			l.MAC = string(value)
		case unix.IFLA_LINK:
			l.Peer = Number(value)
		case unix.IFLA_MASTER:
			l.Master = Number(value)
		case unix.IFLA_MTU:
			l.MTU = Number(value)
		case unix.IFLA_GROUP:
			l.Group = Number(value)
		case unix.IFLA_LINKINFO:
			l.Kind = parseLinkKind(value)
		}
	})
	return l, nil
}

func parseLinkKind(info []byte) (kind string) {
	EachAttr(info, func(attr uint16, value []byte) {
		if attr == nl.IFLA_INFO_KIND {
			kind = unix.ByteSliceToString(value)
		}
	})
	return kind
}

// Number is an attribute of 32 bits in the order of the machine; 0 if it is none.
func Number(b []byte) int {
	if len(b) != 4 {
		return 0
	}
	return int(binary.NativeEndian.Uint32(b))
}
