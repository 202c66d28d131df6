package netns

import (
	"net/netip"
	"strings"
	"testing"
	"testing/quick"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"podd/netns/inspect"
	"podd/netns/nft"
)

func TestNewRefuses(t *testing.T) {
	ok := Config{CIDR: netip.MustParsePrefix("10.88.3.4/16"), LeaseDir: "/x"}
	n, err := New(ok)
	if err != nil || n.Gateway() != netip.MustParseAddr("10.88.0.1") || n.cfg.Bridge != "podd0" || n.cfg.TableName != "podd" {
		t.Fatalf("New = %+v, %v", n, err)
	}
	for name, c := range map[string]Config{
		"no network":       {LeaseDir: "/x"},
		"IPv6":             {CIDR: netip.MustParsePrefix("fd00::/64"), LeaseDir: "/x"},
		"mapped":           {CIDR: netip.MustParsePrefix("::ffff:10.0.0.0/120"), LeaseDir: "/x"},
		"too small":        {CIDR: netip.MustParsePrefix("10.0.0.0/31"), LeaseDir: "/x"},
		"too large":        {CIDR: netip.MustParsePrefix("10.0.0.0/7"), LeaseDir: "/x"},
		"no folder":        {CIDR: ok.CIDR},
		"bridge too long!": {CIDR: ok.CIDR, LeaseDir: "/x", Bridge: "sixteen-letters-"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestHostIfNames(t *testing.T) {
	distinct := func(a, b string) bool {
		x, y := hostIf(a), hostIf(b)
		return isHostIf(x) && isHostIf(y) && (a == b) == (x == y) && !strings.ContainsAny(x, "/: ")
	}
	if err := quick.Check(distinct, nil); err != nil {
		t.Error(err)
	}
	if isHostIf("podd0") {
		t.Error("podd0 looks like a pod's")
	}
}

func TestLastAddr(t *testing.T) {
	for cidr, want := range map[string]string{
		"10.0.0.0/24": "10.0.0.255", "10.0.0.0/8": "10.255.255.255", "10.1.2.7/30": "10.1.2.7", "10.1.2.3/23": "10.1.3.255",
	} {
		if got := nft.LastAddr(netip.MustParsePrefix(cidr)).String(); got != want {
			t.Errorf("lastAddr(%s) = %s, want %s", cidr, got, want)
		}
	}
}

func TestSortHostIPs(t *testing.T) {
	addr := func(index, flags int, s string) netlink.Addr {
		ip := netip.MustParseAddr(s)
		return netlink.Addr{LinkIndex: index, Flags: flags, IPNet: netlink.NewIPNet(ip.AsSlice())}
	}
	addrs := []netlink.Addr{
		addr(1, 0, "127.0.0.1"), addr(2, 0, "192.168.1.5"), addr(2, 0, "fe80::1"), addr(2, 0, "2001:db8::2"),
		addr(3, 0, "10.0.0.7"), addr(3, 0, "2001:db8::3"), addr(3, unix.IFA_F_TENTATIVE, "2001:db8::4"),
		addr(4, 0, "10.88.0.1"), addr(5, 0, "172.16.0.9"), addr(5, 0, "169.254.0.1"),
	}
	got := inspect.SortHostIPs(addrs, map[int]bool{1: true, 4: true}, map[int]int{3: 0, 5: 1})
	want := "10.0.0.7 172.16.0.9 192.168.1.5 2001:db8::3 2001:db8::2"
	var words []string
	for _, ip := range got {
		words = append(words, ip.String())
	}
	if s := strings.Join(words, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}
