package diagnose

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// patience is how long an answer may take that the network gives at once when it works.
const patience = 1500 * time.Millisecond

// knock says whether a machine is there: a port that nobody listens on answers too.
func knock(at netip.AddrPort) error {
	conn, err := net.DialTimeout("tcp", at.String(), patience)
	switch {
	case err == nil:
		return conn.Close()
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return nil
	}
	return plain(err)
}

// plain is what a failed system call says, without the addresses that the sentence around it has.
func plain(err error) error {
	var wrong *net.OpError
	var errno syscall.Errno
	switch {
	case errors.As(err, &wrong) && wrong.Timeout():
		return errors.New("no answer")
	case errors.As(err, &errno):
		return errno
	}
	return err
}

// question asks a name server for the text of a name, or for the servers of the root if the name is empty. Any answer
// will do but the one that says that the server itself cannot find out (RFC 1035, 4.1.1: SERVFAIL).
func question(server netip.Addr, name string) error {
	const typeNS, typeTXT, serverFailure = 2, 16, 2
	kind := uint16(typeNS)
	if name != "" {
		kind = typeTXT
	}
	conn, err := net.DialTimeout("udp", netip.AddrPortFrom(server, 53).String(), patience)
	if err != nil {
		return plain(err)
	}
	defer conn.Close()
	query := query(uint16(rand.Uint32()), name, kind)
	answer := make([]byte, 1500)
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	if _, err := conn.Write(query); err != nil {
		return plain(err)
	}
	for {
		n, err := conn.Read(answer)
		switch {
		case err != nil:
			return plain(err)
		case n < 12 || [2]byte(answer) != [2]byte(query):
			continue
		case answer[3]&0xf == serverFailure:
			return errors.New("it answers that it cannot find out (SERVFAIL)")
		}
		return nil
	}
}

// query is a question in the wire format, RFC 1035, 4.1.
func query(id uint16, name string, kind uint16) []byte {
	const recursion = 0x0100
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, recursion)
	b = append(b, 0, 1, 0, 0, 0, 0, 0, 0)
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label != "" {
			b = fmt.Appendf(append(b, byte(len(label))), "%s", label)
		}
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, kind)
	return append(b, 0, 1)
}
