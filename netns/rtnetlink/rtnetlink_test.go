package rtnetlink

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestRetryDump(t *testing.T) {
	for _, c := range []struct {
		name        string
		fails, want int
		with, err   error
	}{
		{"at once", 0, 1, nil, nil},
		{"interrupted twice", 2, 3, netlink.ErrDumpInterrupted, nil},
		{"always interrupted", 99, dumpTries, netlink.ErrDumpInterrupted, netlink.ErrDumpInterrupted},
		{"refused", 99, 1, unix.EPERM, unix.EPERM},
	} {
		calls := 0
		_, err := RetryDump(func() (int, error) {
			if calls++; calls <= c.fails {
				return 0, c.with
			}
			return 1, nil
		})
		if calls != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %d calls, err %v, want %d, %v", c.name, calls, err, c.want, c.err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(SetUp(3).Serialize())
	f.Add(CreateBridge("podd0", HostMAC()).Serialize())
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			m, rest, err := NextMessage(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("no progress")
			}
			_ = m.Err()
			_, _ = ParseLink(m.Data)
			b = rest
		}
	})
}

// What we send is what we would understand.
func TestRequestsParseBack(t *testing.T) {
	m, rest, err := NextMessage(CreateBridge("podd0", HostMAC()).Serialize())
	if err != nil || len(rest) != 0 {
		t.Fatal(err, len(rest))
	}
	l, err := ParseLink(m.Data)
	want := Link{Name: "podd0", Kind: "bridge", MAC: string(HostMAC()), Up: true}
	if err != nil || *l != want {
		t.Errorf("bridge request = %+v, %v, want %+v", l, err, want)
	}
}
