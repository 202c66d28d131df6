package namespace

import (
	"strings"
	"testing"
)

func FuzzParseSysctl(f *testing.F) {
	f.Add("net.ipv4.ip_forward")
	f.Add("net/ipv4/conf/eth0.5/forwarding")
	f.Fuzz(func(t *testing.T, name string) {
		s, err := parseSysctl(name, "1")
		if err != nil {
			return
		}
		if strings.Contains(s.path, "/../") || strings.HasSuffix(s.path, "/..") || !strings.HasPrefix(s.path, "/proc/sys/") {
			t.Errorf("%q became %q", name, s.path)
		}
	})
}
