// Command agent runs inside a virtual machine and does what the tests outside ask for, over a virtio-serial port.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"podd/test/vm/wire"
)

func main() {
	port, err := open("/dev/virtio-ports/" + wire.Port)
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	a := &agent{out: json.NewEncoder(port), running: map[int]*exec.Cmd{}}
	a.say(wire.Reply{Boot: strings.TrimSpace(string(boot))})
	requests := json.NewDecoder(bufio.NewReader(port))
	for {
		var request wire.Request
		if err := requests.Decode(&request); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		a.obey(request)
	}
}

// open waits for the port: udev may not have made its link yet.
func open(path string) (*os.File, error) {
	deadline := time.Now().Add(time.Minute)
	for {
		port, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil || time.Now().After(deadline) {
			return port, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

type agent struct {
	mu      sync.Mutex
	out     *json.Encoder
	running map[int]*exec.Cmd
}

func (a *agent) say(reply wire.Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.out.Encode(reply); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func (a *agent) obey(request wire.Request) {
	if request.Kill {
		a.mu.Lock()
		command := a.running[request.ID]
		a.mu.Unlock()
		if command != nil {
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		}
		return
	}
	command := exec.Command(request.Argv[0], request.Argv[1:]...)
	command.Env = append(os.Environ(), "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C")
	command.Env = append(command.Env, request.Env...)
	command.Stdin = strings.NewReader(string(request.Stdin))
	command.Stdout = stream(func(p []byte) { a.say(wire.Reply{ID: request.ID, Stdout: p}) })
	command.Stderr = stream(func(p []byte) { a.say(wire.Reply{ID: request.ID, Stderr: p}) })
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What a command leaves in the background may hold its pipes; its own end is what counts.
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		code := 127
		a.say(wire.Reply{ID: request.ID, Error: err.Error(), Exit: &code})
		return
	}
	a.mu.Lock()
	a.running[request.ID] = command
	a.mu.Unlock()
	go a.await(request.ID, command)
}

func (a *agent) await(id int, command *exec.Cmd) {
	err := command.Wait()
	a.mu.Lock()
	delete(a.running, id)
	a.mu.Unlock()
	reply := wire.Reply{ID: id}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		reply.Error = err.Error()
	}
	code := command.ProcessState.ExitCode()
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	reply.Exit = &code
	a.say(reply)
}

type stream func(p []byte)

func (s stream) Write(p []byte) (int, error) { s(p); return len(p), nil }

var _ io.Writer = stream(nil)
