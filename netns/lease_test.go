package netns

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/quick"
)

func testLeases(dir, cidr string) *leases { return newLeases(dir, netip.MustParsePrefix(cidr)) }

func mustAcquire(t *testing.T, l *leases, id string) netip.Addr {
	t.Helper()
	a, err := l.acquire(id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestEveryAddressOfANetworkOnce(t *testing.T) {
	for cidr, want := range map[string]int{"10.0.0.0/24": 253, "10.9.8.128/27": 29, "10.0.0.4/30": 1} {
		l := testLeases(t.TempDir(), cidr)
		p := netip.MustParsePrefix(cidr)
		seen := map[netip.Addr]bool{}
		for i := range want {
			a := mustAcquire(t, l, fmt.Sprint(i))
			if seen[a] || !p.Contains(a) || a == p.Addr() || a == p.Addr().Next() || a == lastAddr(p) {
				t.Errorf("%s: got %s", cidr, a)
			}
			seen[a] = true
		}
		if a, err := l.acquire("one more"); !errors.Is(err, ErrExhausted) {
			t.Errorf("%s: after %d addresses: %s, %v, want ErrExhausted", cidr, want, a, err)
		}
		if err := l.release("0"); err != nil {
			t.Fatal(err)
		}
		mustAcquire(t, l, "one more")
	}
}

// An address that was returned comes last, also after a restart.
func TestAddressesRest(t *testing.T) {
	dir := t.TempDir()
	l := testLeases(dir, "10.0.0.0/29") // five addresses for pods
	first := mustAcquire(t, l, "a")
	if again := mustAcquire(t, l, "a"); again != first {
		t.Errorf("the same id got %s, then %s", first, again)
	}
	for i := range 4 {
		if err := l.release("a"); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			l = testLeases(dir, "10.0.0.0/29")
		}
		if a := mustAcquire(t, l, "a"); a == first {
			t.Errorf("%s came back after %d others", first, i)
		}
	}
	if err := l.release("a"); err != nil {
		t.Fatal(err)
	}
	if a := mustAcquire(t, l, "a"); a != first {
		t.Errorf("the sixth is %s, want %s", a, first)
	}
}

func TestLeasesSurvive(t *testing.T) {
	dir := t.TempDir()
	l := testLeases(dir, "10.0.0.0/24")
	a := mustAcquire(t, l, "a")
	if target, err := os.Readlink(filepath.Join(dir, a.String())); err != nil || target != "a" {
		t.Errorf("lease file says %q, %v", target, err)
	}
	// What is no lease takes its address away and nothing else.
	b := nextHost(l.cidr, a)
	if err := os.WriteFile(filepath.Join(dir, b.String()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l = testLeases(dir, "10.0.0.0/24")
	if got, ok := l.lookup("a"); !ok || got != a {
		t.Errorf("lookup = %s, %v, want %s", got, ok, a)
	}
	if got := mustAcquire(t, l, "c"); got == a || got == b {
		t.Errorf("c got %s, which is taken", got)
	}
}

// Two processes with one folder: the file decides.
func TestTwoHandsOneFolder(t *testing.T) {
	dir := t.TempDir()
	hands := []*leases{testLeases(dir, "10.0.0.0/24"), testLeases(dir, "10.0.0.0/24")}
	for _, l := range hands {
		if _, ok := l.lookup("nobody"); ok { // both have read the folder now
			t.Fatal("nobody has an address")
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[netip.Addr]bool{}
	for i := range 100 {
		wg.Go(func() {
			a, err := hands[0].acquire(fmt.Sprint(i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[a] {
				t.Errorf("got %s, %v", a, err)
			}
			seen[a] = true
		})
	}
	wg.Wait()
	for i := 100; i < 200; i++ {
		a, err := hands[1].acquire(fmt.Sprint(i))
		if err != nil || seen[a] {
			t.Fatalf("got %s, %v", a, err)
		}
		seen[a] = true
	}
}

func TestANetworkThatChanged(t *testing.T) {
	dir := t.TempDir()
	old := mustAcquire(t, testLeases(dir, "10.0.0.0/24"), "a")
	l := testLeases(dir, "10.7.0.0/24")
	if got, ok := l.lookup("a"); !ok || got != old {
		t.Errorf("lookup = %s, %v: a pod that runs keeps its address", got, ok)
	}
	if got := mustAcquire(t, l, "a"); got != netip.MustParseAddr("10.7.0.2") {
		t.Errorf("a new attachment got %s", got)
	}
	if _, err := os.Lstat(filepath.Join(dir, old.String())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old lease is left: %v", err)
	}
}

// Any order of taking, returning and restarting gives no address twice.
func TestLeasesNeverCollide(t *testing.T) {
	property := func(seed uint64) bool {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		l := testLeases(dir, "10.0.0.0/27")
		held := map[string]netip.Addr{}
		for range 200 {
			id := fmt.Sprint(rng.IntN(40))
			switch rng.IntN(5) {
			case 0:
				l = testLeases(dir, "10.0.0.0/27")
			case 1, 2:
				if l.release(id) != nil {
					return false
				}
				delete(held, id)
			default:
				a, err := l.acquire(id)
				if errors.Is(err, ErrExhausted) && len(held) == 29 {
					continue
				}
				if before, ok := held[id]; err != nil || (ok && before != a) {
					return false
				}
				held[id] = a
			}
			distinct := map[netip.Addr]bool{}
			for _, a := range held {
				distinct[a] = true
			}
			if len(distinct) != len(held) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 30}); err != nil {
		t.Error(err)
	}
}

func TestNobodyGetsNothing(t *testing.T) {
	if a, err := testLeases(t.TempDir(), "10.0.0.0/24").acquire(""); err == nil {
		t.Errorf("nobody got %s", a)
	}
}

func FuzzNextHost(f *testing.F) {
	f.Add(uint32(0x0a000000), uint8(24), uint32(0x0a0000fe))
	f.Add(uint32(0xffffffff), uint8(30), uint32(0))
	f.Fuzz(func(t *testing.T, network uint32, bits uint8, from uint32) {
		p := netip.PrefixFrom(addr4(network), 8+int(bits)%23).Masked()
		a := nextHost(p, addr4(from))
		if !p.Contains(a) || a == p.Addr() || a == p.Addr().Next() || a == lastAddr(p) {
			t.Errorf("nextHost(%s, %s) = %s", p, addr4(from), a)
		}
		if hostCount(p) > 1 && a == addr4(from) {
			t.Errorf("nextHost(%s, %s) stays", p, a)
		}
	})
}

func addr4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}
