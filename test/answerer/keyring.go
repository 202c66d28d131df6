package main

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// tryKeyring says what is possible with keys, a line each: "session ID", "add NAME: ...", "find NAME: ...", "look ID: ...".
func tryKeyring(args []string) {
	runtime.LockOSThread() // keyrings are a thread's
	id, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	fmt.Println("session", id, outcome(err))
	for i := 0; i+1 < len(args); i += 2 {
		name := args[i+1]
		switch args[i] {
		case "add":
			_, err = unix.AddKey("user", name, []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING)
		case "find":
			_, err = unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", name, 0)
		case "look":
			serial, _ := strconv.Atoi(name)
			_, err = unix.KeyctlString(unix.KEYCTL_DESCRIBE, serial)
		}
		fmt.Printf("%s %s: %s\n", args[i], name, outcome(err))
	}
}

func outcome(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return "ok"
}
