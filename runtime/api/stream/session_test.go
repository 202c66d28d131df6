package stream

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"

	"podd/runtime/api/protocol"
)

// What a command ended with comes out as it went in; what says nothing of an exit code has none.
func TestStatus(t *testing.T) {
	for _, code := range []int{0, 1, 42, 137, 255, -1} {
		data, err := json.Marshal(Status(code))
		if err != nil {
			t.Fatal(err)
		}
		var s metav1.Status
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		if got, ran := ExitCode(&s); got != code || !ran {
			t.Errorf("%d comes back as %d, ran %v", code, got, ran)
		}
		if (s.Status == metav1.StatusSuccess) != (code == 0) {
			t.Errorf("%d is a %s", code, s.Status)
		}
	}
	cause := func(typ metav1.CauseType, message string) *metav1.StatusDetails {
		return &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "Other", Message: "7"}, {Type: typ, Message: message}}}
	}
	const nonZero = remotecommand.NonZeroExitCodeReason
	for name, s := range map[string]metav1.Status{
		"another reason":   {Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Details: cause(remotecommand.ExitCodeCauseType, "3")},
		"no details":       {Status: metav1.StatusFailure, Reason: nonZero},
		"no such cause":    {Status: metav1.StatusFailure, Reason: nonZero, Details: cause("Signal", "3")},
		"a code of letter": {Status: metav1.StatusFailure, Reason: nonZero, Details: cause(remotecommand.ExitCodeCauseType, "three")},
		"nothing":          {},
	} {
		if code, ran := ExitCode(&s); code != 0 || ran {
			t.Errorf("%s: %d, ran %v", name, code, ran)
		}
	}
	s := metav1.Status{Status: metav1.StatusFailure, Reason: nonZero, Details: cause(remotecommand.ExitCodeCauseType, "3")}
	if code, ran := ExitCode(&s); code != 3 || !ran {
		t.Errorf("behind another cause: %d, ran %v", code, ran)
	}
}

// session connects a client with a session; the test's function is what serves it.
func session(t *testing.T, o *corev1.PodExecOptions, serve func(*Session)) *websocket.Conn {
	t.Helper()
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		x := NewSession(context.WithoutCancel(r.Context()), conn, o)
		defer x.End()
		serve(x)
	}))
	conn, _, err := websocket.Dial(t.Context(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.CloseNow()
		<-done
		srv.Close()
	})
	return conn
}

