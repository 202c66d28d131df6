package sandbox

import (
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/container"
	"podd/runtime/container/spec"
	"podd/runtime/state"
)

// pauseName stands in the container ID of the process that holds a shared PID namespace. No container of a
// manifest can have it: theirs are in lower case.
const pauseName = "PAUSE"

func SharesProcesses(p *corev1.Pod) bool {
	return p.Spec.ShareProcessNamespace != nil && *p.Spec.ShareProcessNamespace
}

func PauseID(uid types.UID) string { return state.ContainerID(uid, pauseName, 0) }

// EnsurePause runs the first process of the pod's shared PID namespace and returns the namespace's path. A
// namespace dies with its first process, so that this one cannot be one of the pod's own.
func (m *Manager) EnsurePause(rec *state.Record) (string, error) {
	id := PauseID(rec.UID)
	found, err := m.Engine.Find(id)
	if err != nil {
		return "", err
	}
	if found != nil && found.PIDFD != nil && found.Started {
		_ = found.PIDFD.Close()
		return pidNamespace(found.PID), nil
	}
	if err := m.Engine.Discard(id); err != nil {
		return "", err
	}
	layer, err := m.ensurePauseLayer()
	if err != nil {
		return "", err
	}
	stdio, err := m.Engine.OpenStdio(id)
	if err != nil {
		return "", err
	}
	defer stdio.Close()
	process, err := m.Start(&spec.Config{
		ID: id, Pod: rec.Object, Image: spec.Image{Layers: []string{layer}},
		Container: pauseContainer(),
		PoddsOwn:  true,
		Sandbox:   m.pauseSandbox(rec),
		Files:     map[string]string{pausePath: m.Executable},
	}, nil)
	if err != nil {
		return "", fmt.Errorf("cannot hold a PID namespace for pod %q: %w", rec.Object.Name, err)
	}
	_ = process.PIDFD.Close()
	return pidNamespace(process.PID), nil
}

// pausePath is also the name by which podd's own program knows what it is to be (runtime/container/reexec/pause.go).
const pausePath = "/pause"

func pauseContainer() *corev1.Container {
	yes, no, nobody := true, false, int64(65535)
	return &corev1.Container{
		Name: pauseName, Command: []string{pausePath},
		SecurityContext: &corev1.SecurityContext{
			RunAsUser: &nobody, RunAsGroup: &nobody, ReadOnlyRootFilesystem: &yes, AllowPrivilegeEscalation: &no,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// pauseSandbox has a PID namespace of its own, which the others join.
func (m *Manager) pauseSandbox(rec *state.Record) spec.Sandbox {
	s := m.For(rec)
	s.HostsFile, s.HostnameFile, s.ResolvFile, s.PIDNS = "", "", "", ""
	return s
}

// ensurePauseLayer makes the root of all pause processes: a place for the program.
func (m *Manager) ensurePauseLayer() (string, error) {
	layer := filepath.Join(m.Paths.Run, "pause")
	if err := container.EnsureFileLayer(layer, pausePath); err != nil {
		return "", fmt.Errorf("cannot make the root of pause processes: %w", err)
	}
	return layer, nil
}

func pidNamespace(pid int) string { return fmt.Sprintf("/proc/%d/ns/pid", pid) }
