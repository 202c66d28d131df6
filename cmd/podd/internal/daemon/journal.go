package daemon

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"podd/internal/journald"
)

const (
	// maxJournalMessage, in bytes, leaves a datagram below the smallest buffer that a socket has by default.
	maxJournalMessage = 48 << 10
	// journalPatience, in seconds, is how long one line may wait for a journald that does not listen.
	journalPatience = 1

	priorityWarning = 4 // man 3 syslog
)

// journal is the way to journald. Where that does not listen, lines go to stream, with the priority in front that
// it understands there (man 3 sd-daemon).
type journal struct {
	mu     sync.Mutex
	path   string
	fd     int // -1: not open yet
	lost   int // lines since journald took none
	stream io.Writer
}

// journalField is one field of an entry besides message and priority.
type journalField struct{ key, value string }

// write gives journald a line. One that hangs must not hang podd: the first line waits for it, and from then on all are lost and
// counted until it takes one again.
func (j *journal) write(priority int, message string, fields []journalField) error {
	if len(message) > maxJournalMessage {
		message = message[:maxJournalMessage] + " …"
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.reportLoss()
	if err == nil {
		err = j.send(encodeEntry(priority, message, fields), 0)
	}
	if errors.Is(err, unix.EAGAIN) {
		j.lost++
		return nil
	}
	if err == nil {
		return nil
	}
	_, err = fmt.Fprintf(j.stream, "<%d>%s\n", priority, strings.ReplaceAll(message, "\n", " "))
	return err
}

// reportLoss says how many lines were lost, without waiting.
func (j *journal) reportLoss() error {
	if j.lost == 0 {
		return nil
	}
	message := fmt.Sprintf("log lines lost: journald did not take %d of them", j.lost)
	if err := j.send(encodeEntry(priorityWarning, message, nil), unix.MSG_DONTWAIT); err != nil {
		return err
	}
	j.lost = 0
	return nil
}

// send does not connect: a journald that was restarted has another socket of the same name.
func (j *journal) send(data []byte, flags int) error {
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
		err := unix.Sendto(j.fd, data, flags|unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: j.path})
		if err != unix.EINTR {
			return err
		}
	}
}

// encodeEntry serialises an entry.
func encodeEntry(priority int, message string, fields []journalField) []byte {
	b := fmt.Appendf(make([]byte, 0, len(message)+128), "PRIORITY=%d\nSYSLOG_IDENTIFIER=podd\n", priority)
	b = journald.AppendField(b, "MESSAGE", message)
	for _, f := range fields {
		b = journald.AppendField(b, f.key, f.value)
	}
	return b
}
