package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Options say what a Node is made of.
type Options struct {
	Podd    string   // the binary under test
	Standin string   // the stand-in for systemd's file descriptor store; "" runs the daemon bare
	Manager []string // further options of the stand-in
	Restart bool     // the stand-in starts the daemon again when it dies
	Args    []string // further arguments of podd run
	Env     []string // further variables of the daemon's environment
	Front   []string // a command that starts podd in its turn, in the node's folder
	Cgroup  *Cgroup  // the node's cgroup is made below this one
	Name    string   // of the node's cgroup
}

// Node is one machine that podd runs on: its folders, its network namespace, its cgroup.
type Node struct {
	Dir, Manifests, Images, Root, Run, Logs, Socket string

	Client
	options Options
	cgroup  *Cgroup // holds the two below it: the pods' and that of the daemon
	daemon  *Cgroup
	output  *os.File // stderr and stdout of every daemon that ran here
	command *exec.Cmd
	exited  chan error
}

// NewNode makes the folders: state on the disk below /var/tmp, the run folder on a tmpfs as /run is.
// The caller is in a mount namespace of its own (Isolate).
func NewNode(o Options) (*Node, error) {
	dir, err := os.MkdirTemp("/var/tmp", "podd-lab-"+RunName()+"-")
	if err == nil {
		// As /run and /var are: the root of a pod with ids of its own has to pass.
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		return nil, err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	n := &Node{
		Dir: dir, Manifests: at("manifests"), Images: at("images"), Root: at("lib"), Run: at("run"), Logs: at("log"),
		Socket: at("run/podd.sock"), options: o,
	}
	return n, n.prepare()
}

func (n *Node) prepare() error {
	for _, dir := range []string{n.Manifests, n.Images, n.Root, n.Run, n.Logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("podd-lab", n.Run, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount a tmpfs: %w", err)
	}
	if err := MakeNetns(n.netns()); err != nil {
		return err
	}
	var err error
	if n.cgroup, err = n.options.Cgroup.Child(n.options.Name); err != nil {
		return err
	}
	// The daemon's is a leaf beside the pods' tree: version 2 allows processes in leaves only.
	if n.daemon, err = n.cgroup.Child("daemon"); err != nil {
		return err
	}
	n.Client = newClient(n.Socket)
	n.output, err = os.OpenFile(filepath.Join(n.Dir, "podd.out"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	return err
}

func (n *Node) netns() string { return filepath.Join(n.Dir, "netns") }

// Cgroup is that of everything that runs on the node.
func (n *Node) Cgroup() *Cgroup { return n.cgroup }

// Netns is the file that holds the node's network namespace.
func (n *Node) Netns() string { return n.netns() }

// Flags are the arguments that every podd command of this node takes to find its daemon.
func (n *Node) Flags() []string { return []string{"--socket", n.Socket} }

// RunArgs are the arguments of podd run on this node.
func (n *Node) RunArgs() []string {
	args := []string{
		"run", "--manifests", n.Manifests, "--images", n.Images, "--root", n.Root, "--run-dir", n.Run,
		"--socket", n.Socket, "--log-dir", n.Logs, "--node-name", "lab",
		"--cgroup-root", n.cgroup.Path(),
	}
	return append(args, n.options.Args...)
}

// In makes a command that runs inside the node's network namespace and cgroup.
func (n *Node) In(argv ...string) *exec.Cmd {
	argv = n.daemon.Wrap(append([]string{"nsenter", "--net=" + n.netns(), "--"}, argv...))
	command := exec.Command(argv[0], argv[1:]...)
	command.Dir = n.Dir
	return command
}

// Podd makes a podd client command of this node.
func (n *Node) Podd(args ...string) *exec.Cmd {
	command := exec.Command(n.options.Podd, append(args[:1:1], append(n.Flags(), args[1:]...)...)...)
	command.Dir = n.Dir
	return command
}

// Start starts the daemon and returns at once; Ready waits.
func (n *Node) Start() error {
	argv := slices.Concat(n.options.Front, []string{n.options.Podd}, n.RunArgs())
	if n.options.Standin != "" {
		front := append([]string{n.options.Standin}, n.options.Manager...)
		if n.options.Restart {
			front = append(front, "--restart")
		}
		argv = append(append(front, "--"), argv...)
	}
	n.command = n.In(argv...)
	n.command.Stdout, n.command.Stderr = n.output, n.output
	// The machine's own shutdown is not the node's.
	n.command.Env = append(append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+filepath.Join(n.Dir, "bus")), n.options.Env...)
	if err := n.command.Start(); err != nil {
		return err
	}
	n.exited = make(chan error, 1)
	go func(command *exec.Cmd, exited chan<- error) { exited <- command.Wait() }(n.command, n.exited)
	return nil
}

// Ready waits until the daemon answers.
func (n *Node) Ready(limit time.Duration) error {
	return Poll(limit, func() (bool, error) {
		select {
		case err := <-n.exited:
			n.exited <- err
			return false, Final(fmt.Errorf("podd ended: %w; it said:\n%s", orNone(err), n.Output()))
		default:
		}
		response, err := n.http.Get("http://podd/readyz")
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK, fmt.Errorf("/readyz says %s", response.Status)
	})
}

func orNone(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// Output is all that the daemons of this node have written to stderr and stdout.
func (n *Node) Output() string {
	data, _ := os.ReadFile(n.output.Name())
	return string(data)
}

// Pid is the daemon's, 0 when none runs.
func (n *Node) Pid() int {
	for _, pid := range n.cgroup.Pids() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		argv := strings.Split(string(cmdline), "\x00")
		if len(argv) > 1 && argv[0] == n.options.Podd && argv[1] == "run" {
			return pid
		}
	}
	return 0
}

// Kill9 ends the daemon, and only it, as the OOM killer would; it returns when the process is gone.
func (n *Node) Kill9() error {
	pid := n.Pid()
	if pid == 0 {
		return errors.New("no daemon to kill")
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return err
	}
	if n.options.Standin == "" {
		<-n.exited
		n.command = nil
		return nil
	}
	return Poll(10*time.Second, func() (bool, error) {
		return n.Pid() != pid, fmt.Errorf("daemon %d is still there", pid)
	})
}

// Stop sends TERM and waits until the daemon, and the stand-in if there is one, have ended.
func (n *Node) Stop(limit time.Duration) error {
	if n.command == nil {
		return nil
	}
	if err := n.command.Process.Signal(unix.SIGTERM); err != nil {
		return err
	}
	return n.Ended(limit)
}

// Ended waits until the daemon, and the stand-in if there is one, have ended by themselves.
func (n *Node) Ended(limit time.Duration) error {
	select {
	case err := <-n.exited:
		n.command = nil
		return err
	case <-time.After(limit):
		return fmt.Errorf("podd did not end within %s; it said:\n%s", limit, n.Output())
	}
}

// Reboot is what a power cut leaves: no process, an empty run folder, no network, and the disk as it was.
func (n *Node) Reboot() error {
	if err := n.powerOff(); err != nil {
		return err
	}
	return n.prepare()
}

func (n *Node) powerOff() error {
	err := n.cgroup.Close()
	if n.command != nil {
		<-n.exited
		n.command = nil
	}
	mounts, readErr := MountsBelow(n.Dir)
	for i := len(mounts) - 1; i >= 0; i-- {
		// EINVAL: it went by itself after it was listed.
		if unmountErr := unix.Unmount(mounts[i], unix.MNT_DETACH); !errors.Is(unmountErr, unix.EINVAL) {
			err = errors.Join(err, unmountErr)
		}
	}
	return errors.Join(err, readErr, n.output.Close())
}

// Close ends everything and removes the folders.
func (n *Node) Close() error {
	err := n.powerOff()
	return errors.Join(err, os.RemoveAll(n.Dir))
}

// MountsBelow lists the mount points under dir, in the order in which they were mounted.
func MountsBelow(dir string) ([]string, error) {
	infos, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, i := range infos {
		if i.Mountpoint != dir {
			list = append(list, i.Mountpoint)
		}
	}
	return list, nil
}

// Drop writes a manifest as a careful editor does: aside, then renamed into the folder.
func (n *Node) Drop(name, content string) error {
	temp := filepath.Join(n.Manifests, "."+name+".new")
	if err := os.WriteFile(temp, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(n.Manifests, name))
}

// Remove takes a manifest away.
func (n *Node) Remove(name string) error {
	err := os.Remove(filepath.Join(n.Manifests, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
