package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ociRuntime is crun or runc, run on a bundle by hand: the floor under everything that starts containers.
type ociRuntime struct {
	name, bundle string
	serial       int
}

func newOCIRuntime(name, dir string, w *workload) (*ociRuntime, error) {
	if _, err := exec.LookPath(name); err != nil {
		return nil, err
	}
	o := &ociRuntime{name: name, bundle: filepath.Join(dir, name)}
	if err := os.MkdirAll(o.bundle, 0o755); err != nil {
		return nil, err
	}
	data, err := json.Marshal(bundleConfig(w.root))
	if err != nil {
		return nil, err
	}
	return o, os.WriteFile(filepath.Join(o.bundle, "config.json"), data, 0o600)
}

type object = map[string]any

// bundleConfig is a container with the same namespaces as a pod's, in the words of the OCI runtime specification.
func bundleConfig(root string) object {
	mount := func(destination, kind string, options ...string) object {
		return object{"destination": destination, "type": kind, "source": kind, "options": options}
	}
	var namespaces []object
	for _, kind := range []string{"pid", "network", "ipc", "uts", "mount"} {
		namespaces = append(namespaces, object{"type": kind})
	}
	capabilities := []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"}
	return object{
		"ociVersion": "1.0.2",
		"root":       object{"path": root, "readonly": true},
		"hostname":   "bench",
		"process": object{
			"user": object{"uid": 0, "gid": 0}, "cwd": "/", "args": []string{"/stamp", "x"}, "env": []string{"PATH=/"},
			"capabilities": object{"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
		},
		"mounts": []object{
			mount("/proc", "proc"),
			mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755"),
			mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
			mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
		},
		"linux": object{"namespaces": namespaces},
	}
}

// first runs a container that stamps and ends.
func (o *ociRuntime) first() (cost, error) {
	o.serial++
	command := exec.Command(o.name, "run", "--bundle", o.bundle, fmt.Sprintf("bench-%s-%d", o.name, o.serial))
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	var start time.Duration
	err := withoutHybrid(func() error {
		start = monotonic()
		return command.Run()
	})
	if err != nil {
		return cost{}, fmt.Errorf("%s run: %w: %s", o.name, err, &stderr)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(stdout.String()), 10, 64)
	return cost{wall: time.Duration(ns) - start, cpu: ownCPU(command.ProcessState)}, err
}

// ownCPU is what a process and the children that it waited for have used.
func ownCPU(state *os.ProcessState) time.Duration { return state.UserTime() + state.SystemTime() }

// withoutHybrid runs fn on a thread whose mount namespace lacks the version 2 hierarchy of the hybrid mode, which crun
// refuses to work with.
func withoutHybrid(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread and its namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			result <- err
			return
		}
		_ = unix.Unmount("/sys/fs/cgroup/unified", unix.MNT_DETACH) // there is none where the mode is not hybrid
		result <- fn()
	}()
	return <-result
}
