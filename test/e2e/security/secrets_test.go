package security

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// A Secret is where its pod asked for it and on tmpfs, and nowhere else: not in arguments, not in the environment of podd, not on
// the disk, not in the log; also after the daemon has died, after the pod's end and with a changed value.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	secret := func(value string) {
		b.MustDrop("secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: {a: b}}\nstringData: {key: "+value+"}\n")
	}
	const first, second = "eN4zFirstValue0815", "qW9zSecondValue4711"
	secret(first)
	env := "env: [{name: KEY, valueFrom: {secretKeyRef: {name: s, key: key}}}]\nenvFrom: [{secretRef: {name: s, optional: true}}]\n"
	probe := "readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, 'test -n $KEY']}}\nlifecycle: {postStart: {exec: {command: ['true']}}}\n"
	b.MustDrop("app", harness.PodOf("app", "shareProcessNamespace: true\nvolumes: [{name: s, secret: {secretName: s}}]", harness.ContainerOf("main", harness.Forever, env+probe+"volumeMounts: [{name: s, mountPath: /s}]")))
	b.MustDrop("task", harness.PodOf("task", "restartPolicy: Never", harness.ContainerOf("main", "test $KEY = "+first, env)))
	b.WaitPod("app", harness.IsReady("main"))
	b.WaitPod("task", harness.IsPhase(corev1.PodSucceeded))
	b.Sh("app", "main", `test "$KEY $(cat /s/key)" = "`+first+" "+first+`"`)
	withoutSecrets(b, "with what runs", first)
	b.MustKill9()
	b.MustStart()
	b.WaitPod("app", harness.IsReady("main"))
	secret(second)
	b.Sh("app", "main", "until grep -q "+second+" /s/key; do sleep 0.1; done")
	withoutSecrets(b, "with another daemon and value", first, second)
	b.MustRemove("app")
	b.Gone("app")
	withoutSecrets(b, "with the pod gone", first, second)
}

// withoutSecrets looks for values where they do not belong. The script of a task has one in its manifest, and so in its last good one.
func withoutSecrets(b *harness.Board, when string, values ...string) {
	b.T.Helper()
	in := func(text []byte) bool {
		for _, v := range values {
			if bytes.Contains(text, []byte(v)) {
				return true
			}
		}
		return false
	}
	daemon := strconv.Itoa(b.Pid())
	files := []string{"/proc/" + daemon + "/environ"}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	b.Must(err)
	for _, file := range append(files, lines...) {
		if text, err := os.ReadFile(file); err == nil && in(text) && !bytes.Contains(text, []byte("test $KEY = ")) && !bytes.Contains(text, []byte("until grep")) {
			b.T.Errorf("%s: %s has a Secret's value: %q", when, file, text)
		}
	}
	for _, folder := range []string{b.Root, filepath.Join(b.Dir, "log")} {
		b.Must(filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil //nolint:nilerr // it went away
			}
			text, err := os.ReadFile(path)
			if text = bytes.ReplaceAll(text, []byte("test $KEY = "+values[0]), nil); err == nil && in(text) {
				b.T.Errorf("%s: %s has a Secret's value", when, path)
			}
			return nil
		}))
	}
	if said := strings.ReplaceAll(b.Output(), "test $KEY = "+values[0], ""); in([]byte(said)) {
		b.T.Errorf("%s: podd's log has a Secret's value", when)
	}
	for _, args := range [][]string{{"get", "pods", "-o", "yaml"}, {"get", "events"}, {"describe", "pod", "task"}} {
		if out := strings.ReplaceAll(b.CLI(args...), "test $KEY = "+values[0], ""); in([]byte(out)) {
			b.T.Errorf("%s: podd %s shows a Secret's value", when, strings.Join(args, " "))
		}
	}
}

// The daemon leaves no core dump: the kernel gives what it shows of such a process to root's group, whatever its own is. man 5 proc
func TestDaemonLeavesNoCoreDump(t *testing.T) {
	t.Parallel()
	wrapper := filepath.Join(t.TempDir(), "podd")
	text := "#!/bin/sh\nexec setpriv --regid 4711 --keep-groups bash -c 'exec -a \"$0\" " + harness.Suite.Podd + " \"$@\"' \"$0\" \"$@\"\n"
	if err := os.WriteFile(wrapper, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, func(o *lab.Options) { o.Podd = wrapper })
	info, err := os.Stat("/proc/" + strconv.Itoa(b.Pid()) + "/stat")
	b.Must(err)
	if got := info.Sys().(*syscall.Stat_t).Gid; got != 0 {
		t.Errorf("what the kernel shows of the daemon is group %d's: it would leave a core dump", got)
	}
}
