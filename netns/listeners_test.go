package netns

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"podd/netns/nft"
)

// The near end of a connection that the machine has made is in no pod's way, and goes on; a listener is.
// TestParseListeners: addresses are in words in the machine's order of bytes.
func TestParseListeners(t *testing.T) {
	word := func(text string) string { // as the kernel prints what goes over the wire
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b))
	}
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: " + word("7f000035") + ":0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 11 2\n" +
		"   1: 00000000:0035 " + word("08080808") + ":0035 01 00000000:00000000 00:00000000 00000000 0 0 12 2\n" +
		"   2: " + word("fd000000") + word("00000000") + word("00000000") + word("00000001") + ":0035 0:0 07 0:0 0:0 0 0 0 13 2\n" +
		"   3: 00000000000000000000000000000000:0050 0:0 07 0:0 0:0 0 0 0 14 2\n"
	list := parseListeners([]byte(table), "07")
	four, six := nft.Families()[0], nft.Families()[1]
	if got := fmt.Sprint(kept(list, four, 53), kept(list, six, 53)); got != "[127.0.0.53] [fd00::1]" {
		t.Errorf("%s of %v", got, list)
	}
	if h := holder(list, four, 80); h == nil || h.inode != "14" || holder(list, six, 53) != nil {
		t.Errorf("%v of %v", h, list)
	}
}

func TestHostPortOfAConnection(t *testing.T) {
	n, root := newServiceNetwork(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near := uint16(c.LocalAddr().(*net.TCPAddr).Port)
	a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: TCP, HostPort: near, Container: 8080}}})
	a.serve(t, 8080)
	wantAnswer(t, "", TCP, fmt.Sprintf("127.0.0.1:%d", near), "a")
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 1 {
		t.Errorf("the connection broke: %v", err)
	}
	taken := HostPort{HostIP: netip.MustParseAddr("127.0.0.1"), Protocol: TCP, HostPort: uint16(l.Addr().(*net.TCPAddr).Port), Container: 8080}
	if _, err := n.Attach(Pod{ID: "b", NetNS: a.ns, Ports: []HostPort{taken}}); !errors.Is(err, ErrTaken) {
		t.Errorf("a listener's port: %v", err)
	}
}

func TestListensOn(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:D431 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1077 1 0 100 0 0 10 0
   1: 0100007F:D432 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1078 1 0 100 0 0 10 0
   2: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A
`
	for port, want := range map[uint16]bool{0xd431: true, 0xd432: false, 0x16: true, 0x17: false} {
		if got := listensOn([]byte(table), port); got != want {
			t.Errorf("port %d: %v, want %v", port, got, want)
		}
	}
}
