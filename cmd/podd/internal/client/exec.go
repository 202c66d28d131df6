package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"

	"podd/runtime/api/protocol"
)

// stdinChunk is how much of stdin goes into one message.
const stdinChunk = 32 << 10

// Session is the local side of an exec or an attach.
type Session struct {
	Stdin          io.Reader // nil: none
	Stdout, Stderr io.Writer
	Resize         <-chan protocol.Size // nil: no terminal
	// Chosen is told the container that the daemon has taken where none was named, and all of the pod's.
	Chosen func(name, all string)
}

// ErrNoStatus says that the daemon has ended a session without a word, which it does when it ends itself.
var ErrNoStatus = errors.New("the daemon has ended the session without saying how the command ended")

// Exec runs a session over a WebSocket, that of an exec or an attach by the path, and returns how it ended.
func (c *Client) Exec(ctx context.Context, path string, q url.Values, s *Session) (*metav1.Status, error) {
	conn, resp, err := websocket.Dial(ctx, c.url(path, q), &websocket.DialOptions{
		HTTPClient:   &c.http,
		Subprotocols: []string{remotecommand.StreamProtocolV5Name},
	})
	if err != nil {
		if resp != nil && resp.StatusCode >= http.StatusBadRequest {
			return nil, statusError(resp)
		}
		return nil, c.explain(err)
	}
	defer conn.CloseNow()
	if all := resp.Header.Get(protocol.HeaderContainers); all != "" {
		first, _, _ := strings.Cut(all, ", ")
		s.Chosen(first, all)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn.SetReadLimit(-1)
	if s.Stdin != nil {
		go sendStdin(ctx, conn, s.Stdin)
	}
	if s.Resize != nil {
		go sendSizes(ctx, conn, s.Resize)
	}
	// The status is the last that is said: the daemon wants no goodbye, for which the command's caller would wait.
	return s.receive(ctx, conn)
}

// receive copies what the command writes until its status comes.
func (s *Session) receive(ctx context.Context, conn *websocket.Conn) (*metav1.Status, error) {
	for {
		_, r, err := conn.Reader(ctx)
		if ctx.Err() != nil {
			return nil, context.Canceled
		}
		if err != nil {
			return nil, ErrNoStatus
		}
		var channel [1]byte
		if _, err := io.ReadFull(r, channel[:]); err != nil {
			continue // an empty message
		}
		switch channel[0] {
		case remotecommand.StreamStdOut:
			_, err = io.Copy(s.Stdout, r)
		case remotecommand.StreamStdErr:
			_, err = io.Copy(s.Stderr, r)
		case remotecommand.StreamErr:
			status := &metav1.Status{}
			if err := json.NewDecoder(r).Decode(status); err != nil {
				return nil, ErrNoStatus
			}
			return status, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot pass on the command's output: %w", err)
		}
	}
}

// sendStdin sends what there is to read and then closes the command's stdin. It may stay
// behind in a read of a terminal; podd ends then.
func sendStdin(ctx context.Context, conn *websocket.Conn, stdin io.Reader) {
	buf := make([]byte, 1+stdinChunk)
	buf[0] = remotecommand.StreamStdIn
	for {
		n, err := stdin.Read(buf[1:])
		if n > 0 && conn.Write(ctx, websocket.MessageBinary, buf[:1+n]) != nil {
			return
		}
		if err != nil {
			_ = conn.Write(ctx, websocket.MessageBinary, []byte{remotecommand.StreamClose, remotecommand.StreamStdIn})
			return
		}
	}
}

func sendSizes(ctx context.Context, conn *websocket.Conn, sizes <-chan protocol.Size) {
	for {
		select {
		case size := <-sizes:
			b, err := json.Marshal(size)
			if err != nil || conn.Write(ctx, websocket.MessageBinary, append([]byte{remotecommand.StreamResize}, b...)) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
