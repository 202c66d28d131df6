package dns

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The parts of a message that this package deals in. RFC 1035, section 4.1
const (
	headerSize = 12
	maxWire    = 255 // bytes of a name
	maxLabel   = 63

	flagQR, flagAA, flagTC = 1 << 15, 1 << 10, 1 << 9
	flagRD, flagRA         = 1 << 8, 1 << 7
	flagAD, flagCD         = 1 << 5, 1 << 4
	maskOpcode             = 0xf << 11
	maskRcode              = 0xf

	rcodeSuccess, rcodeFormat, rcodeServer = 0, 1, 2
	rcodeName, rcodeKind, rcodeRefused     = 3, 4, 5
	rcodeVersion                           = 16 // RFC 6891

	typeA, typeCNAME, typeSOA, typePTR = 1, 5, 6, 12
	typeTXT, typeAAAA, typeSRV         = 16, 28, 33
	typeOPT, typeIXFR, typeAXFR        = 41, 251, 252
	typeANY                            = 255
	classIN                            = 1
)

// wireName encodes a name, of any case, as it stands in messages, in lower case.
func wireName(name string) ([]byte, error) {
	name = strings.TrimSuffix(name, ".")
	var out []byte
	for label := range strings.SplitSeq(name, ".") {
		if label == "" && name == "" {
			break
		}
		if label == "" || len(label) > maxLabel {
			return nil, fmt.Errorf("%w: %q has a label of %d bytes, not 1 to %d", ErrName, name, len(label), maxLabel)
		}
		out = append(append(out, byte(len(label))), strings.ToLower(label)...)
	}
	if len(out) >= maxWire {
		return nil, fmt.Errorf("%w: %q has more than 253 bytes", ErrName, name)
	}
	return append(out, 0), nil
}

// skipName returns the offset after the name at off; false if there is none.
func skipName(msg []byte, off int) (int, bool) {
	for off < len(msg) {
		n := int(msg[off])
		switch {
		case n == 0:
			return off + 1, true
		case n&0xc0 == 0xc0:
			return off + 2, off+2 <= len(msg)
		case n > maxLabel:
			return 0, false
		}
		off += 1 + n
	}
	return 0, false
}

// appendName appends the name at off in lower case and without compression. Pointers must lead backwards,
// which ends every chain of them.
func appendName(out, msg []byte, off int) ([]byte, bool) {
	from := len(out)
	for limit := off; off < len(msg); {
		n := int(msg[off])
		switch {
		case n&0xc0 == 0xc0:
			if off+2 > len(msg) {
				return out, false
			}
			off = int(binary.BigEndian.Uint16(msg[off:]) & 0x3fff)
			if off >= limit {
				return out, false
			}
			limit = off
			continue
		case n > maxLabel || off+1+n > len(msg) || len(out)-from+1+n > maxWire:
			return out, false
		}
		out = append(out, msg[off])
		for _, c := range msg[off+1 : off+1+n] {
			out = append(out, lower(c))
		}
		if n == 0 {
			return out, true
		}
		off += 1 + n
	}
	return out, false
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// record is where the parts of a resource record are in its message.
type record struct {
	start, rdata, end int
	typ, class        uint16
}

func (r record) ttlAt() int { return r.rdata - 6 }

func readRecord(msg []byte, off int) (record, bool) {
	r := record{start: off}
	at, ok := skipName(msg, off)
	if !ok || at+10 > len(msg) {
		return r, false
	}
	r.typ, r.class = binary.BigEndian.Uint16(msg[at:]), binary.BigEndian.Uint16(msg[at+2:])
	r.rdata = at + 10
	r.end = r.rdata + int(binary.BigEndian.Uint16(msg[at+8:]))
	return r, r.end <= len(msg)
}

// count is the number of entries of a section: 0 questions, 1 answers, 2 authorities, 3 additional records.
func count(msg []byte, section int) int { return int(binary.BigEndian.Uint16(msg[4+2*section:])) }

func setCount(msg []byte, section, n int) { binary.BigEndian.PutUint16(msg[4+2*section:], uint16(n)) }

func flagsOf(msg []byte) uint16 { return binary.BigEndian.Uint16(msg[2:]) }

func setFlags(msg []byte, f uint16) { binary.BigEndian.PutUint16(msg[2:], f) }

func rcodeOf(msg []byte) int { return int(flagsOf(msg) & maskRcode) }

// appendRecord appends a record up to its data; setLength completes it. An owner of nil is the question's name.
func appendRecord(out, owner []byte, typ uint16, ttl uint32) []byte {
	if owner == nil {
		out = append(out, 0xc0, headerSize)
	} else {
		out = append(out, owner...)
	}
	out = binary.BigEndian.AppendUint16(out, typ)
	out = binary.BigEndian.AppendUint16(out, classIN)
	out = binary.BigEndian.AppendUint32(out, ttl)
	return append(out, 0, 0)
}

// setLength says of the record whose data begins at rdata that it ends here.
func setLength(out []byte, rdata int) {
	binary.BigEndian.PutUint16(out[rdata-2:], uint16(len(out)-rdata))
}
