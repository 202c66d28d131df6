package probe

import "strings"

// appendRequest writes the head of a GET request.
func (h HTTP) appendRequest(b []byte, ownHost bool) []byte {
	host := h.URL.Host
	if own := h.value("Host"); own != "" && ownHost {
		host = oneLine(own)
	}
	b = append(b, "GET "...)
	b = append(b, h.URL.RequestURI()...)
	b = appendHeader(append(b, " HTTP/1.1\r\n"...), "Host", host)
	for _, header := range h.own() {
		b = appendHeader(b, header.Name, header.Value)
	}
	return append(b, "Connection: close\r\n\r\n"...)
}

func appendHeader(b []byte, name, value string) []byte {
	return append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
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
