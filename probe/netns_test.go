package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// space is a network namespace of its own, with nothing but a loopback device.
type space struct {
	path string
	do   chan func()
}

func newSpace(t *testing.T) *space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	s := &space{do: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = upLoopback()
		}
		s.path = fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
		ready <- err
		for fn := range s.do {
			fn()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(s.do) })
	return s
}

func upLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// listen opens a port in the namespace; it accepts connections only when somebody asks it to.
func (s *space) listen(t *testing.T) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	done := make(chan struct{})
	s.do <- func() {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		close(done)
	}
	<-done
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// target is how to reach a listener of the namespace.
func (s *space) target(l net.Listener) Target {
	port := 0
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		port = a.Port
	}
	return Target{Netns: s.path, Host: "127.0.0.1", Port: port}
}

// closed is a port at which nobody listens.
func (s *space) closed(t *testing.T) Target {
	t.Helper()
	l := s.listen(t)
	_ = l.Close()
	return s.target(l)
}

// hung accepts connections and never says a word; its end closes them.
func hung(t *testing.T, l net.Listener) {
	t.Helper()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
}

func within(d time.Duration) context.Context { return until(time.Now().Add(d)) }

const plenty = 20 * time.Second

func mustAddr(t Target) netip.AddrPort { return netip.MustParseAddrPort(t.String()) }
