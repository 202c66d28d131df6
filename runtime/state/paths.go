package state

import (
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"
)

// Paths are the folders that podd keeps what it knows of pods in.
type Paths struct {
	Run  string // on tmpfs: it dies with the processes that it describes
	Root string // on the disk
	Logs string // the containers' logs
}

// Namespaces holds the bind mounts of a pod's namespaces.
func (p Paths) Namespaces(uid types.UID) string { return filepath.Join(p.Run, "ns", string(uid)) }

// NetworkNamespace is where a pod's own network namespace is bound.
func (p Paths) NetworkNamespace(uid types.UID) string { return filepath.Join(p.Namespaces(uid), "net") }

// UserNamespace is where a pod's own user namespace is bound.
func (p Paths) UserNamespace(uid types.UID) string { return filepath.Join(p.Namespaces(uid), "user") }

// Sandbox holds the files that the containers of a pod share.
func (p Paths) Sandbox(uid types.UID) string { return filepath.Join(p.Run, "sandbox", string(uid)) }

// TerminationLog is the host's file behind a container's terminationMessagePath.
func (p Paths) TerminationLog(uid types.UID, name string, attempt int) string {
	return filepath.Join(p.Sandbox(uid), fmt.Sprintf("%s.%d.termination", name, attempt))
}

// Env has the environment that a container was started with, if it came from more than its manifest: for commands
// that are run in it later. It is on tmpfs, like all of the sandbox: it may hold secrets.
func (p Paths) Env(uid types.UID, name string, attempt int) string {
	return filepath.Join(p.Sandbox(uid), fmt.Sprintf("%s.%d.env", name, attempt))
}

// PodLogs is where a pod's logs are; the names are those of the kubelet, which log shippers know.
func (p Paths) PodLogs(rec *Record) string {
	return filepath.Join(p.Logs, fmt.Sprintf("%s_%s_%s", rec.Object.Namespace, rec.Object.Name, rec.UID))
}

// ContainerLogs is where the logs of a container's attempts are.
func (p Paths) ContainerLogs(rec *Record, name string) string {
	return filepath.Join(p.PodLogs(rec), name)
}

// Log is the log of one attempt.
func (p Paths) Log(rec *Record, name string, attempt int) string {
	return filepath.Join(p.ContainerLogs(rec, name), fmt.Sprintf("%d.log", attempt))
}
