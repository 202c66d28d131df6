package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	maxFrame   = 1 << 14 // bytes, what a peer may send unless told otherwise (RFC 9113, 4.2)
	maxAnswer  = 1 << 15 // bytes of headers, or of data, that are taken in
	callStream = 1       // the stream of the one request
)

var (
	errFrame   = errors.New("bad HTTP/2 frame")
	errTooLong = fmt.Errorf("%w: the answer is too long", errFrame)
)

// call is one request of which the answer is being read.
type call struct {
	w      io.Writer
	r      *bufio.Reader
	out    bytes.Buffer // frames that are to be sent at once
	framer *http2.Framer
	data   []byte
	over   bool

	field func(name, value string) // takes headers and trailers
	most  int                      // bytes of data
	whole bool                     // more than that is an error, and not cut
}

// make sends a request, all of it at once: it needs no permission of the server's first (RFC 9113, 3.4). It returns
// at the end of the answer, which is far below the window that a server may fill without asking.
func (c *call) make(rw io.ReadWriter, head []Header, body []byte) error {
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	b.reader.Reset(rw)
	defer b.reader.Reset(nil)
	c.w, c.r = rw, &b.reader
	c.framer = http2.NewFramer(&c.out, c.r)
	c.framer.SetMaxReadFrameSize(maxFrame)
	c.framer.SetReuseFrames()
	// The server is told to keep no dynamic table, and so there is none here.
	c.framer.ReadMetaHeaders = hpack.NewDecoder(0, nil)
	c.framer.MaxHeaderListSize = maxAnswer
	if err := c.request(head, body); err != nil {
		return err
	}
	if start, err := c.r.Peek(len("HTTP/")); err == nil && string(start) == "HTTP/" {
		return errors.New("the server speaks HTTP/1, not HTTP/2")
	}
	for !c.over {
		if err := c.step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) request(head []Header, body []byte) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range head {
		// An error is one of block's, which has none.
		_ = encoder.WriteField(hpack.HeaderField{Name: field.Name, Value: field.Value})
	}
	c.out.WriteString(http2.ClientPreface)
	err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	if err != nil {
		return err
	}
	err = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: callStream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == nil})
	if err != nil {
		return err
	}
	if body != nil {
		if err := c.framer.WriteData(callStream, true, body); err != nil {
			return err
		}
	}
	return c.flush()
}

func (c *call) flush() error {
	_, err := c.w.Write(c.out.Bytes())
	c.out.Reset()
	return err
}

// step takes in one frame.
func (c *call) step() error {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return c.explain(err)
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		if err := c.framer.WriteSettingsAck(); err != nil {
			return err
		}
		return c.flush()
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		if err := c.framer.WritePing(true, f.Data); err != nil {
			return err
		}
		return c.flush()
	case *http2.GoAwayFrame:
		if f.LastStreamID < callStream {
			return fmt.Errorf("the server does not take the call: HTTP/2 error %d", uint32(f.ErrCode))
		}
	}
	if frame.Header().StreamID != callStream {
		return nil
	}
	switch f := frame.(type) {
	case *http2.RSTStreamFrame:
		return fmt.Errorf("the server has ended the call: HTTP/2 error %d", uint32(f.ErrCode))
	case *http2.DataFrame:
		return c.take(f.Data(), f.StreamEnded())
	case *http2.MetaHeadersFrame:
		if f.Truncated {
			return errTooLong
		}
		for _, field := range f.Fields {
			c.field(field.Name, field.Value)
		}
		c.over = f.StreamEnded()
	}
	return nil
}

func (c *call) take(part []byte, ends bool) error {
	c.over = ends
	if room := c.most - len(c.data); len(part) > room {
		if c.whole {
			return errTooLong
		}
		part, c.over = part[:room], true
	}
	c.data = append(c.data, part...)
	return nil
}

// explain says of an error what it means for a probe.
func (c *call) explain(err error) error {
	var broken http2.ConnectionError
	var refused http2.StreamError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server closed the connection before it answered")
	case errors.Is(err, http2.ErrFrameTooLarge):
		return fmt.Errorf("%w: of more than %d bytes", errFrame, maxFrame)
	case errors.As(err, &broken), errors.As(err, &refused):
		if detail := c.framer.ErrorDetail(); detail != nil {
			return fmt.Errorf("%w: %w", errFrame, detail)
		}
		return errFrame
	}
	return err
}
