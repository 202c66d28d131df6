package protocol

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// pair is the two ends of a connection whose directions end one by one.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	near, err = net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far = <-accepted
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// A direction that ends does not end the other: the answer to a question that is over arrives whole.
func TestSpliceEndsDirectionsAlone(t *testing.T) {
	client, a := pair(t)
	b, server := pair(t)
	over := make(chan struct{})
	go func() {
		defer close(over)
		Splice(a, b, nil)
	}()
	question, answer := strings.Repeat("question ", 30000), strings.Repeat("answer ", 30000)
	go func() {
		_, _ = io.WriteString(client, question)
		_ = client.(*net.UnixConn).CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if err != nil || string(got) != question {
		t.Fatalf("the server got %d bytes of %d, %v", len(got), len(question), err)
	}
	go func() {
		_, _ = io.WriteString(server, answer)
		_ = server.(*net.UnixConn).CloseWrite()
	}()
	if got, err = io.ReadAll(client); err != nil || string(got) != answer {
		t.Fatalf("the client got %d bytes of %d, %v", len(got), len(answer), err)
	}
	<-over
}

// What was read already of b comes before the rest, and nothing of it twice.
func TestSpliceOfWhatWasReadEarly(t *testing.T) {
	for _, line := range []string{"HTTP/1.1 101\nearly ", "HTTP/1.1 101\n"} {
		client, a := pair(t)
		b, server := pair(t)
		go func() {
			_, _ = io.WriteString(server, line)
		}()
		early := bufio.NewReader(b)
		if _, err := early.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			Splice(a, b, early)
		}()
		_, _ = io.WriteString(server, "late")
		_ = server.(*net.UnixConn).CloseWrite()
		_ = client.(*net.UnixConn).CloseWrite()
		got, err := io.ReadAll(client)
		_, want, _ := strings.Cut(line, "\n")
		if err != nil || string(got) != want+"late" {
			t.Errorf("%q, %v", got, err)
		}
		<-over
	}
}

// A connection whose directions end only together goes with the first that ends: nobody waits for the other for ever.
func TestSpliceOfWhatEndsAsAWhole(t *testing.T) {
	client, a := net.Pipe()
	b, server := net.Pipe()
	over := make(chan struct{})
	go func() {
		defer close(over)
		Splice(a, b, nil)
	}()
	_ = client.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other end: %v", err)
	}
	<-over
}

// The size of a terminal is what kubectl writes on the resize channel.
func TestSize(t *testing.T) {
	data, err := json.Marshal(Size{Width: 80, Height: 24})
	if err != nil || string(data) != `{"Width":80,"Height":24}` {
		t.Errorf("%s, %v", data, err)
	}
	var s Size
	for _, bad := range []string{`{"Width":65536,"Height":1}`, `{"Width":-1,"Height":1}`} {
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s is a size: %+v", bad, s)
		}
	}
}
