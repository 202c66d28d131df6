package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// The board's key moves out of a file into a credential of systemd: Secrets open as before, podd seal seals to the same
// key though it is not given it, and podd says where the key is.
func TestSealKeyInCredential(t *testing.T) {
	t.Parallel()
	credentials := t.TempDir()
	b := harness.NewEmptyBoard(t, func(o *lab.Options) { o.Env = append(o.Env, "CREDENTIALS_DIRECTORY="+credentials) })
	b.LoadImages("busybox.tar")
	recipient := b.CLI("seal", "--print-recipient", "--root", b.Root)
	file := filepath.Join(b.Root, "keys", "seal.age")
	key, err := os.ReadFile(file)
	b.Must(err)
	b.Must(os.WriteFile(filepath.Join(credentials, "podd.seal-key"), key, 0o400))
	b.MustStart()
	says := func(text string) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) { return strings.Contains(b.Output(), text), errors.New(b.Output()) }))
	}
	says(`source="credential podd.seal-key"`)
	says("and in the clear in " + file + ": remove the file")
	b.Must(os.Remove(file))
	b.MustKill9()
	b.MustStart()
	if got := b.CLI("seal", "--print-recipient", "--root", b.Root); got != recipient {
		t.Errorf("the recipient was %s and is %s", recipient, got)
	}
	plain := filepath.Join(t.TempDir(), "secret.yaml")
	b.Must(os.WriteFile(plain, []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {password: hunter2}\n"), 0o600))
	b.MustDrop("keys", b.CLI("seal", "-f", plain, "--root", b.Root))
	b.MustDrop("reads", harness.PodOf("reads", "restartPolicy: Never", harness.ContainerOf("main", "echo password=$PASSWORD",
		"env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}]")))
	b.WaitPod("reads", harness.IsPhase(corev1.PodSucceeded))
	b.Logged("reads", "main", "password=hunter2")
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a key in the clear again")
	}
	other := t.TempDir()
	b.CLI("seal", "--print-recipient", "--root", other)
	key, err = os.ReadFile(filepath.Join(other, "keys", "seal.age"))
	b.Must(err)
	b.Must(os.WriteFile(file, key, 0o600))
	b.MustKill9()
	b.MustStart()
	says("hold different keys: that of the credential counts, " + strings.TrimSpace(recipient) + "; remove the file, or the credential")
}
