package netns

import (
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxName    = unix.IFNAMSIZ - 1
	hostPrefix = "podd"
	podIf      = "eth0"
)

// hostIf names the host's end of a pod's veth pair: the prefix and 55 bits of a hash, which is
// what fits.
func hostIf(id string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	h := sha256.Sum256([]byte(id))
	sum := binary.BigEndian.Uint64(h[:])
	b := []byte(hostPrefix)
	for len(b) < maxName {
		b = append(b, letters[sum&31])
		sum >>= 5
	}
	return string(b)
}

// isHostIf tells names that hostIf makes; no other interface may be deleted by name.
func isHostIf(name string) bool {
	return len(name) == maxName && strings.HasPrefix(name, hostPrefix)
}

// podMAC derives a locally administered address from the IPv4 one, so that an address that is given again
// is at the same place for whoever remembers.
func podMAC(ip netip.Addr) net.HardwareAddr {
	b := ip.As4()
	return net.HardwareAddr{0x0a, 0x58, b[0], b[1], b[2], b[3]}
}
