package api

import (
	"context"
	"encoding/json"
	"io"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"

	"podd/runtime/api/protocol"
)

// execSession is one exec on one WebSocket: the first byte of each message is its channel.
type execSession struct {
	conn   *websocket.Conn
	opts   *corev1.PodExecOptions
	ctx    context.Context // ends when the client goes away
	cancel context.CancelFunc
	stdin  *io.PipeWriter
	input  *io.PipeReader
	resize chan protocol.Size
}

func newExecSession(ctx context.Context, conn *websocket.Conn, o *corev1.PodExecOptions) *execSession {
	x := &execSession{conn: conn, opts: o, resize: make(chan protocol.Size, 1)}
	x.ctx, x.cancel = context.WithCancel(ctx)
	x.input, x.stdin = io.Pipe()
	conn.SetReadLimit(-1) // messages are streamed, not held
	go x.receive()
	return x
}

// streams are the session's ends that the backend uses.
func (x *execSession) streams() Streams {
	var s Streams
	if x.opts.Stdin {
		s.Stdin = x.input
	}
	if x.opts.Stdout {
		s.Stdout = &channelWriter{x.ctx, x.conn, remotecommand.StreamStdOut}
	}
	if x.opts.Stderr && !x.opts.TTY {
		s.Stderr = &channelWriter{x.ctx, x.conn, remotecommand.StreamStdErr}
	}
	if x.opts.TTY {
		s.Resize = x.resize
	}
	return s
}

// receive takes the client's messages until it goes away.
func (x *execSession) receive() {
	defer x.cancel()
	defer x.stdin.Close()
	for {
		_, r, err := x.conn.Reader(x.ctx)
		if err != nil {
			return
		}
		if err := x.message(r); err != nil {
			return
		}
	}
}

// message handles one; an error ends the session.
func (x *execSession) message(r io.Reader) error {
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
func (x *execSession) setSize(s protocol.Size) {
	select {
	case <-x.resize:
	default:
	}
	x.resize <- s
}

// finish tells the client how the command ended.
func (x *execSession) finish(code int, err error) {
	b, jsonErr := json.Marshal(execStatus(code, err))
	if jsonErr != nil {
		return
	}
	w := &channelWriter{x.ctx, x.conn, remotecommand.StreamErr}
	if _, err := w.Write(b); err != nil {
		return // the client is gone
	}
	_ = x.conn.Close(websocket.StatusNormalClosure, "") // a client that does not say goodbye is none of ours
}

// end lets go of everything, whatever happened.
func (x *execSession) end() {
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
