package security

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"podd/images/imagetest"
	"podd/test/harness"
)

// Without any setting, a pod that does nothing against it has users of its own, its files are those that they would be without,
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
	if err := os.WriteFile(config, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
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
	says("plain", "podd.dev/user-namespace: its own")
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
		"services": {
			[]string{"volumes: [{name: d, hostPath: {path: /run}}]", harness.ContainerOf("main", harness.Forever, "volumeMounts: [{name: d, mountPath: /d}]")},
			"the machine's users and groups: volume d is in /run, where the machine's services listen",
		},
		"root": {
			[]string{"volumes: [{name: d, hostPath: {path: /}}]", harness.ContainerOf("main", harness.Forever, "volumeMounts: [{name: d, mountPath: /d}]")},
			"the machine's users and groups: volume d has another file system below it, at /",
		},
		"clock": {
			[]string{harness.ContainerOf("main", harness.Forever, "securityContext: {capabilities: {add: [SYS_TIME]}}")},
			"the machine's users and groups: capability SYS_TIME of container main",
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
			says(name, strings.Replace(c.why, "the machine's users and groups", "the machine's", 1))
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

// What cannot be known before a pod's sandbox is made, an image that comes later or a claim's file system, gives the pod the
// machine's ids then, also if a part of it runs already; as does what is known. Who asks for ids of its own keeps them.
func TestUserNamespaceGivenUp(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	b := harness.NewBoard(t)
	load := func(name string, config imagetest.Config, uid int) {
		t.Helper()
		owned := imagetest.Regular("srv/file", "its own\n")
		owned.Header.Uid, owned.Header.Mode = uid, 0o600
		archive, err := imagetest.Busybox(name, config, owned)
		b.Must(err)
		b.Must(os.WriteFile(filepath.Join(b.Images, "."+name+".tar"), archive, 0o600))
		b.Must(os.Rename(filepath.Join(b.Images, "."+name+".tar"), filepath.Join(b.Images, name+".tar")))
	}
	pod := func(name, image string, more ...string) string {
		return harness.PodOf(name, append(more, harness.ContainerOf("first", harness.Forever), of(image, harness.ContainerOf("second", harness.Forever)))...)
	}
	gaveUp := func(name, why string) {
		t.Helper()
		b.Running(name)
		for _, c := range []string{"first", "second"} {
			if got := firstIDOf(b, name, c); got != "0" {
				t.Errorf("container %s of %s has ids from %s on", c, name, got)
			}
		}
		if got := b.Sh(name, "second", "cat /srv/file; stat -c %u /srv/file"); got != "its own\n70000" {
			t.Errorf("the file of %s is %q", name, got)
		}
		if text := b.CLI("describe", "pod", name); !strings.Contains(text, "the machine's users and groups: "+why) {
			t.Errorf("describe of %s lacks %q:\n%s", name, why, text)
		}
	}
	b.MustDrop("early", pod("early", "late", "shareProcessNamespace: true", "volumes: [{name: v, emptyDir: {}}]"))
	b.WaitPod("early", harness.IsReady("first")) // with ids of its own, while the other image is awaited
	if got := firstIDOf(b, "early", "first"); got == "0" {
		t.Error("a plain pod has the machine's ids")
	}
	// An image that is a volume is shown with the owners that the pod sees, before and after.
	b.MustDrop("shows", harness.PodOf("shows", "volumes: [{name: v, image: {reference: busybox, pullPolicy: Never}}]",
		harness.Mounting("first", harness.Forever, "{name: v, mountPath: /v}"), of("late", harness.ContainerOf("second", harness.Forever))))
	b.WaitPod("shows", harness.IsReady("first"))
	shown := func() {
		t.Helper()
		if got := b.Sh("shows", "first", "stat -c %u /v/bin/busybox"); got != "0" {
			t.Errorf("the image that is a volume is of user %s", got)
		}
	}
	shown()
	// Who is started once is started once more, with what is to be before it.
	b.MustDrop("once", harness.PodOf("once", "restartPolicy: Never", "volumes: [{name: v, emptyDir: {}}]\ninitContainers:\n"+harness.Mounting("init", "echo >>/v/inits", "{name: v, mountPath: /v}"),
		harness.Mounting("first", harness.Forever, "{name: v, mountPath: /v}"), of("late", harness.ContainerOf("second", harness.Forever))))
	b.WaitPod("once", harness.IsReady("first"))
	load("late", imagetest.Config{}, 70000)
	gaveUp("early", "image late has files of user or group 70000")
	gaveUp("once", "image late has files of user or group 70000")
	if got := b.Sh("once", "first", "wc -l </v/inits"); got != "2" {
		t.Errorf("the init container has run %s times", got)
	}
	gaveUp("shows", "image late has files of user or group 70000")
	shown()
	b.MustDrop("known", pod("known", "late"))
	gaveUp("known", "image late has files of user or group 70000")
	b.MustDrop("asks", pod("asks", "late", "hostUsers: false"))
	b.Running("asks")
	if got := firstIDOf(b, "asks", "second"); got == "0" {
		t.Error("a pod that asks for ids of its own has the machine's")
	}
}
