package netns

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"podd/netns/nft"
)

// listener is a socket of the machine that takes what comes to a port: of a listening TCP socket, or of a UDP socket that is
// not connected.
type listener struct {
	at    netip.AddrPort
	inode string
}

// listeners are those of a protocol. man 5 proc, /proc/net/tcp: the second field is ADDRESS:PORT in hexadecimal digits, the
// fourth the state (0A is TCP_LISTEN, 07 a UDP socket without a peer), the tenth the inode.
func listeners(p Protocol) ([]listener, error) {
	name, state := "tcp", "0A"
	if p == UDP {
		name, state = "udp", "07"
	}
	var list []listener
	for _, suffix := range []string{"", "6"} {
		data, err := os.ReadFile("/proc/thread-self/net/" + name + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without that family
		}
		if err != nil {
			return nil, err
		}
		list = append(list, parseListeners(data, state)...)
	}
	return list, nil
}

func parseListeners(data []byte, state string) []listener {
	var list []listener
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != state {
			continue
		}
		if at, ok := parseEndpoint(fields[1]); ok {
			list = append(list, listener{at, fields[9]})
		}
	}
	return list
}

// parseEndpoint reads ADDRESS:PORT. The address is in words of 32 bits in the machine's order of bytes.
func parseEndpoint(text string) (netip.AddrPort, bool) {
	address, digits, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	port, perr := strconv.ParseUint(digits, 16, 16)
	if err != nil || perr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for w := b; len(w) > 0; w = w[4:] {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), ok
}

// holder is the listener that has a port on all addresses of a family; nil: there is none. One on :: has those of IPv4, too.
func holder(list []listener, f nft.Family, port uint16) *listener {
	for i := range list {
		ip := list[i].at.Addr()
		if list[i].at.Port() == port && ip.IsUnspecified() && (f.Bits == 32 || ip.Is6()) {
			return &list[i]
		}
	}
	return nil
}

// kept are the addresses of a family on which others listen to a port that a pod has on all the rest.
func kept(list []listener, f nft.Family, port uint16) []netip.Addr {
	var out []netip.Addr
	for _, l := range list {
		if ip := l.at.Addr(); l.at.Port() == port && !ip.IsUnspecified() && ip.Zone() == "" && ip.Is4() == (f.Bits == 32) {
			out = append(out, ip)
		}
	}
	return out
}

// nameOf finds out which process has a socket; "": it cannot be told.
func nameOf(inode string) string {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid := strings.Split(link, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err == nil {
			return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
		}
	}
	return ""
}

// someoneListens says whether a process of the machine waits for connections to a TCP port. What cannot be read counts
// as one that does.
func someoneListens(port uint16) bool {
	for _, file := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without that family
		}
		if err != nil || listensOn(data, port) {
			return true
		}
	}
	return false
}

// listensOn looks for a listener in the text of /proc/net/tcp. man 5 proc: the second field is ADDRESS:PORT in
// hexadecimal digits, the fourth the state, 0A is TCP_LISTEN.
func listensOn(data []byte, port uint16) bool {
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 4 || string(fields[3]) != "0A" {
			continue
		}
		_, digits, _ := bytes.Cut(fields[1], []byte(":"))
		if got, err := strconv.ParseUint(string(digits), 16, 16); err == nil && uint16(got) == port {
			return true
		}
	}
	return false
}
