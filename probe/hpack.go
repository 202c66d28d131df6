package probe

import (
	"errors"
	"strconv"
)

var errHPACK = errors.New("bad header block")

// headerFields reads a block of headers as a server writes it that was told to keep no dynamic table
// (SETTINGS_HEADER_TABLE_SIZE 0). It yields what a probe needs of them. RFC 7541, 6.
func headerFields(block string, yield func(name, value string)) error {
	for block != "" {
		var err error
		first := block[0]
		switch {
		case first&0x80 != 0: // 6.1: both in the static table
			var index int
			if index, block, err = prefixed(block, 7); err != nil || index == 0 || index > staticTableSize {
				return errHPACK
			}
			if status, ok := staticStatus(index); ok {
				yield(":status", status)
			}
			continue
		case first&0xe0 == 0x20: // 6.3: the size of the dynamic table
			var size int
			if size, block, err = prefixed(block, 5); err != nil || size != 0 {
				return errHPACK
			}
			continue
		case first&0xc0 == 0x40: // 6.2.1: to be put into a table that has no room
			block, err = literal(block, 6, yield)
		default: // 6.2.2, 6.2.3
			block, err = literal(block, 4, yield)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// literal reads a field whose value, and perhaps whose name, is written out.
func literal(block string, bits uint, yield func(name, value string)) (rest string, err error) {
	index, rest, err := prefixed(block, bits)
	if err != nil || index > staticTableSize {
		return "", errHPACK
	}
	name := ""
	if index == 0 {
		if name, rest, err = text(rest); err != nil {
			return "", err
		}
	} else if _, ok := staticStatus(index); ok {
		name = ":status"
	} else if index == staticLocation {
		name = "location"
	}
	value, rest, err := text(rest)
	if err == nil {
		yield(name, value)
	}
	return rest, err
}

const (
	staticTableSize = 61
	staticLocation  = 46
)

// staticStatus knows the only values of the static table that a probe asks for. RFC 7541, Appendix A.
func staticStatus(index int) (string, bool) {
	codes := [...]int{200, 204, 206, 304, 400, 404, 500}
	const first = 8
	if index < first || index >= first+len(codes) {
		return "", false
	}
	return strconv.Itoa(codes[index-first]), true
}

// prefixed reads an integer that begins in the low bits of the first byte. RFC 7541, 5.1.
func prefixed(block string, bits uint) (n int, rest string, err error) {
	if block == "" {
		return 0, "", errHPACK
	}
	mask := 1<<bits - 1
	if n = int(block[0]) & mask; n < mask {
		return n, block[1:], nil
	}
	const most = 4 // bytes; more would be longer than any block that is taken
	for i := 1; i < len(block) && i <= most; i++ {
		n += int(block[i]&0x7f) << (7 * (i - 1))
		if block[i]&0x80 == 0 {
			return n, block[i+1:], nil
		}
	}
	return 0, "", errHPACK
}

// text reads a string literal. RFC 7541, 5.2.
func text(block string) (s, rest string, err error) {
	n, rest, err := prefixed(block, 7)
	if err != nil || n > len(rest) {
		return "", "", errHPACK
	}
	s, rest, packed := rest[:n], rest[n:], block[0]&0x80 != 0
	if packed {
		s, err = huffmanText(s)
	}
	return s, rest, err
}

// appendLiteral writes a field without any compression. RFC 7541, 6.2.2.
func appendLiteral(b []byte, name, value string) []byte {
	b = append(b, 0)
	return appendText(appendText(b, name), value)
}

func appendText(b []byte, s string) []byte {
	const mask = 0x7f
	n := len(s)
	if n < mask {
		return append(append(b, byte(n)), s...)
	}
	b = append(b, mask)
	for n -= mask; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), s...)
}
