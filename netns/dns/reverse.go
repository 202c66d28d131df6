package dns

import (
	"net/netip"
	"strconv"
)

const (
	suffix4 = "\x07in-addr\x04arpa\x00"
	suffix6 = "\x03ip6\x04arpa\x00"
)

// reverseName is the name, as it stands in messages, under which an address has its own. RFC 1035, 3596
func reverseName(ip netip.Addr) []byte {
	var out []byte
	if ip.Is4() {
		b := ip.As4()
		for i := len(b) - 1; i >= 0; i-- {
			digits := strconv.Itoa(int(b[i]))
			out = append(append(out, byte(len(digits))), digits...)
		}
		return append(out, suffix4...)
	}
	const hex = "0123456789abcdef"
	b := ip.As16()
	for i := len(b) - 1; i >= 0; i-- {
		out = append(out, 1, hex[b[i]&0xf], 1, hex[b[i]>>4])
	}
	return append(out, suffix6...)
}

// parseReverse is the address that a name stands for, if it is a whole one.
func parseReverse(name []byte) (netip.Addr, bool) {
	if body, ok := cutSuffix(name, suffix4); ok {
		return parseReverse4(body)
	}
	body, ok := cutSuffix(name, suffix6)
	if !ok || len(body) != 64 {
		return netip.Addr{}, false
	}
	var b [16]byte
	for i := range 32 {
		n, ok := nibble(body[2*i+1])
		if !ok || body[2*i] != 1 {
			return netip.Addr{}, false
		}
		b[15-i/2] |= n << (4 * (i % 2))
	}
	return netip.AddrFrom16(b), true
}

func parseReverse4(body []byte) (netip.Addr, bool) {
	var b [4]byte
	for i := 3; i >= 0; i-- {
		if len(body) == 0 || int(body[0]) > 3 || len(body) < 1+int(body[0]) {
			return netip.Addr{}, false
		}
		n, err := strconv.ParseUint(string(body[1:1+body[0]]), 10, 8)
		if err != nil {
			return netip.Addr{}, false
		}
		b[i], body = byte(n), body[1+body[0]:]
	}
	return netip.AddrFrom4(b), len(body) == 0
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

func cutSuffix(name []byte, suffix string) ([]byte, bool) {
	n := len(name) - len(suffix)
	if n < 0 || string(name[n:]) != suffix {
		return nil, false
	}
	return name[:n], true
}
