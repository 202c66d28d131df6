package journald

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// ended is a context whose end nobody has been told of yet.
type ended struct{ context.Context }

func (ended) Err() error { return context.Canceled }

// An entry that journald has taken is sent, even when the sender's context ends at that moment: whoever takes an error for
// "not sent" would send it twice.
func TestSendTellsOfWhatIsSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := Conn{Path: path}
	defer c.close()
	data := make([]byte, 16)
	ctx := ended{context.Background()}
	if err := c.Send(ctx, []byte("MESSAGE=x\n")); err != nil {
		t.Errorf("the entry is sent, and the error is %v", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(data); err != nil || string(data[:n]) != "MESSAGE=x\n" {
		t.Errorf("got %q, %v", data[:n], err)
	}
	conn.Close()
	if err := c.Send(ctx, []byte("MESSAGE=x\n")); !errors.Is(err, context.Canceled) {
		t.Errorf("the entry is not sent, and the error is %v", err)
	}
}
