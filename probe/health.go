package probe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// serving is the one good answer of the health service.
const serving = 1

// reply is what a health check has brought.
type reply struct {
	httpStatus string
	code       int // of gRPC; -1 before there is one
	message    string
	serving    int
}

// checkHealth makes one call of grpc.health.v1.Health/Check over HTTP/2 and reads until its end.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
func checkHealth(rw io.ReadWriter, authority, service string) (reply, error) {
	if _, err := rw.Write(healthRequest(authority, service)); err != nil {
		return reply{}, err
	}
	b := buffers.Get().(*buffer) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer buffers.Put(b)
	b.reader.Reset(rw)
	defer b.reader.Reset(nil)
	call := call{w: rw, r: &b.reader, reply: reply{code: -1}}
	for !call.over {
		if err := call.step(); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the server closed the connection before it answered")
			}
			return reply{}, err
		}
	}
	return call.end()
}

// healthRequest is all that is sent: the request needs no permission of the server's first, RFC 9113, 3.4.
func healthRequest(authority, service string) []byte {
	settings := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, headerTable), 0)
	settings = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(settings, enablePush), 0)
	const post, http = 3, 6 // of the static table: :method POST, :scheme http
	head := appendIndexed(appendIndexed(nil, post), http)
	for _, field := range [...]Header{
		{":path", "/grpc.health.v1.Health/Check"},
		{":authority", authority},
		{"content-type", "application/grpc"},
		{"user-agent", UserAgent},
		{"te", "trailers"},
	} {
		head = appendLiteral(head, field.Name, field.Value)
	}
	var body []byte
	if service != "" {
		const fieldService = 1<<3 | 2 // number 1, of wire type 2: a length and so many bytes
		body = append(binary.AppendUvarint([]byte{fieldService}, uint64(len(service))), service...)
	}
	message := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	b := appendFrame([]byte(clientHello), frame{frameSettings, 0, wholeConnect, settings})
	b = appendFrame(b, frame{frameHeaders, flagEndHeaders, ourOnlyFlow, head})
	return appendFrame(b, frame{frameData, flagEndStream, ourOnlyFlow, message})
}

// call is one request of which the answer is being read.
type call struct {
	w     io.Writer
	r     *bufio.Reader
	buf   []byte // of the frame that is being taken in
	block []byte // headers so far
	data  []byte
	ends  bool // the headers that are being read end the stream
	over  bool
	reply reply
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
	if len(*to)+len(part) > maxAnswer {
		return fmt.Errorf("%w: the answer is too long", errFrame)
	}
	*to = append(*to, part...)
	c.over = c.over || f.kind == frameData && f.flags&flagEndStream != 0
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
	c.block, c.over = c.block[:0], c.ends
	return err
}

func (c *call) field(name, value string) {
	switch strings.ToLower(name) {
	case ":status":
		c.reply.httpStatus = value
	case "grpc-status":
		if code, err := strconv.Atoi(value); err == nil && code >= 0 {
			c.reply.code = code
		}
	case "grpc-message":
		c.reply.message = unescaped(value)
	}
}

// end judges a stream that is over.
func (c *call) end() (reply, error) {
	r := c.reply
	switch {
	case r.code < 0 && r.httpStatus != "200":
		return r, fmt.Errorf("unexpected HTTP status code received from server: %s", r.httpStatus)
	case r.code < 0:
		return r, errors.New("the server's answer has no grpc-status")
	case r.code != codeOK:
		return r, nil
	}
	var err error
	r.serving, err = parseHealth(c.data)
	return r, err
}

var errMessage = errors.New("bad message from the health service")

// parseHealth reads a gRPC message with a HealthCheckResponse: one varint, number 1.
// https://protobuf.dev/programming-guides/encoding/
func parseHealth(data []byte) (int, error) {
	const prefix = 5
	if len(data) < prefix || data[0] != 0 || int(binary.BigEndian.Uint32(data[1:])) != len(data)-prefix {
		return 0, errMessage
	}
	status := 0
	for data = data[prefix:]; len(data) > 0; {
		key, n := binary.Uvarint(data)
		if n <= 0 {
			return 0, errMessage
		}
		data = data[n:]
		value, width, err := protoValue(key&7, data)
		if err != nil {
			return 0, err
		}
		if key == 1<<3 {
			status = int(value)
		}
		data = data[width:]
	}
	return status, nil
}

// protoValue reads the value of a field of any wire type, and how many bytes it takes.
func protoValue(wire uint64, data []byte) (value uint64, width int, err error) {
	switch wire {
	case 0:
		value, width = binary.Uvarint(data)
	case 1:
		width = 8
	case 2:
		var n uint64
		if n, width = binary.Uvarint(data); width > 0 && n <= uint64(len(data)) {
			width += int(n)
		}
	case 5:
		width = 4
	}
	if width <= 0 || width > len(data) {
		return 0, 0, errMessage
	}
	return value, width, nil
}
