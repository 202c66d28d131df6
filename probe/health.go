package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
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
func checkHealth(rw io.ReadWriter, scheme, authority, service string) (reply, error) {
	head := []Header{
		{":method", "POST"},
		{":scheme", scheme},
		{":path", "/grpc.health.v1.Health/Check"},
		{":authority", authority},
		{"content-type", "application/grpc"},
		{"user-agent", UserAgent},
		{"te", "trailers"},
	}
	var body []byte
	if service != "" {
		const fieldService = 1<<3 | 2 // number 1, of wire type 2: a length and so many bytes
		body = append(binary.AppendUvarint([]byte{fieldService}, uint64(len(service))), service...)
	}
	message := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	r := reply{code: -1}
	c := call{field: r.take, most: maxAnswer, whole: true}
	if err := c.make(rw, head, message); err != nil {
		return r, err
	}
	return r.end(c.data)
}

// take notes what counts of the headers and trailers.
func (r *reply) take(name, value string) {
	switch name {
	case ":status":
		r.httpStatus = value
	case "grpc-status":
		if code, err := strconv.Atoi(value); err == nil && code >= 0 {
			r.code = code
		}
	case "grpc-message":
		r.message = unescaped(value)
	}
}

// end judges a stream that is over.
func (r reply) end(data []byte) (reply, error) {
	switch {
	case r.code < 0 && r.httpStatus != "200":
		return r, fmt.Errorf("unexpected HTTP status code received from server: %s", r.httpStatus)
	case r.code < 0:
		return r, errors.New("the server's answer has no grpc-status")
	case r.code != codeOK:
		return r, nil
	}
	var err error
	r.serving, err = parseHealth(data)
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
