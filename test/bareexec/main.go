// Command bareexec runs a command in a running container again and again with libcontainer and nothing else, and prints
// what one run took: the floor that probes with commands are measured against.
//
//	bareexec STATE-FOLDER CONTAINER-ID COUNT PAUSE COMMAND [ARG...]
//
// PAUSE is the time between two runs: what is done seldom finds cold caches. It prints the mean CPU time of all
// processes involved, in nanoseconds.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter"
	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "init" {
		libcontainer.Init()
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bareexec:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 5 {
		return errors.New("usage: bareexec STATE-FOLDER CONTAINER-ID COUNT PAUSE COMMAND [ARG...]")
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	pause, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	container, err := libcontainer.Load(args[0], args[1])
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	used := cpu()
	for range count {
		p := &libcontainer.Process{Args: args[4:], Env: []string{"PATH=/bin"}, Cwd: "/", Stdin: null, Stdout: null, Stderr: null}
		if err := container.Run(p); err != nil {
			return err
		}
		if _, err := p.Wait(); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	fmt.Println(int64(cpu()-used) / int64(count))
	return nil
}

// cpu is the time of this process and of all that it has waited for.
func cpu() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}
