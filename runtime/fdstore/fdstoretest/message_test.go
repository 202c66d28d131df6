package fdstoretest

import (
	"strings"
	"testing"
)

func TestParseMessage(t *testing.T) {
	m := ParseMessage([]byte("FDSTORE=1\nFDNAME=a/b\nFDPOLL=0\nSTATUS=x=y\nnonsense\n=odd\n"))
	if !m.Store || m.Remove || !m.NoPoll || m.Name != "a/b" || m.Fields["STATUS"] != "x=y" || len(m.Fields) != 4 {
		t.Errorf("%+v", m)
	}
	if m := ParseMessage([]byte("FDSTOREREMOVE=1\nFDNAME=a:b")); !m.Remove || m.Name != "stored" {
		t.Errorf("%+v", m)
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte("FDSTORE=1\nFDNAME=a/b\nFDPOLL=0"))
	f.Add([]byte("READY=1\nSTATUS=x=y\n\n=\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := ParseMessage(data)
		if !validName(m.Name) {
			t.Errorf("name %q would break LISTEN_FDNAMES", m.Name)
		}
		for key, value := range m.Fields {
			if key == "" || strings.Contains(key+value, "\n") || strings.Contains(key, "=") {
				t.Errorf("assignment %q=%q", key, value)
			}
			if !strings.Contains(string(data), key+"="+value) {
				t.Errorf("%q=%q is not in the datagram", key, value)
			}
		}
	})
}
