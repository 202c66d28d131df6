package security

import (
	"os"
	"path/filepath"
	"testing"

	"podd/test/harness"
)

// What a pod is given to read it cannot write, though its containers may mount in its own namespaces: on the board, what they
// write is root's.
func TestUserNamespaceReadOnly(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	host := filepath.Join(b.Dir, "host")
	b.Must(os.MkdirAll(filepath.Join(host, "sub"), 0o755))
	b.Must(os.WriteFile(filepath.Join(host, "file"), []byte("old\n"), 0o644))
	b.MustDrop("p", harness.PodOf("p", "hostUsers: false", "volumes: [{name: all, hostPath: {path: "+host+"}}, {name: file, hostPath: {path: "+host+"/file}}, "+
		"{name: names, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]",
		harness.Mounting("main", harness.Forever, "{name: all, mountPath: /all, readOnly: true}", "{name: all, mountPath: /sub, subPath: sub, readOnly: true}",
			"{name: file, mountPath: /file, readOnly: true}", "{name: names, mountPath: /names}", "{name: all, mountPath: /open}")+"  securityContext: {privileged: true}\n"))
	b.Running("p")
	for _, script := range []string{
		"mount -o remount,bind,rw /all; touch /all/new", "mount -o remount,bind,rw /sub; touch /sub/new",
		"mount -o remount,bind,rw /file; echo new >/file", "mount -o remount,bind,rw /names; touch /names/new",
	} {
		if _, _, code := b.RunCLI("exec", "p", "--", "sh", "-c", script); code == 0 {
			t.Errorf("%s: it can", script)
		}
	}
	b.Sh("p", "main", "cat /all/file /file /names/name && touch /open/new && test -e /all/new")
}
