package runtime

import (
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/beneath"
	"podd/runtime/state"
)

// namespaceDir holds the bind mounts of a pod's namespaces.
func (r *Runtime) namespaceDir(uid types.UID) string {
	return filepath.Join(r.RunDir, "ns", string(uid))
}

// sandboxDir holds the files that the containers of a pod share.
func (r *Runtime) sandboxDir(uid types.UID) string {
	return filepath.Join(r.RunDir, "sandbox", string(uid))
}

// terminationLog is the host's file behind a container's terminationMessagePath.
func (r *Runtime) terminationLog(uid types.UID, name string, attempt int) string {
	return filepath.Join(r.sandboxDir(uid), fmt.Sprintf("%s.%d.termination", name, attempt))
}

// envFile has the environment that a container was started with, if it came from more than its manifest: for commands
// that are run in it later. It is on tmpfs, like all of the sandbox: it may hold secrets.
func (r *Runtime) envFile(uid types.UID, name string, attempt int) string {
	return filepath.Join(r.sandboxDir(uid), fmt.Sprintf("%s.%d.env", name, attempt))
}

// PodLogDir is where a pod's logs are; the names are those of the kubelet, which log shippers know.
func PodLogDir(root string, p *corev1.Pod, uid types.UID) string {
	return filepath.Join(root, fmt.Sprintf("%s_%s_%s", p.Namespace, p.Name, uid))
}

func makePodLogDir(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return err
	}
	dir, err := beneath.MakeFolder(filepath.Dir(path), 0o755, filepath.Base(path))
	if err != nil {
		return err
	}
	return dir.Close()
}

func (r *Runtime) containerLogDir(rec *state.Record, name string) string {
	return filepath.Join(PodLogDir(r.LogDir, rec.Object, rec.UID), name)
}

func (r *Runtime) logPath(rec *state.Record, name string, attempt int) string {
	return filepath.Join(r.containerLogDir(rec, name), fmt.Sprintf("%d.log", attempt))
}
