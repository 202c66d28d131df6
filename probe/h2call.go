package probe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// call is one request of which the answer is being read.
type call struct {
	w     io.Writer
	r     *bufio.Reader
	buf   []byte // of the frame that is being taken in
	block []byte // headers so far
	data  []byte
	ends  bool // the headers that are being read end the stream
	over  bool

	field func(name, value string) // takes headers and trailers
	most  int                      // bytes of data
	whole bool                     // more than that is an error, and not cut
}

// make sends a request, all of it at once: it needs no permission of the server's first (RFC 9113, 3.4). It returns
// at the end of the answer.
func (c *call) make(rw io.ReadWriter, head []Header, body []byte) error {
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	b.reader.Reset(rw)
	defer b.reader.Reset(nil)
	c.w, c.r = rw, &b.reader
	b.request = appendCall(b.request[:0], head, body)
	if _, err := rw.Write(b.request); err != nil {
		return err
	}
	for !c.over {
		err := c.step()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the server closed the connection before it answered")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func appendCall(b []byte, head []Header, body []byte) []byte {
	settings := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, headerTable), 0)
	settings = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(settings, enablePush), 0)
	var block []byte
	for _, field := range head {
		block = appendLiteral(block, field.Name, field.Value)
	}
	b = appendFrame(append(b, clientHello...), frame{frameSettings, 0, wholeConnect, settings})
	if body == nil {
		return appendFrame(b, frame{frameHeaders, flagEndHeaders | flagEndStream, ourOnlyFlow, block})
	}
	b = appendFrame(b, frame{frameHeaders, flagEndHeaders, ourOnlyFlow, block})
	return appendFrame(b, frame{frameData, flagEndStream, ourOnlyFlow, body})
}

// step takes in one frame.
func (c *call) step() error {
	f, err := readFrame(c.r, &c.buf)
	if err != nil {
		return err
	}
	switch {
	case f.kind == frameSettings && f.flags&flagAck == 0:
		return c.send(frame{frameSettings, flagAck, wholeConnect, nil})
	case f.kind == framePing && f.flags&flagAck == 0:
		return c.send(frame{framePing, flagAck, wholeConnect, f.payload})
	case f.kind == frameGoAway && len(f.payload) >= 8 && binary.BigEndian.Uint32(f.payload) < ourOnlyFlow:
		return fmt.Errorf("the server does not take the call: HTTP/2 error %d", binary.BigEndian.Uint32(f.payload[4:]))
	case f.stream != ourOnlyFlow:
		return nil
	case f.kind == frameReset && len(f.payload) >= 4:
		return fmt.Errorf("the server has ended the call: HTTP/2 error %d", binary.BigEndian.Uint32(f.payload))
	case f.kind == frameData:
		return c.take(f, &c.data)
	case f.kind == frameHeaders, f.kind == frameContinuation:
		return c.headers(f)
	}
	return nil
}

func (c *call) send(f frame) error {
	_, err := c.w.Write(appendFrame(nil, f))
	return err
}

func (c *call) take(f frame, to *[]byte) error {
	part, err := f.content()
	if err != nil {
		return err
	}
	most, isData := maxAnswer, f.kind == frameData
	if isData {
		most = c.most
	}
	if room := most - len(*to); len(part) > room {
		if !isData || c.whole {
			return fmt.Errorf("%w: the answer is too long", errFrame)
		}
		part, c.over = part[:room], true
	}
	*to = append(*to, part...)
	c.over = c.over || isData && f.flags&flagEndStream != 0
	return nil
}

func (c *call) headers(f frame) error {
	if f.kind == frameContinuation {
		f.flags &= flagEndHeaders // it has no other
	} else {
		c.ends = f.flags&flagEndStream != 0
	}
	if err := c.take(f, &c.block); err != nil || f.flags&flagEndHeaders == 0 {
		return err
	}
	err := headerFields(string(c.block), c.field)
	c.block, c.over = c.block[:0], c.over || c.ends
	return err
}
