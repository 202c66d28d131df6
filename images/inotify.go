package images

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// endsWatch looks whether the watched path itself is gone. An event is wd, mask, cookie, len (4 bytes each) and len bytes
// of name (man 7 inotify).
func endsWatch(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		if mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0 {
			return true
		}
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		events = events[min(size, len(events)):]
	}
	return false
}