func send(t *testing.T, conn *websocket.Conn, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := conn.Write(t.Context(), websocket.MessageBinary, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}

// Which ends there are: those that were asked for; with a terminal one stream for both outputs, and its sizes.
func TestStreamsOfOptions(t *testing.T) {
	for _, c := range []struct {
		o    corev1.PodExecOptions
		want string
	}{
		{corev1.PodExecOptions{}, ""},
		{corev1.PodExecOptions{Stdin: true}, "in"},
		{corev1.PodExecOptions{Stdout: true, Stderr: true}, "out err"},
		{corev1.PodExecOptions{Stdin: true, Stdout: true, Stderr: true, TTY: true}, "in out resize"},
		{corev1.PodExecOptions{Stderr: true, TTY: true}, "resize"},
	} {
		got := make(chan string, 1)
		session(t, &c.o, func(x *Session) {
			s := x.Streams()
			var words []string
			for word, there := range map[string]bool{"in": s.Stdin != nil, "out": s.Stdout != nil, "err": s.Stderr != nil, "resize": s.Resize != nil} {
				if there {
					words = append(words, word)
				}
			}
			got <- strings.Join(words, " ")
		})
		words := <-got
		if len(strings.Fields(words)) != len(strings.Fields(c.want)) {
			t.Errorf("%+v: %q, want %q", c.o, words, c.want)
		}
		for _, w := range strings.Fields(c.want) {
			if !strings.Contains(words, w) {
				t.Errorf("%+v: %q has no %s", c.o, words, w)
			}
		}
	}
}

// Messages come on channels: the first byte says which. What no channel knows is passed over, however long.
func TestStdin(t *testing.T) {
	got := make(chan string, 1)
	conn := session(t, &corev1.PodExecOptions{Stdin: true}, func(x *Session) {
		b, err := io.ReadAll(x.Streams().Stdin)
		if err != nil {
			t.Error(err)
		}
		got <- string(b)
	})
	long := strings.Repeat("long ", 20000) // beyond the limit that a WebSocket has by itself
	send(t, conn, "\x00one ", "", "\x07nobody's "+long, "\x01not for us", "\x00"+long, "\x00", "\xff\x01", "\x00two", "\xff\x00")
	if want := "one " + long + "two"; <-got != want {
		t.Error("stdin is not what was sent")
	}
}

// A client that goes away ends stdin, and the session's context.
func TestClientGoesAway(t *testing.T) {
	conn := session(t, &corev1.PodExecOptions{Stdin: true}, func(x *Session) {
		if b, err := io.ReadAll(x.Streams().Stdin); err != nil || string(b) != "half" {
			t.Errorf("%q, %v", b, err)
		}
		<-x.Ctx.Done()
	})
	send(t, conn, "\x00half")
	_ = conn.CloseNow()
}

// A command that reads no more does not stop what else its client has to say.
func TestStdinNobodyReads(t *testing.T) {
	sizes := make(chan protocol.Size, 1)
	conn := session(t, &corev1.PodExecOptions{Stdin: true, TTY: true}, func(x *Session) {
		_ = x.Streams().Stdin.(*io.PipeReader).Close()
		sizes <- <-x.Streams().Resize
	})
	send(t, conn, "\x00into the void", "\x04"+`{"Width":80,"Height":24}`)
	if got := <-sizes; got != (protocol.Size{Width: 80, Height: 24}) {
		t.Errorf("%+v", got)
	}
}

// Only the newest size of a terminal counts; one that cannot be read is none.
func TestResize(t *testing.T) {
	read := make(chan struct{})
	sizes := make(chan protocol.Size, 1)
	conn := session(t, &corev1.PodExecOptions{Stdin: true, TTY: true}, func(x *Session) {
		if _, err := io.ReadAll(x.Streams().Stdin); err != nil { // all sizes have come
			t.Error(err)
		}
		sizes <- <-x.Streams().Resize
		close(read)
	})
	send(t, conn, "\x04"+`{"Width":80,"Height":24}`, "\x04"+`{"Width":100,"Height":50}`, "\x04"+`{"Width":-1}`, "\x04 no JSON", "\x04", "\xff\x00")
	if got := <-sizes; got != (protocol.Size{Width: 100, Height: 50}) {
		t.Errorf("%+v", got)
	}
	<-read
}

// Outputs carry their channel, each write a message; the status comes last, and then the connection is closed in order.
func TestOutputsAndFinish(t *testing.T) {
	conn := session(t, &corev1.PodExecOptions{Stdout: true, Stderr: true}, func(x *Session) {
		s := x.Streams()
		for _, w := range []struct {
			to   io.Writer
			text string
		}{{s.Stdout, "out"}, {s.Stderr, "err"}, {s.Stdout, "more"}, {s.Stdout, ""}} {
			if n, err := w.to.Write([]byte(w.text)); n != len(w.text) || err != nil {
				t.Errorf("write of %q: %d, %v", w.text, n, err)
			}
		}
		x.Finish(Status(3))
	})
	var got []string
	for {
		typ, b, err := conn.Read(t.Context())
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("ends with %v", err)
			}
			break
		}
		if typ != websocket.MessageBinary {
			t.Errorf("message %q is of type %v", b, typ)
		}
		got = append(got, string(b))
	}
	if len(got) != 5 || got[0] != "\x01out" || got[1] != "\x02err" || got[2] != "\x01more" || got[3] != "\x01" {
		t.Fatalf("%q", got)
	}
	var s metav1.Status
	if err := json.Unmarshal([]byte(strings.TrimPrefix(got[4], "\x03")), &s); err != nil {
		t.Fatalf("%q: %v", got[4], err)
	}
	if code, ran := ExitCode(&s); code != 3 || !ran {
		t.Errorf("%+v", s)
	}
}

// What is written to a session that is over fails, and does not wait.
func TestWriteAfterEnd(t *testing.T) {
	session(t, &corev1.PodExecOptions{Stdout: true}, func(x *Session) {
		x.End()
		x.End() // twice is once
		if _, err := x.Streams().Stdout.Write([]byte("late")); err == nil {
			t.Error("a write after the end succeeds")
		}
		x.Finish(Status(0))
		if x.Ctx.Err() == nil {
			t.Error("the context goes on")
		}
	})
}
