package probe

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTCP(t *testing.T) {
	space := newSpace(t)
	l := space.listen(t)
	if result, text := TCP(within(plenty), space.target(l)); result != Success {
		t.Errorf("an open port: %s, %s", result, text)
	}
	// The same address outside of the namespace is another one.
	outside := space.target(l)
	outside.Netns = ""
	if result, text := TCP(within(plenty), outside); result != Failure {
		t.Errorf("an open port of another namespace: %s, %s", result, text)
	}
	shut := space.closed(t)
	result, text := TCP(within(plenty), shut)
	if want := "dial tcp " + shut.String() + ": connect: connection refused"; result != Failure || text != want {
		t.Errorf("a closed port: %s, %q, want %q", result, text, want)
	}
	byName := space.target(l)
	byName.Host = "board.example"
	resolve(t, byName.Host, "127.0.0.1")
	if result, text := TCP(within(plenty), byName); result != Success {
		t.Errorf("by name: %s, %s", result, text)
	}
	for _, tc := range []struct {
		target Target
		want   string
	}{
		{Target{Netns: space.path, Host: "127.0.0.1"}, "invalid port number: 0"},
		{Target{Netns: space.path, Host: "192.0.2.1", Port: 80}, "dial tcp 192.0.2.1:80: connect: network is unreachable"},
		{Target{Netns: "/nowhere", Host: "127.0.0.1", Port: 80}, "no such file"},
	} {
		if result, text := TCP(within(plenty), tc.target); result != Failure || !strings.Contains(text, tc.want) {
			t.Errorf("%v: %s, %q, want %q", tc.target, result, text, tc.want)
		}
	}
}

// A port whose queue is full does not answer: the probe ends at its deadline.
func TestTCPTimeout(t *testing.T) {
	space := newSpace(t)
	l := space.listen(t)
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	for { // the first ones wait in the queue
		c, err := dial(within(300*time.Millisecond), space.path, mustAddr(space.target(l)))
		if err != nil {
			break
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	result, text := TCP(within(300*time.Millisecond), space.target(l))
	if want := "dial tcp " + space.target(l).String() + ": i/o timeout"; result != Failure || text != want {
		t.Errorf("got %s, %q, want %q", result, text, want)
	}
}

// A cancelled context ends a connection in the middle, as the end of a hook's container does.
func TestCancel(t *testing.T) {
	space := newSpace(t)
	l := space.listen(t)
	hung(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- HTTP{Netns: space.path, URL: URLOf("http", "127.0.0.1", space.target(l).Port, "/")}.Get(ctx)
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("a request that was cancelled has succeeded")
	}
}

// Probing leaves no thread in a foreign namespace.
func TestThreadsStayAtHome(t *testing.T) {
	space := newSpace(t)
	l := space.listen(t)
	for range 200 {
		if result, text := TCP(within(plenty), space.target(l)); result != Success {
			t.Fatalf("%s: %s", result, text)
		}
		runtime.Gosched()
		if result, _ := TCP(within(plenty), Target{Host: "127.0.0.1", Port: space.target(l).Port}); result != Failure {
			t.Fatal("a socket without a namespace was made in the one of the test")
		}
	}
}
