package dns

import "encoding/binary"

const (
	// plainSize is what an answer without EDNS may have.
	plainSize = 512
	// ednsSize is what fits every path without fragments. https://www.dnsflagday.net/2020/
	ednsSize = 1232
)

// query is what a client asks. It borrows from the message.
type query struct {
	id, flags  uint16
	typ, class uint16
	question   []byte // as it stands in the message
	name       []byte // in lower case
	edns, do   bool
	size       int // bytes that an answer by UDP may have
	buf        [maxWire + 1]byte
}

// parse reads a message that a client has sent. A negative code is for one that deserves no answer.
func (q *query) parse(msg []byte) (rcode int) {
	if len(msg) < headerSize || flagsOf(msg)&flagQR != 0 {
		return -1
	}
	q.id, q.flags = binary.BigEndian.Uint16(msg), flagsOf(msg)
	q.question, q.name, q.edns, q.do, q.size = nil, nil, false, false, plainSize
	if q.flags&maskOpcode != 0 {
		return rcodeKind
	}
	if count(msg, 0) != 1 {
		return rcodeFormat
	}
	off, ok := q.readQuestion(msg)
	if !ok {
		return rcodeFormat
	}
	return q.readOptions(msg, off)
}

func (q *query) readQuestion(msg []byte) (end int, ok bool) {
	at := headerSize
	for at < len(msg) && msg[at] != 0 {
		if msg[at] > maxLabel { // nothing is before it that a pointer could lead to
			return 0, false
		}
		at += 1 + int(msg[at])
	}
	end = at + 5
	if end > len(msg) || at+1-headerSize > maxWire {
		return 0, false
	}
	q.question = msg[headerSize:end]
	q.name = q.buf[:at+1-headerSize]
	for i, c := range msg[headerSize : at+1] {
		q.name[i] = lower(c)
	}
	q.typ, q.class = binary.BigEndian.Uint16(msg[at+1:]), binary.BigEndian.Uint16(msg[at+3:])
	return end, true
}

// readOptions looks for EDNS behind the question. RFC 6891
func (q *query) readOptions(msg []byte, off int) (rcode int) {
	for range count(msg, 1) + count(msg, 2) + count(msg, 3) {
		r, ok := readRecord(msg, off)
		if !ok {
			return rcodeFormat
		}
		off = r.end
		if r.typ != typeOPT {
			continue
		}
		if q.edns {
			return rcodeFormat
		}
		q.edns = true
		q.size = min(max(int(r.class), plainSize), ednsSize)
		q.do = msg[r.ttlAt()+2]&0x80 != 0
		if msg[r.ttlAt()+1] != 0 {
			return rcodeVersion
		}
	}
	return rcodeSuccess
}

// begin is the head of an answer: header and question.
func (q *query) begin(out []byte, flags uint16) []byte {
	out = binary.BigEndian.AppendUint16(out[:0], q.id)
	out = binary.BigEndian.AppendUint16(out, flagQR|q.flags&(maskOpcode|flagRD|flagCD)|flagRA|flags)
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0)
	if q.question != nil {
		setCount(out, 0, 1)
		out = append(out, q.question...)
	}
	return out
}

// finish fits an answer to what the client can take, and adds EDNS for one that speaks it.
func (q *query) finish(out []byte, limit, extended int) []byte {
	const optSize = 11
	if q.edns {
		limit -= optSize
	}
	if len(out) > limit {
		out = truncate(out, limit)
	}
	if !q.edns {
		return out
	}
	setCount(out, 3, count(out, 3)+1)
	out = append(out, 0, 0, typeOPT)
	out = binary.BigEndian.AppendUint16(out, ednsSize)
	var do byte
	if q.do {
		do = 0x80
	}
	return append(out, byte(extended), 0, do, 0, 0, 0)
}

// truncate cuts a message between two records. Only answers that are missing are a reason to ask again by TCP:
// what stands in the additional section is a courtesy.
func truncate(msg []byte, limit int) []byte {
	off, ok := skipQuestions(msg)
	for section := 1; section <= 3; section++ {
		for i := range count(msg, section) {
			r, valid := readRecord(msg, off)
			if ok = ok && valid && r.end <= limit; ok {
				off = r.end
				continue
			}
			if section < 3 {
				setFlags(msg, flagsOf(msg)|flagTC)
			}
			setCount(msg, section, i)
			for rest := section + 1; rest <= 3; rest++ {
				setCount(msg, rest, 0)
			}
			return msg[:off]
		}
	}
	return msg[:off]
}

// skipQuestions returns where the answers begin.
func skipQuestions(msg []byte) (off int, ok bool) {
	off = headerSize
	for range count(msg, 0) {
		if off, ok = skipName(msg, off); !ok || off+4 > len(msg) {
			return headerSize, false
		}
		off += 4
	}
	return off, true
}

// refuse is an answer that says nothing but a code.
func (q *query) refuse(out []byte, rcode int) []byte {
	return q.finish(q.begin(out, uint16(rcode&maskRcode)), plainSize, rcode>>4)
}
