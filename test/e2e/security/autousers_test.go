package security

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"podd/test/harness"
)

// With the setting, a pod that does nothing against it has users of its own, its files are those that they would be without,
// and each pod says what was decided.
func TestUserNamespaceAuto(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	config := filepath.Join(t.TempDir(), "config.yaml")
	mode := func(mode string) {
		t.Helper()
		if err := os.WriteFile(config, []byte("userNamespaces: {mode: "+mode+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mode("auto")
	b := harness.NewBoard(t, harness.WithArgs("--config", config))
	shared := filepath.Join(b.Dir, "shared")
	b.Must(os.Mkdir(shared, 0o755))
	b.MustDrop("secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n")
	b.MustDrop("plain", harness.PodOf("plain", "volumes: [{name: v, emptyDir: {}}, {name: s, secret: {secretName: s}}, {name: h, hostPath: {path: "+shared+"}}]",
		harness.ContainerOf("main", "touch /v/made /h/made; "+harness.Forever, "volumeMounts: [{name: v, mountPath: /v}, {name: s, mountPath: /s}, {name: h, mountPath: /h}]",
			`readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "test -e /h/made"]}}`)))
	b.WaitPod("plain", harness.IsReady("main"))
	own := func(name string) bool {
		return strings.Fields(b.Sh(name, "main", "cat /proc/self/uid_map"))[1] != "0"
	}
	says := func(name, want string) {
		t.Helper()
		if text := b.CLI("describe", "pod", name); !strings.Contains(text, want) {
			t.Errorf("describe lacks %q:\n%s", want, text)
		}
	}
	if !own("plain") {
		t.Error("a plain pod has the machine's ids")
	}
	says("plain", "The pod has users and groups of its own")
	if got := b.Sh("plain", "main", "cat /s/k; stat -c %u /v/made /h/made"); strings.Join(strings.Fields(got), " ") != "v0 0" {
		t.Errorf("its files are %q", got)
	}
	if info, err := os.Stat(filepath.Join(shared, "made")); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("on the host its file is %v, %v", info, err)
	}
	for name, c := range map[string]struct {
		parts []string
		why   string
	}{
		"asks-not":   {[]string{"hostUsers: true", harness.ContainerOf("main", harness.Forever)}, ""},
		"network":    {[]string{"hostNetwork: true", harness.ContainerOf("main", harness.Forever)}, "the machine's users and groups: hostNetwork"},
		"privileged": {[]string{harness.ContainerOf("main", harness.Forever, "securityContext: {privileged: true}")}, "the machine's users and groups: privileged of container main"},
		"device": {
			[]string{"volumes: [{name: d, hostPath: {path: /dev/null}}]", harness.ContainerOf("main", harness.Forever, "volumeMounts: [{name: d, mountPath: /d}]")},
			"the machine's users and groups: volume d is a device or a socket",
		},
		"proc": {
			[]string{"volumes: [{name: d, hostPath: {path: /proc/sys}}]", harness.ContainerOf("main", harness.Forever, "volumeMounts: [{name: d, mountPath: /d}]")},
			"the machine's users and groups: volume d is on proc",
		},
	} {
		b.MustDrop(name, harness.PodOf(name, c.parts...))
		b.Running(name)
		if own(name) {
			t.Errorf("%s has ids of its own", name)
		}
		if c.why != "" {
			says(name, c.why)
		}
	}
	// What was decided stays, with another daemon and another setting.
	b.MustKill9()
	mode("manual")
	b.MustStart()
	b.MustDrop("later", harness.PodOf("later", harness.ContainerOf("main", harness.Forever)))
	b.Running("later")
	if own("later") || !own("plain") || own("network") {
		t.Errorf("with another mode: later %v, plain %v, network %v", own("later"), own("plain"), own("network"))
	}
	b.Sh("plain", "main", "touch /v/more && test $(stat -c %u /v/more) = 0")
	b.MustRemove("plain")
	b.Gone("plain")
}
