package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resolvConf is the host's list of name servers. Where systemd-resolved has put itself in front, its stub on the
// loopback is out of a pod's reach, and the list behind it counts.
func (c *NamesConfig) resolvConf() string {
	const behindStub = "/run/systemd/resolve/resolv.conf"
	if c.ResolvConf != "" {
		return c.ResolvConf
	}
	if target, err := os.Readlink("/etc/resolv.conf"); err == nil && filepath.Base(target) == "stub-resolv.conf" {
		if _, err := os.Stat(behindStub); err == nil {
			return behindStub
		}
	}
	return "/etc/resolv.conf"
}

// watchFile calls hint when a file may say something else: it was written, replaced, or a link on the way to it
// was. The folders that hold its names are watched, and events of other names in them are no hints. It returns
// when ctx ends.
func watchFile(ctx context.Context, path func() string, hint func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("cannot watch %s: %w", path(), err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	closed := sync.OnceFunc(func() { _ = events.Close() })
	defer closed()
	defer context.AfterFunc(ctx, closed)()
	buf := make([]byte, 16<<10)
	for {
		way := wayTo(path())
		if err := addWatches(events, way); err != nil {
			return err
		}
		if now := wayTo(path()); !maps.EqualFunc(now, way, slices.Equal) {
			hint() // a folder or a link came before the watch
			continue
		}
		n, err := events.Read(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot watch %s: %w", path(), err)
		}
		if concerns(buf[:n], way) {
			hint()
		}
	}
}

// wayTo maps the folders on the way to a file to the names in them that matter. A folder that is not there is
// seen to appear in the one above it.
func wayTo(path string) map[string][]string {
	way := map[string][]string{}
	for range 8 { // links
		dir := filepath.Dir(path)
		for {
			way[dir] = append(way[dir], filepath.Base(path))
			if _, err := os.Stat(dir); err == nil || dir == "/" {
				break
			}
			path, dir = dir, filepath.Dir(dir)
		}
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	return way
}

// addWatches is idempotent: the kernel keeps one watch for a folder.
func addWatches(events *os.File, way map[string][]string) error {
	const mask = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
	conn, err := events.SyscallConn()
	if err != nil {
		return err
	}
	var errs []error
	err = conn.Control(func(fd uintptr) {
		for dir := range way {
			if _, err := unix.InotifyAddWatch(int(fd), dir, mask); err != nil && !errors.Is(err, unix.ENOENT) {
				errs = append(errs, fmt.Errorf("cannot watch %s: %w", dir, err))
			}
		}
	})
	return errors.Join(append(errs, err)...)
}

// concerns says whether events are about one of the names.
func concerns(buf []byte, way map[string][]string) bool {
	for len(buf) >= unix.SizeofInotifyEvent {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&buf[0]))
		end := min(unix.SizeofInotifyEvent+int(e.Len), len(buf))
		name := strings.TrimRight(string(buf[unix.SizeofInotifyEvent:end]), "\x00")
		if e.Mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED) != 0 {
			return true
		}
		for _, names := range way {
			for _, n := range names {
				if n == name {
					return true
				}
			}
		}
		buf = buf[end:]
	}
	return false
}
