package nfs

import (
	"context"
	"encoding/binary"
	"net"
	"time"
)

// ONC RPC of version 2 and the port mapper of version 2: RFC 5531, RFC 1833.
const (
	portMapper     = 100000
	statd          = 100024
	portMapperPort = "111"
	rpcVersion     = 2
	getPort        = 3
	protocolUDP    = 17
)

// hasStatd asks the board's own rpcbind whether rpc.statd runs. Without it the kernel cannot hold locks at a server of version
// 3, and says so only to the program that wants one.
func hasStatd(ctx context.Context) bool {
	const patience, tries = 500 * time.Millisecond, 2
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", net.JoinHostPort("127.0.0.1", portMapperPort))
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	for id := range uint32(tries) {
		if _, err := c.Write(getPortCall(id, statd)); err != nil {
			return false
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		reply := make([]byte, 128)
		n, err := c.Read(reply)
		if err == nil {
			return portOf(reply[:n]) != 0
		}
	}
	return false
}

// getPortCall asks a port mapper for the port of a program.
func getPortCall(id, program uint32) []byte {
	var call []byte
	// A call of a procedure, without credentials and without a verifier; then program, version, protocol, 0.
	for _, word := range []uint32{id, 0, rpcVersion, portMapper, 2, getPort, 0, 0, 0, 0, program, 1, protocolUDP, 0} {
		call = binary.BigEndian.AppendUint32(call, word)
	}
	return call
}

// portOf reads the answer; 0: the program is not there, or it is no answer.
func portOf(reply []byte) uint32 {
	// Id, reply, accepted, an empty verifier (two words), success, the port.
	const words = 7
	if len(reply) < 4*words {
		return 0
	}
	word := func(i int) uint32 { return binary.BigEndian.Uint32(reply[4*i:]) }
	if word(1) != 1 || word(2) != 0 || word(4) != 0 || word(5) != 0 {
		return 0
	}
	return word(6)
}
