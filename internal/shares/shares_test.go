package shares

import (
	"net/netip"
	"testing"
	"testing/quick"
)

// Whatever a few others take and in whatever order, there is a place for whoever has none.
func TestSharesLeaveAPlaceForANewcomer(t *testing.T) {
	property := func(moves []uint8) bool {
		s := New(64, 16)
		client := func(i uint8) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, i % 7}) }
		for _, m := range moves {
			if m%4 == 0 && s.by[client(m)] > 0 {
				s.GiveBack(client(m))
			}
			for range m % 70 {
				s.Take(client(m))
			}
		}
		sum := 0
		for _, n := range s.by {
			sum += n
		}
		newcomer := netip.MustParseAddr("10.0.1.1")
		return sum == s.taken && s.Take(newcomer) && s.by[newcomer] == 1
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestSharesAreOfOneAddressInEitherForm(t *testing.T) {
	s := New(4, 4)
	s.Take(netip.MustParseAddr("10.0.0.1"))
	s.Take(netip.MustParseAddr("::ffff:10.0.0.1"))
	if len(s.by) != 1 || s.taken != 2 || s.Take(netip.MustParseAddr("::ffff:10.0.0.1")) {
		t.Errorf("%v", s.by)
	}
	s.GiveBack(netip.MustParseAddr("::ffff:10.0.0.1"))
	s.GiveBack(netip.MustParseAddr("10.0.0.1"))
	if len(s.by) != 0 || s.taken != 0 {
		t.Errorf("%v, %d taken", s.by, s.taken)
	}
}
