package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Frames of HTTP/2. RFC 9113, 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndStream  = 0x1 // of DATA and HEADERS
	flagAck        = 0x1 // of SETTINGS and PING
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	frameHead    = 9       // bytes
	maxFrame     = 1 << 14 // bytes, what a peer may send unless told otherwise
	maxAnswer    = 1 << 15 // bytes of headers, or of data, that are taken in
	clientHello  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	headerTable  = 0x1 // SETTINGS_HEADER_TABLE_SIZE
	enablePush   = 0x2 // SETTINGS_ENABLE_PUSH
	ourOnlyFlow  = 1   // the stream of the one request
	wholeConnect = 0   // the stream number of frames about the connection
)

var errFrame = errors.New("bad HTTP/2 frame")

type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

func appendFrame(b []byte, f frame) []byte {
	n := len(f.payload)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), f.kind, f.flags)
	b = binary.BigEndian.AppendUint32(b, f.stream)
	return append(b, f.payload...)
}

// readFrame reads one frame; its payload is valid until the next, and lies in buf, which grows.
func readFrame(r io.Reader, buf *[]byte) (frame, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	if strings.HasPrefix(string(head[:]), "HTTP/") {
		return frame{}, errors.New("the server speaks HTTP/1, not HTTP/2")
	}
	n := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	f := frame{kind: head[3], flags: head[4], stream: binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1)}
	if n > maxFrame {
		return frame{}, fmt.Errorf("%w: of %d bytes", errFrame, n)
	}
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	f.payload = (*buf)[:n]
	_, err := io.ReadFull(r, f.payload)
	return f, err
}

// content is a DATA or HEADERS frame's payload without padding and priority. RFC 9113, 6.1 and 6.2.
func (f frame) content() ([]byte, error) {
	p, padding := f.payload, 0
	if f.flags&flagPadded != 0 {
		if len(p) == 0 {
			return nil, errFrame
		}
		padding, p = int(p[0]), p[1:]
	}
	if f.kind == frameHeaders && f.flags&flagPriority != 0 {
		const priority = 5 // bytes
		if len(p) < priority {
			return nil, errFrame
		}
		p = p[priority:]
	}
	if padding > len(p) {
		return nil, errFrame
	}
	return p[:len(p)-padding], nil
}
