package rtnetlink

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Message is one netlink message as received (man 7 netlink).
type Message struct {
	Kind  uint16
	Flags uint16
	seq   uint32
	Port  uint32 // of the socket whose request it is about
	Data  []byte
}

// NextMessage splits the first message off b.
func NextMessage(b []byte) (Message, []byte, error) {
	if len(b) < unix.SizeofNlMsghdr {
		return Message{}, nil, fmt.Errorf("cannot parse netlink message of %d bytes", len(b))
	}
	size := int(binary.NativeEndian.Uint32(b))
	if size < unix.SizeofNlMsghdr || size > len(b) {
		return Message{}, nil, fmt.Errorf("cannot parse netlink message: length %d of %d", size, len(b))
	}
	m := Message{
		Kind:  binary.NativeEndian.Uint16(b[4:]),
		Flags: binary.NativeEndian.Uint16(b[6:]),
		seq:   binary.NativeEndian.Uint32(b[8:]),
		Port:  binary.NativeEndian.Uint32(b[12:]),
		Data:  b[unix.SizeofNlMsghdr:size],
	}
	return m, b[min(Align4(size), len(b)):], nil
}

// Align4 is the size with the padding that netlink puts behind it.
func Align4(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// Err is what an NLMSG_ERROR says: nil for an acknowledgement, an errno otherwise, with the
// kernel's sentence where it has one.
func (m Message) Err() error {
	if len(m.Data) < 4 {
		return fmt.Errorf("cannot parse netlink error of %d bytes", len(m.Data))
	}
	code := int32(binary.NativeEndian.Uint32(m.Data))
	if code == 0 {
		return nil
	}
	errno := unix.Errno(-code)
	if text := m.sentence(); text != "" {
		return fmt.Errorf("%w (%s)", errno, text)
	}
	return errno
}

// sentence finds NLMSGERR_ATTR_MSG behind the echoed header.
func (m Message) sentence() string {
	const echo = 4 + unix.SizeofNlMsghdr
	if m.Flags&unix.NLM_F_ACK_TLVS == 0 || len(m.Data) < echo {
		return ""
	}
	start := echo
	if m.Flags&unix.NLM_F_CAPPED == 0 {
		start = 4 + Align4(int(binary.NativeEndian.Uint32(m.Data[4:])))
	}
	if start < 0 || start > len(m.Data) {
		return ""
	}
	var text string
	EachAttr(m.Data[start:], func(kind uint16, value []byte) {
		if kind == unix.NLMSGERR_ATTR_MSG {
			text = unix.ByteSliceToString(value)
		}
	})
	return text
}

// EachAttr walks netlink attributes and stops at the first that does not fit.
func EachAttr(b []byte, fn func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return
		}
		fn(binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofRtAttr:size])
		b = b[min(Align4(size), len(b)):]
	}
}
