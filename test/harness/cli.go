package harness

import (
	"io"
	"net"
)

// OverTCP is an address by which programs that do not speak to sockets reach the daemon.
func (b *Board) OverTCP() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.Must(err)
	b.T.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			daemon, err := net.Dial("unix", b.Socket)
			if err != nil {
				client.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{client, daemon}, {daemon, client}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					way[0].Close()
				}()
			}
		}
	}()
	return l.Addr().String()
}
