package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// journalSocket takes datagrams of the native protocol: systemd.io/JOURNAL_NATIVE_PROTOCOL.
	journalSocket = "/run/systemd/journal/socket"
	// maxJournalMessage, in bytes, leaves a datagram below the smallest buffer that a socket has by default.
	maxJournalMessage = 48 << 10
	// journalPatience, in seconds, is how long one line may wait for a journald that does not listen.
	journalPatience = 1
)

// journal is the way to journald. Where that does not listen, lines go to stream, with the priority in front that
// it understands there (man 3 sd-daemon).
type journal struct {
	mu     sync.Mutex
	path   string
	fd     int // -1: not open yet
	stream io.Writer
}

// journalField is one field of an entry besides message and priority.
type journalField struct{ key, value string }

func (j *journal) write(priority int, message string, fields []journalField) error {
	if len(message) > maxJournalMessage {
		message = message[:maxJournalMessage] + " …"
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.send(encodeEntry(priority, message, fields))
	if err == nil || errors.Is(err, unix.EAGAIN) {
		return nil // a journald that hangs must not hang podd: the line is lost
	}
	_, err = fmt.Fprintf(j.stream, "<%d>%s\n", priority, strings.ReplaceAll(message, "\n", " "))
	return err
}

// send does not connect: a journald that was restarted has another socket of the same name.
func (j *journal) send(data []byte) error {
	if j.fd < 0 {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: journalPatience}); err != nil {
			_ = unix.Close(fd)
			return err
		}
		j.fd = fd
	}
	for {
		err := unix.Sendto(j.fd, data, unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: j.path})
		if err != unix.EINTR {
			return err
		}
	}
}

// encodeEntry serialises an entry: KEY=value lines, or, for a value of several lines, KEY, a line feed, the length
// as 64 bits of little endian, and the value.
func encodeEntry(priority int, message string, fields []journalField) []byte {
	b := fmt.Appendf(make([]byte, 0, len(message)+128), "PRIORITY=%d\nSYSLOG_IDENTIFIER=podd\n", priority)
	b = appendField(b, journalField{"MESSAGE", message})
	for _, f := range fields {
		b = appendField(b, f)
	}
	return b
}

func appendField(b []byte, f journalField) []byte {
	b = append(b, f.key...)
	if strings.Contains(f.value, "\n") {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(f.value)))
	} else {
		b = append(b, '=')
	}
	b = append(b, f.value...)
	return append(b, '\n')
}
