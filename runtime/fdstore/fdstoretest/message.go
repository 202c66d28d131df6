package fdstoretest

import "strings"

// Message is one notify datagram, parsed.
type Message struct {
	Store, Remove, Barrier bool
	Name                   string            // FDNAME, "stored" without one
	NoPoll                 bool              // FDPOLL=0
	Fields                 map[string]string // every assignment
}

// ParseMessage reads the newline separated assignments of a datagram. Lines
// without '=' are skipped, of doubled ones the last counts, as in systemd.
func ParseMessage(data []byte) Message {
	m := Message{Name: "stored", Fields: map[string]string{}}
	for line := range strings.SplitSeq(string(data), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && key != "" {
			m.Fields[key] = value
		}
	}
	m.Store = m.Fields["FDSTORE"] == "1"
	m.Remove = m.Fields["FDSTOREREMOVE"] == "1"
	m.Barrier = m.Fields["BARRIER"] == "1"
	m.NoPoll = m.Fields["FDPOLL"] == "0"
	if name := m.Fields["FDNAME"]; validName(name) {
		m.Name = name
	}
	return m
}

func validName(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c < ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return true
}
