package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
	"podd/runtime/api/stream"
)

// wire is the client's end of an exec, message by message.
type wire struct {
	t    *testing.T
	conn *websocket.Conn
}

func execWire(t *testing.T, f *apitest.Fake, query, protocol string) *wire {
	t.Helper()
	url := "http://podd/api/v1/namespaces/default/pods/a/exec?command=x&" + query
	conn, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: dial(t, f), Subprotocols: []string{protocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	if conn.Subprotocol() != protocol {
		t.Fatalf("subprotocol is %q", conn.Subprotocol())
	}
	return &wire{t, conn}
}

func (w *wire) send(message string) {
	w.t.Helper()
	if err := w.conn.Write(w.t.Context(), websocket.MessageBinary, []byte(message)); err != nil {
		w.t.Fatal(err)
	}
}

// read collects what comes on each channel until the server closes.
func (w *wire) read() map[byte]string {
	w.t.Helper()
	got := map[byte]string{}
	for {
		_, b, err := w.conn.Read(w.t.Context())
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			return got
		}
		if err != nil {
			w.t.Fatal(err)
		}
		got[b[0]] += string(b[1:])
	}
}

func TestExecExitCode(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	f.OnExec = func(_ context.Context, _ string, o *corev1.PodExecOptions, s stream.Streams) (int, error) {
		if o.Container != "app" || fmt.Sprint(o.Command) != "[x y]" || s.Stdin != nil || s.Resize != nil {
			return 0, fmt.Errorf("options %+v", o)
		}
		fmt.Fprint(s.Stdout, "out")
		fmt.Fprint(s.Stderr, "err")
		return 42, nil
	}
	for _, protocol := range []string{api.ProtocolV5, api.ProtocolV4} {
		got := execWire(t, f, "command=y&stdout=true&stderr=true", protocol).read()
		if got[1] != "out" || got[2] != "err" {
			t.Errorf("%s: got %q", protocol, got)
		}
		want := `{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: 42","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"42"}]}}`
		if got[3] != want {
			t.Errorf("%s: got  %s\nwant %s", protocol, got[3], want)
		}
	}
}

func TestExecSuccessAndError(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	tests := []struct {
		err  error
		want string
	}{
		{nil, `{"metadata":{},"status":"Success"}`},
		{errors.New("no such file"), `{"metadata":{},"status":"Failure","message":"Internal error occurred: no such file","reason":"InternalError","details":{"causes":[{"message":"no such file"}]},"code":500}`},
	}
	for _, tt := range tests {
		f.OnExec = func(context.Context, string, *corev1.PodExecOptions, stream.Streams) (int, error) { return 0, tt.err }
		if got := execWire(t, f, "stdout=1", api.ProtocolV5).read(); got[3] != tt.want {
			t.Errorf("got  %s\nwant %s", got[3], tt.want)
		}
	}
}

// With v5 the client can close stdin and still read what the command makes of it.
func TestExecStdinClose(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	f.OnExec = func(_ context.Context, _ string, _ *corev1.PodExecOptions, s stream.Streams) (int, error) {
		b, err := io.ReadAll(s.Stdin)
		if err != nil {
			return 0, err
		}
		fmt.Fprint(s.Stdout, strings.ToUpper(string(b)))
		return 0, nil
	}
	w := execWire(t, f, "stdin=1&stdout=1", api.ProtocolV5)
	w.send("\x00one ")
	w.send("") // nothing at all is no reason to fail
	w.send("\x00two")
	w.send("\xff\x00")
	if got := w.read(); got[1] != "ONE TWO" {
		t.Errorf("got %q", got)
	}
}

func TestExecResize(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	f.OnExec = func(_ context.Context, _ string, o *corev1.PodExecOptions, s stream.Streams) (int, error) {
		if !o.TTY || s.Stderr != nil {
			return 0, errors.New("not a terminal")
		}
		for range 2 {
			size := <-s.Resize
			fmt.Fprintf(s.Stdout, "%dx%d ", size.Width, size.Height)
		}
		return 0, nil
	}
	w := execWire(t, f, "stdin=1&stdout=1&tty=1", api.ProtocolV5)
	w.send("\x04{\"Width\":80,\"Height\":24}")
	_, b, err := w.conn.Read(t.Context())
	if err != nil || string(b) != "\x0180x24 " {
		t.Fatalf("got %q, %v", b, err)
	}
	w.send("\x04nonsense")
	w.send("\x04{\"Width\":100,\"Height\":30}")
	if got := w.read(); got[1] != "100x30 " {
		t.Errorf("got %q", got)
	}
}

// A command that reads nothing more must not keep the rest of its stdin from being dropped.
func TestExecStdinUnread(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	f.OnExec = func(_ context.Context, _ string, _ *corev1.PodExecOptions, s stream.Streams) (int, error) {
		_, err := s.Stdin.Read(make([]byte, 1))
		return 7, err
	}
	w := execWire(t, f, "stdin=1&stdout=1", api.ProtocolV5)
	w.send("\x00" + strings.Repeat("x", 1<<16))
	if got := w.read(); !strings.Contains(got[3], `"message":"7"`) {
		t.Errorf("got %q", got)
	}
}

func TestExecClientLeaves(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	ended := make(chan error, 1)
	f.OnExec = func(ctx context.Context, _ string, _ *corev1.PodExecOptions, s stream.Streams) (int, error) {
		_, err := io.Copy(io.Discard, s.Stdin)
		<-ctx.Done()
		ended <- err
		return 0, nil
	}
	w := execWire(t, f, "stdin=1&stdout=1", api.ProtocolV5)
	w.conn.CloseNow()
	if err := <-ended; err != nil {
		t.Errorf("stdin ended with %v", err)
	}
}

func TestExecRefused(t *testing.T) {
	f := apitest.New(
		apitest.Pod("done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		apitest.Pod("crash", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0] = apitest.Waiting("app", "CrashLoopBackOff", 1, apitest.Ago(0))
		}),
		apitest.Pod("two", func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "b"})
			p.Spec.InitContainers = []corev1.Container{{Name: "i"}}
		}),
	)
	c := dial(t, f)
	tests := []struct{ path, want string }{
		{"done/exec?", "cannot exec into a container in a completed pod; current phase is Succeeded"},
		{"crash/exec?", `container "app" in pod "crash" is waiting to start: CrashLoopBackOff`},
		{"two/exec?", "a container name must be specified for pod two, choose one of: [app b] or one of the init containers: [i]"},
		{"two/exec?container=b&", `container "b" in pod "two" is not available`},
		{"two/exec?container=c&", "container c is not valid for pod two"},
		{"done/attach?", "cannot attach a container in a completed pod; current phase is Succeeded"},
		{"crash/attach?", `container "app" in pod "crash" is waiting to start: CrashLoopBackOff`},
		{"two/attach?container=c&", "container c is not valid for pod two"},
	}
	for _, tt := range tests {
		code, b := ask(t, c, "GET", "/api/v1/namespaces/default/pods/"+tt.path+"command=x&stdout=1", "*/*", nil)
		var s metav1.Status
		if err := json.Unmarshal([]byte(b), &s); err != nil || code != http.StatusBadRequest || s.Message != tt.want {
			t.Errorf("%s: got %d %s", tt.path, code, b)
		}
	}
}
