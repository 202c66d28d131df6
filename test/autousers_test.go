package test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
	b := newBoard(t, withArgs("--config", config))
	shared := filepath.Join(b.Dir, "shared")
	b.must(os.Mkdir(shared, 0o755))
	b.drop("secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n")
	b.drop("plain", podOf("plain", "volumes: [{name: v, emptyDir: {}}, {name: s, secret: {secretName: s}}, {name: h, hostPath: {path: "+shared+"}}]",
		containerOf("main", "touch /v/made /h/made; "+forever, "volumeMounts: [{name: v, mountPath: /v}, {name: s, mountPath: /s}, {name: h, mountPath: /h}]",
			`readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "test -e /h/made"]}}`)))
	b.wait("plain", isReady("main"))
	own := func(name string) bool {
		return strings.Fields(b.sh(name, "main", "cat /proc/self/uid_map"))[1] != "0"
	}
	says := func(name, want string) {
		t.Helper()
		if text := b.podd("describe", "pod", name); !strings.Contains(text, want) {
			t.Errorf("describe lacks %q:\n%s", want, text)
		}
	}
	if !own("plain") {
		t.Error("a plain pod has the machine's ids")
	}
	says("plain", "The pod has users and groups of its own")
	if got := b.sh("plain", "main", "cat /s/k; stat -c %u /v/made /h/made"); strings.Join(strings.Fields(got), " ") != "v0 0" {
		t.Errorf("its files are %q", got)
	}
	if info, err := os.Stat(filepath.Join(shared, "made")); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("on the host its file is %v, %v", info, err)
	}
	for name, c := range map[string]struct {
		parts []string
		why   string
	}{
		"asks-not":   {[]string{"hostUsers: true", containerOf("main", forever)}, ""},
		"network":    {[]string{"hostNetwork: true", containerOf("main", forever)}, "the machine's users and groups: hostNetwork"},
		"privileged": {[]string{containerOf("main", forever, "securityContext: {privileged: true}")}, "the machine's users and groups: privileged of container main"},
		"device": {
			[]string{"volumes: [{name: d, hostPath: {path: /dev/null}}]", containerOf("main", forever, "volumeMounts: [{name: d, mountPath: /d}]")},
			"the machine's users and groups: volume d is a device or a socket",
		},
		"proc": {
			[]string{"volumes: [{name: d, hostPath: {path: /proc/sys}}]", containerOf("main", forever, "volumeMounts: [{name: d, mountPath: /d}]")},
			"the machine's users and groups: volume d is on proc",
		},
	} {
		b.drop(name, podOf(name, c.parts...))
		b.running(name)
		if own(name) {
			t.Errorf("%s has ids of its own", name)
		}
		if c.why != "" {
			says(name, c.why)
		}
	}
	// What was decided stays, with another daemon and another setting.
	b.kill9()
	mode("manual")
	b.start()
	b.drop("later", podOf("later", containerOf("main", forever)))
	b.running("later")
	if own("later") || !own("plain") || own("network") {
		t.Errorf("with another mode: later %v, plain %v, network %v", own("later"), own("plain"), own("network"))
	}
	b.sh("plain", "main", "touch /v/more && test $(stat -c %u /v/more) = 0")
	b.remove("plain")
	b.gone("plain")
}
