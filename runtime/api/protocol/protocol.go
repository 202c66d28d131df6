// Package protocol is what the API's server and podd's own client have to agree on beside the Kubernetes API: a header, the
// connection to a port of a pod, the size of a terminal.
package protocol

import (
	"bufio"
	"io"
	"net"
	"sync"
)

// Size of a terminal in characters; the JSON of the resize channel.
type Size struct {
	Width, Height uint16
}

// HeaderContainers lists a pod's containers where an exec named none and there was a choice: the first was taken.
const HeaderContainers = "Podd-Containers"

// Forward is what a connection to a port of a pod upgrades to: from then on it carries that connection's bytes,
// and each side closes its direction alone. One request is one connection: the socket is local, and costs nothing.
const Forward = "podd-portforward/1"

// halfCloser is a connection whose directions end one by one.
type halfCloser interface{ CloseWrite() error }

// Splice copies both ways between a and b until both directions have ended. What of b was read already is in early; nil
// is nothing.
func Splice(a, b net.Conn, early *bufio.Reader) {
	var from io.Reader = b
	if early != nil && early.Buffered() > 0 {
		from = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), b)
	}
	var both sync.WaitGroup
	one := func(to net.Conn, from io.Reader) {
		_, err := io.Copy(to, from)
		if h, ok := to.(halfCloser); ok && err == nil {
			_ = h.CloseWrite()
			return
		}
		_, _ = a.Close(), b.Close() // a direction that broke takes the other along
	}
	both.Go(func() { one(a, from) })
	both.Go(func() { one(b, a) })
	both.Wait()
}
