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

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/internal/lease"
	"podd/netns/nft"
)

func testLeases(dir, cidr string) *lease.Leases[netip.Addr] {
	return newLeases(dir, netip.MustParsePrefix(cidr), nil)
}

func mustAcquire(t *testing.T, l *lease.Leases[netip.Addr], id string) netip.Addr {
	t.Helper()
	a, err := l.Acquire(id)
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
			if seen[a] || !p.Contains(a) || a == p.Addr() || a == p.Addr().Next() || a == nft.LastAddr(p) {
				t.Errorf("%s: got %s", cidr, a)
			}
			seen[a] = true
		}
		if a, err := l.Acquire("one more"); !errors.Is(err, lease.ErrExhausted) {
			t.Errorf("%s: after %d addresses: %s, %v, want ErrExhausted", cidr, want, a, err)
		}
		if err := l.Release("0"); err != nil {
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
		if err := l.Release("a"); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			l = testLeases(dir, "10.0.0.0/29")
		}
		if a := mustAcquire(t, l, "a"); a == first {
			t.Errorf("%s came back after %d others", first, i)
		}
	}
	if err := l.Release("a"); err != nil {
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
	l = testLeases(dir, "10.0.0.0/24")
	if got, ok := l.Lookup("a"); !ok || got != a {
		t.Errorf("lookup = %s, %v, want %s", got, ok, a)
	}
	if got := mustAcquire(t, l, "c"); got == a {
		t.Errorf("c got %s, which is taken", got)
	}
}

// What is no lease is set aside and told of, and takes nobody's address away; the folder itself may be something else.
func TestDamagedLeases(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"a file":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "10.0.0.3"), []byte("x"), 0o600) },
		"a FIFO":       func(dir string) error { return unix.Mkfifo(filepath.Join(dir, "10.0.0.3"), 0o600) },
		"a folder":     func(dir string) error { return os.MkdirAll(filepath.Join(dir, "10.0.0.3", "x"), 0o700) },
		"twice":        func(dir string) error { return os.Symlink("a", filepath.Join(dir, "10.0.0.3")) },
		"a wrong note": func(dir string) error { return os.Symlink("nonsense", filepath.Join(dir, "last")) },
		"a full note":  func(dir string) error { return os.MkdirAll(filepath.Join(dir, "last", "x"), 0o700) },
		"a file for the folder": func(dir string) error {
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("x"), 0o600))
		},
		"a FIFO for the folder": func(dir string) error { return errors.Join(os.RemoveAll(dir), unix.Mkfifo(dir, 0o600)) },
		"a link to nowhere for the folder": func(dir string) error {
			return errors.Join(os.RemoveAll(dir), os.Symlink("/nowhere/at/all", dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "leases")
			first := mustAcquire(t, testLeases(dir, "10.0.0.0/29"), "a")
			if err := os.Remove(filepath.Join(dir, "last")); err != nil {
				t.Fatal(err)
			}
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			told := 0
			n, err := New(Config{CIDR: netip.MustParsePrefix("10.0.0.0/29"), LeaseDir: dir, Damaged: func(*atomicfile.Damage, string) { told++ }})
			if err != nil {
				t.Fatal(err)
			}
			l := n.leases
			seen := map[netip.Addr]string{}
			if err := n.addresses.reclaim("a", first); err != nil { // as Restore does
				t.Fatal(err)
			}
			for i := range 5 { // all that there are
				id := string(rune('a' + i))
				a := mustAcquire(t, l, id)
				if seen[a] != "" || id == "a" && a != first {
					t.Errorf("%s got %s, which %q has", id, a, seen[a])
				}
				seen[a] = id
			}
			if told != 1 {
				t.Errorf("told %d times", told)
			}
			l = testLeases(dir, "10.0.0.0/29")
			for a, id := range seen {
				if got, ok := l.Lookup(id); !ok || got != a {
					t.Errorf("the next daemon: %s has %s, want %s", id, got, a)
				}
			}
		})
	}
}

// Whatever the folder says, a pod that runs has the address that it has.
func TestReclaim(t *testing.T) {
	dir := t.TempDir()
	a3, a4 := netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.4")
	for _, link := range [][2]string{{"10.0.0.3", "b"}, {"10.0.0.4", "a"}, {"10.0.0.5", "stranger"}} {
		if err := os.Symlink(link[1], filepath.Join(dir, link[0])); err != nil {
			t.Fatal(err)
		}
	}
	n, err := New(Config{CIDR: netip.MustParsePrefix("10.0.0.0/24"), LeaseDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for id, ip := range map[string]netip.Addr{"a": a3, "b": a4, "c": netip.MustParseAddr("10.0.0.5")} {
		if err := n.addresses.reclaim(id, ip); err != nil {
			t.Fatal(err)
		}
	}
	l := testLeases(dir, "10.0.0.0/24")
	for id, want := range map[string]string{"a": "10.0.0.3", "b": "10.0.0.4", "c": "10.0.0.5"} {
		if got, ok := l.Lookup(id); !ok || got.String() != want {
			t.Errorf("%s has %s, want %s", id, got, want)
		}
	}
	if ids, err := l.Holders(); err != nil || len(ids) != 3 {
		t.Errorf("holders: %v, %v", ids, err)
	}
}

// Two processes with one folder: the file decides.
func TestTwoHandsOneFolder(t *testing.T) {
	dir := t.TempDir()
	hands := []*lease.Leases[netip.Addr]{testLeases(dir, "10.0.0.0/24"), testLeases(dir, "10.0.0.0/24")}
	for _, l := range hands {
		if _, ok := l.Lookup("nobody"); ok { // both have read the folder now
			t.Fatal("nobody has an address")
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[netip.Addr]bool{}
	for i := range 100 {
		wg.Go(func() {
			a, err := hands[0].Acquire(fmt.Sprint(i))
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
		a, err := hands[1].Acquire(fmt.Sprint(i))
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
	if got, ok := l.Lookup("a"); !ok || got != old {
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
				if l.Release(id) != nil {
					return false
				}
				delete(held, id)
			default:
				a, err := l.Acquire(id)
				if errors.Is(err, lease.ErrExhausted) && len(held) == 29 {
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
	if a, err := testLeases(t.TempDir(), "10.0.0.0/24").Acquire(""); err == nil {
		t.Errorf("nobody got %s", a)
	}
}

func FuzzNextHost(f *testing.F) {
	f.Add(uint32(0x0a000000), uint8(24), uint32(0x0a0000fe))
	f.Add(uint32(0xffffffff), uint8(30), uint32(0))
	f.Fuzz(func(t *testing.T, network uint32, bits uint8, from uint32) {
		p := netip.PrefixFrom(addr4(network), 8+int(bits)%23).Masked()
		a := nextHost(p, addr4(from))
		if !p.Contains(a) || a == p.Addr() || a == p.Addr().Next() || a == nft.LastAddr(p) {
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
