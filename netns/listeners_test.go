package netns

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// The near end of a connection that the machine has made is in no pod's way, and goes on; a listener is.
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
	taken := HostPort{Protocol: TCP, HostPort: uint16(l.Addr().(*net.TCPAddr).Port), Container: 8080}
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
