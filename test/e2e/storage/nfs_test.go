package storage

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A pod whose NFS server cannot be mounted waits with mount.nfs's reason, beside others that run, and goes when it is removed. A
// kernel without NFS is a reason, too; test/vm has servers that answer.
func TestNFSCannotBeMounted(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	volumes := "volumes:\n- {name: share, nfs: {server: 127.0.0.1, path: /export, readOnly: true}}\n"
	b.MustDrop("waits", harness.PodOf("waits", volumes, harness.Mounting("main", harness.Forever, "{name: share, mountPath: /share}")))
	b.MustDrop("other", harness.PodOf("other", "", harness.ContainerOf("main", harness.Forever, "")))
	claim := `apiVersion: v1
kind: PersistentVolume
metadata: {name: NAME}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteMany], storageClassName: "", mountOptions: OPTIONS, nfs: {server: 127.0.0.1, path: /export}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: NAME}
spec: {accessModes: [ReadWriteMany], storageClassName: "", resources: {requests: {storage: 1Gi}}}
---
`
	claim = strings.ReplaceAll(claim, "NAME", "media")
	b.MustDrop("claims", strings.Replace(claim, "OPTIONS", "[nfsvers=4.2, hard]", 1)+
		harness.PodOf("claims", "volumes: [{name: share, persistentVolumeClaim: {claimName: media}}]\n", harness.Mounting("main", harness.Forever, "{name: share, mountPath: /share}")))
	b.Running("other")
	for _, name := range []string{"waits", "claims"} {
		b.HasEvent(`MountVolume.SetUp failed for volume "share" : mount failed: mounting 127.0.0.1:/export failed: `)
		if p := b.MustPod(name); p.Status.Phase != corev1.PodPending {
			t.Errorf("pod %s is %s", name, p.Status.Phase)
		}
	}
	if got := b.CLI("get", "pv,pvc"); strings.Count(got, "Bound") != 2 {
		t.Errorf("volume and claim:\n%s", got)
	}
	if _, stderr, code := b.RunCLI("backup", "pvc", "media"); code == 0 || !strings.Contains(stderr, "127.0.0.1:/export of an NFS server") {
		t.Errorf("a backup of what is a server's: exit %d, %s", code, stderr)
	}
	b.MustDrop("claims", strings.Replace(claim, "OPTIONS", "[fast]", 1))
	b.HasEvent(`spec.mountOptions[0]: Forbidden: "fast" is no mount option of NFS`)
	for _, name := range []string{"waits", "other"} {
		b.MustRemove(name)
		b.Gone(name)
	}
}
