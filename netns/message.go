package netns

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// message is one netlink message as received (man 7 netlink).
type message struct {
	kind  uint16
	flags uint16
	seq   uint32
	port  uint32 // of the socket whose request it is about
	data  []byte
}

// nextMessage splits the first message off b.
func nextMessage(b []byte) (message, []byte, error) {
	if len(b) < unix.SizeofNlMsghdr {
		return message{}, nil, fmt.Errorf("cannot parse netlink message of %d bytes", len(b))
	}
	size := int(binary.NativeEndian.Uint32(b))
	if size < unix.SizeofNlMsghdr || size > len(b) {
		return message{}, nil, fmt.Errorf("cannot parse netlink message: length %d of %d", size, len(b))
	}
	m := message{
		kind:  binary.NativeEndian.Uint16(b[4:]),
		flags: binary.NativeEndian.Uint16(b[6:]),
		seq:   binary.NativeEndian.Uint32(b[8:]),
		port:  binary.NativeEndian.Uint32(b[12:]),
		data:  b[unix.SizeofNlMsghdr:size],
	}
	return m, b[min(align4(size), len(b)):], nil
}

func align4(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// err is what an NLMSG_ERROR says: nil for an acknowledgement, an errno otherwise, with the
// kernel's sentence where it has one.
func (m message) err() error {
	if len(m.data) < 4 {
		return fmt.Errorf("cannot parse netlink error of %d bytes", len(m.data))
	}
	code := int32(binary.NativeEndian.Uint32(m.data))
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
func (m message) sentence() string {
	const echo = 4 + unix.SizeofNlMsghdr
	if m.flags&unix.NLM_F_ACK_TLVS == 0 || len(m.data) < echo {
		return ""
	}
	start := echo
	if m.flags&unix.NLM_F_CAPPED == 0 {
		start = 4 + align4(int(binary.NativeEndian.Uint32(m.data[4:])))
	}
	if start < 0 || start > len(m.data) {
		return ""
	}
	var text string
	eachAttr(m.data[start:], func(kind uint16, value []byte) {
		if kind == unix.NLMSGERR_ATTR_MSG {
			text = unix.ByteSliceToString(value)
		}
	})
	return text
}

// eachAttr walks netlink attributes and stops at the first that does not fit.
func eachAttr(b []byte, fn func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return
		}
		fn(binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofRtAttr:size])
		b = b[min(align4(size), len(b)):]
	}
}
