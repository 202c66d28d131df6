// Package stream carries the streams of an exec or an attach over one WebSocket.
package stream

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"

	"podd/runtime/api/protocol"
)

// Session is one exec or attach on one WebSocket: the first byte of each message is its channel.
type Session struct {
	conn   *websocket.Conn
	opts   *corev1.PodExecOptions
	Ctx    context.Context // ends when the client goes away
	cancel context.CancelFunc
	stdin  *io.PipeWriter
	input  *io.PipeReader
	resize chan protocol.Size
}

// NewSession begins to take the messages of a client; its context ends when the client goes away.
func NewSession(ctx context.Context, conn *websocket.Conn, o *corev1.PodExecOptions) *Session {
	x := &Session{conn: conn, opts: o, resize: make(chan protocol.Size, 1)}
	x.Ctx, x.cancel = context.WithCancel(ctx)
	x.input, x.stdin = io.Pipe()
	conn.SetReadLimit(-1) // messages are streamed, not held
	go x.receive()
	return x
}

// Streams are the session's ends that the backend uses.
func (x *Session) Streams() Streams {
	var s Streams
	if x.opts.Stdin {
		s.Stdin = x.input
	}
	if x.opts.Stdout {
		s.Stdout = &channelWriter{x.Ctx, x.conn, remotecommand.StreamStdOut}
	}
	if x.opts.Stderr && !x.opts.TTY {
		s.Stderr = &channelWriter{x.Ctx, x.conn, remotecommand.StreamStdErr}
	}
	if x.opts.TTY {
		s.Resize = x.resize
	}
	return s
}

// receive takes the client's messages until it goes away.
func (x *Session) receive() {
	defer x.cancel()
	defer x.stdin.Close()
	for {
		_, r, err := x.conn.Reader(x.Ctx)
		if err != nil {
			return
		}
		if err := x.message(r); err != nil {
			return
		}
	}
}

// message handles one; an error ends the session.
func (x *Session) message(r io.Reader) error {
	var channel [1]byte
	if _, err := io.ReadFull(r, channel[:]); err != nil {
		return discard(r) // an empty message
	}
	switch channel[0] {
	case remotecommand.StreamStdIn:
		if _, err := io.Copy(x.stdin, r); err != nil {
			return discard(r) // the command reads no more; or the client is gone, and then this fails
		}
	case remotecommand.StreamResize:
		var size protocol.Size
		if err := json.NewDecoder(r).Decode(&size); err == nil {
			x.setSize(size)
		}
	case remotecommand.StreamClose:
		if _, err := io.ReadFull(r, channel[:]); err == nil && channel[0] == remotecommand.StreamStdIn {
			x.stdin.Close()
		}
	}
	return discard(r)
}

// setSize replaces a size that nobody has taken yet.
func (x *Session) setSize(s protocol.Size) {
	select {
	case <-x.resize:
	default:
	}
	x.resize <- s
}

// farewell is how long a client has to take in how its session ended.
const farewell = 30 * time.Second

// Finish tells the client how the session ended.
func (x *Session) Finish(status *metav1.Status) {
	b, err := json.Marshal(status)
	if err != nil {
		return
	}
	// A client that reads nothing any more does not hold what has ended.
	ctx, cancel := context.WithTimeout(x.Ctx, farewell)
	defer cancel()
	w := &channelWriter{ctx, x.conn, remotecommand.StreamErr}
	if _, err := w.Write(b); err != nil {
		return // the client is gone
	}
	_ = x.conn.Close(websocket.StatusNormalClosure, "") // a client that does not say goodbye is none of ours
}

// End lets go of everything, whatever happened.
func (x *Session) End() {
	x.cancel()
	x.input.Close()
	_ = x.conn.CloseNow()
}

// discard reads the rest of a message, as the next Reader wants.
func discard(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// channelWriter sends each write as one message.
type channelWriter struct {
	ctx     context.Context
	conn    *websocket.Conn
	channel byte
}

func (c *channelWriter) Write(p []byte) (int, error) {
	w, err := c.conn.Writer(c.ctx, websocket.MessageBinary)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write([]byte{c.channel}); err != nil {
		return 0, err
	}
	if _, err := w.Write(p); err != nil {
		return 0, err
	}
	return len(p), w.Close()
}
