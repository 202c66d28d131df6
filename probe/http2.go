package probe

import (
	"net/textproto"
	"strconv"
	"strings"
)

// askHTTP2 makes the request in HTTP/2 on a connection of its own, without having asked whether the server knows it.
func (h HTTP) askHTTP2(c *conn, ownHost bool) (answer, error) {
	var a answer
	call := call{most: maxBody, field: func(name, value string) {
		switch name {
		case ":status":
			a.status, _ = strconv.Atoi(value)
		case "location":
			a.location = value
		}
	}}
	if err := call.make(c, h.fields(ownHost), nil); err != nil {
		return a, err
	}
	if a.status >= 300 && a.status < 400 {
		a.body = string(call.data)
	}
	return a, nil
}

// fields is what appendRequest writes, as HTTP/2 has it. RFC 9113, 8.2 and 8.3.1.
func (h HTTP) fields(ownHost bool) []Header {
	host := h.URL.Host
	if own := h.value("Host"); own != "" && ownHost {
		host = own
	}
	list := []Header{{":method", "GET"}, {":scheme", h.URL.Scheme}, {":authority", host}, {":path", h.URL.RequestURI()}}
	for _, header := range h.own() {
		list = append(list, Header{strings.ToLower(header.Name), header.Value})
	}
	return list
}

// own are the headers beside those that belong to the connection. The kubelet's rules: User-Agent and Accept are its
// own unless the manifest has them, and an empty Accept means none.
func (h HTTP) own() []Header {
	var list []Header
	if !h.has("User-Agent") {
		list = append(list, Header{"User-Agent", h.UserAgent})
	}
	if !h.has("Accept") {
		list = append(list, Header{"Accept", "*/*"})
	}
	for _, header := range h.Headers {
		switch name := textproto.CanonicalMIMEHeaderKey(header.Name); {
		case name == "Host" || name == "Connection" || name == "Content-Length" || name == "Transfer-Encoding" || name == "Upgrade" || name == "Keep-Alive":
		case (name == "Accept" || name == "User-Agent") && header.Value == "":
		default:
			list = append(list, Header{name, oneLine(header.Value)})
		}
	}
	return list
}

// oneLine keeps a value from beginning another header.
func oneLine(value string) string {
	if !strings.ContainsAny(value, "\r\n") {
		return value
	}
	return strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == '\r' || r == '\n' }), " ")
}
