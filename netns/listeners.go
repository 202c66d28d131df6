package netns

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
)

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
