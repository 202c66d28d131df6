package netns

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"podd/netns/nft"
)

func parseSpans(t *testing.T, text string) []nft.Span {
	t.Helper()
	var all []nft.Span
	for _, w := range strings.Fields(text) {
		a, b, ok := strings.Cut(w, "-")
		if !ok {
			all = append(all, nft.SpanOf(netip.MustParsePrefix(w)))
			continue
		}
		all = append(all, nft.Span{From: netip.MustParseAddr(a), To: netip.MustParseAddr(b)})
	}
	return all
}

func spanText(all []nft.Span) string {
	var words []string
	for _, s := range all {
		words = append(words, fmt.Sprintf("%s-%s", s.From, s.To))
	}
	return strings.Join(words, " ")
}

func TestSpans(t *testing.T) {
	for _, c := range []struct{ from, holes, want string }{
		{"10.0.0.0/30", "", "10.0.0.0-10.0.0.3"},
		{"10.0.0.0/24", "10.0.0.0/25", "10.0.0.128-10.0.0.255"},
		{"10.0.0.0/24", "10.0.0.128/25", "10.0.0.0-10.0.0.127"},
		{"10.0.0.0/24", "10.0.0.64/26 10.0.0.100/32 10.0.0.200/32", "10.0.0.0-10.0.0.63 10.0.0.128-10.0.0.199 10.0.0.201-10.0.0.255"},
		{"10.0.0.0/24", "10.0.0.0/8", ""},
		{"10.0.0.0/24", "10.0.1.0/24 9.0.0.0/8", "10.0.0.0-10.0.0.255"},
		{"0.0.0.0/0", "255.255.255.255/32", "0.0.0.0-255.255.255.254"},
		{"0.0.0.0/0", "128.0.0.0/1", "0.0.0.0-127.255.255.255"},
		{"::/0", "fd00::/8", "::-fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	} {
		if got := spanText(nft.Subtract(parseSpans(t, c.from)[0], parseSpans(t, c.holes))); got != c.want {
			t.Errorf("%s less %s = %s, want %s", c.from, c.holes, got, c.want)
		}
	}
	for in, want := range map[string]string{
		"10.0.1.0/24 10.0.0.0/24": "10.0.0.0-10.0.1.255",
		"10.0.0.0/8 10.1.0.0/16":  "10.0.0.0-10.255.255.255",
		"10.0.0.5/32 10.0.0.7/32": "10.0.0.5-10.0.0.5 10.0.0.7-10.0.0.7",
		"0.0.0.0/0 1.2.3.4/32":    "0.0.0.0-255.255.255.255",
	} {
		if got := spanText(nft.MergeSpans(parseSpans(t, in))); got != want {
			t.Errorf("%s merged = %s, want %s", in, got, want)
		}
	}
}

// Whatever the rules, what they come to has no overlaps, which the kernel would refuse.
func FuzzRuleElements(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Fuzz(func(t *testing.T, b []byte) {
		var rule PolicyRule
		for len(b) >= 6 {
			bits := int(b[0] % 33)
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, b[1], b[2]}), bits).Masked()
			rule.Peers = append(rule.Peers, Peer{Net: p})
			first := uint16(b[3])<<8 | uint16(b[4])
			rule.Ports = append(rule.Ports, PortRange{[]Protocol{TCP, UDP}[b[5]%2], first, max(first, first+uint16(b[5])<<4)})
			b = b[6:]
		}
		v4 := nft.Families()[0]
		keys := rule.elements(v4, nil)
		for i, k := range keys {
			for _, o := range keys[:i] {
				if overlaps(k, o) {
					t.Fatalf("%x overlaps %x", k, o)
				}
			}
		}
	})
}

// overlaps compares two ranges field by field: address, protocol, port.
func overlaps(a, b string) bool {
	half := len(a) / 2
	for _, f := range [][2]int{{0, half - 8}, {half - 8, half - 4}, {half - 4, half}} {
		if a[half+f[0]:half+f[1]] < b[f[0]:f[1]] || b[half+f[0]:half+f[1]] < a[f[0]:f[1]] {
			return false
		}
	}
	return true
}
