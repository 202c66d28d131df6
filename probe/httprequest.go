package probe

import (
	"net/textproto"
	"strings"
)

// appendRequest writes the head of a GET request. The kubelet's rules: User-Agent and Accept are its own unless the
// manifest has them, and an empty Accept means none.
func (h HTTP) appendRequest(b []byte, ownHost bool) []byte {
	host := h.URL.Host
	if own := h.value("Host"); own != "" && ownHost {
		host = own
	}
	b = append(b, "GET "...)
	b = append(b, h.URL.RequestURI()...)
	b = appendHeader(append(b, " HTTP/1.1\r\n"...), "Host", host)
	if !h.has("User-Agent") {
		b = appendHeader(b, "User-Agent", h.UserAgent)
	}
	if !h.has("Accept") {
		b = appendHeader(b, "Accept", "*/*")
	}
	for _, header := range h.Headers {
		switch name := textproto.CanonicalMIMEHeaderKey(header.Name); {
		case name == "Host" || name == "Connection" || name == "Content-Length" || name == "Transfer-Encoding":
		case (name == "Accept" || name == "User-Agent") && header.Value == "":
		default:
			b = appendHeader(b, name, header.Value)
		}
	}
	return append(b, "Connection: close\r\n\r\n"...)
}

func appendHeader(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	if strings.ContainsAny(value, "\r\n") {
		// A line break would begin another header.
		value = strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == '\r' || r == '\n' }), " ")
	}
	return append(append(b, value...), "\r\n"...)
}

func (h HTTP) value(name string) string {
	for _, header := range h.Headers {
		if strings.EqualFold(header.Name, name) {
			return header.Value
		}
	}
	return ""
}

func (h HTTP) has(name string) bool {
	for _, header := range h.Headers {
		if strings.EqualFold(header.Name, name) {
			return true
		}
	}
	return false
}
