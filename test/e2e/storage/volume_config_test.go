package storage

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// ConfigMaps and Secrets as files: all keys or items of them, their modes, missing and optional ones, several volumes
// of one object, binary data, updates in place, and subPaths that do not follow.
//
// e2e: ConfigMap :: should be consumable from pods in volume with defaultMode set
// e2e: ConfigMap :: should be consumable from pods in volume with mappings as non-root
// e2e: ConfigMap :: should be consumable from pods in volume as non-root with FSGroup
// e2e: ConfigMap :: updates should be reflected in volume
// e2e: ConfigMap :: binary data should be reflected in volume
// e2e: Secrets :: should be consumable from pods in volume as non-root with defaultMode and fsGroup set
// e2e: Secrets :: should be consumable in multiple volumes in a pod
// e2e: Secrets :: should be consumable from pods in volume with mappings
// e2e: Projected configMap :: updates should be reflected in volume
// e2e: Projected configMap :: should be consumable from pods in volume with mappings and Item mode set
// e2e: Projected secret :: optional updates should be reflected in volume
// e2e: Subpath :: Atomic writer volumes :: should support subpaths with configmap pod
// e2e: Subpath :: Atomic writer volumes :: should support subpaths with secret pod
// e2e: EmptyDir wrapper volumes :: should not conflict
func TestConfigVolumes(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("config", harness.ObjectOf("ConfigMap", "config", "a: one", "b: two")+"binaryData: {raw: 3q2+7w==}\n")
	b.MustDrop("secret", harness.ObjectOf("Secret", "secret", "password: swordfish"))
	b.MustDrop("reader", harness.PodOf("reader", `securityContext: {fsGroup: 2000, runAsUser: 1000}
volumes:
- {name: all, configMap: {name: config}}
- {name: items, configMap: {name: config, defaultMode: 256, items: [{key: a, path: deep/er/x}, {key: b, path: w, mode: 511}]}}
- {name: secret, secret: {secretName: secret, defaultMode: 256}}
- {name: again, secret: {secretName: secret, items: [{key: password, path: p}]}}
- {name: maybe, secret: {secretName: later, optional: true}}
- name: both
  projected:
    defaultMode: 292
    sources: [{configMap: {name: config}}, {secret: {name: secret, items: [{key: password, path: s/p}]}}, {configMap: {name: none, optional: true}}]
`, harness.Mounting("main", harness.Forever, "{name: all, mountPath: /all}", "{name: items, mountPath: /items}", "{name: secret, mountPath: /secret}", "{name: again, mountPath: /again}",
		"{name: maybe, mountPath: /maybe}", "{name: both, mountPath: /both}", "{name: all, mountPath: /one, subPath: a}", "{name: secret, mountPath: /etc/password, subPath: password}")))
	b.Running("reader")
	for script, want := range map[string]string{
		"cat /all/a /all/b; od -An -tx1 /all/raw; stat -Lc '%a %g' /all/a":                                 "onetwo de ad be ef\n644 2000",
		"cd /items; cat deep/er/x w; stat -Lc %a deep/er/x w; ls":                                          "onetwo440\n777\ndeep\nw",
		"cat /secret/password /again/p /etc/password; stat -Lc %a /secret/password; stat -f -c %T /secret": "swordfishswordfishswordfish440\ntmpfs",
		"ls /maybe; ls /both /both/s; stat -Lc %a /both/s/p":                                               "/both:\na\nb\nraw\ns\n\n/both/s:\np\n444",
		"readlink /all/a; readlink /all/..data | grep -c '^\\.\\.20'":                                      "..data/a\n1",
	} {
		if got := b.Sh("reader", "main", script); got != want {
			t.Errorf("%s says %q, want %q", script, got, want)
		}
	}
	b.MustDrop("config", harness.ObjectOf("ConfigMap", "config", "a: changed", "c: new"))
	b.MustDrop("later", harness.ObjectOf("Secret", "later", "k: come"))
	b.Says("reader", "main", "cat /all/a /all/c; ls /all; cat /both/a; cat /one", "changednewa\nc\nchangedone")
	b.Says("reader", "main", "cat /maybe/k", "come")
	b.MustRemove("later")
	b.Says("reader", "main", "ls /maybe", "")
}

// What is missing and not optional keeps the container waiting, with the kubelet's words, until it comes.
//
// e2e: ConfigMap :: Should fail non-optional pod creation due to configMap object does not exist
// e2e: Secrets :: Should fail non-optional pod creation due to secret object does not exist
// e2e: Projected configMap :: Should fail non-optional pod creation due to configMap object does not exist
func TestMissingConfig(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	volumes := map[string][2]string{
		"map":       {"configMap: {name: late}", "configmap \"late\" not found"},
		"secret":    {"secret: {secretName: late}", "secret \"late\" not found"},
		"projected": {"projected: {sources: [{configMap: {name: late}}]}", "configmap \"late\" not found"},
		"key":       {"configMap: {name: there, items: [{key: late, path: x}]}", "configmap references non-existent config key: late"},
	}
	b.MustDrop("there", harness.ObjectOf("ConfigMap", "there", "a: one"))
	for name, v := range volumes {
		b.MustDrop(name, harness.PodOf(name, "volumes:\n- {name: v, "+v[0]+"}\n", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}")))
	}
	for name, v := range volumes {
		b.WaitPod(name, func(p *corev1.Pod) string {
			if p.Status.Phase != corev1.PodPending {
				return "phase " + string(p.Status.Phase)
			}
			if !strings.Contains(b.CLI("get", "events"), "MountVolume.SetUp failed for volume \"v\" : "+v[1]) {
				return "no event"
			}
			return ""
		})
	}
	b.MustDrop("late", harness.ObjectOf("ConfigMap", "late", "a: one")+"---\n"+harness.ObjectOf("Secret", "late", "a: one"))
	b.MustDrop("there", harness.ObjectOf("ConfigMap", "there", "a: one", "late: two"))
	for name := range volumes {
		b.Running(name)
	}
}

// Readers never see parts of two versions, however often the object changes under them.
func TestUpdatesUnderLoad(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	version := func(i int) string {
		var lines []string
		for f := range 10 {
			lines = append(lines, fmt.Sprintf("f%d: \"%d\"", f, i))
		}
		return harness.ObjectOf("ConfigMap", "config", lines...)
	}
	b.MustDrop("config", strings.ReplaceAll(version(0), "\"\n", "END\"\n"))
	const readers = 20
	each := func(fn func(name string)) {
		for i := range readers {
			fn(fmt.Sprint("reader-", i))
		}
	}
	// A round reads what one ..data shows. That its folder goes away under the reader is no tear.
	script := "while :; do d=$(readlink -f /v/..data); set -- $(cd $d 2>/dev/null && cat f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 2>/dev/null | sed 's/END/ /g'); " +
		"for x; do [ $x = $1 ] || echo torn: $*; done; sleep 0.05; done"
	each(func(name string) {
		b.MustDrop(name, harness.PodOf(name, "volumes: [{name: v, configMap: {name: config}}]\n", harness.Mounting("main", script, "{name: v, mountPath: /v}")))
	})
	each(func(name string) { b.Running(name) })
	const last = 50
	for i := range last + 1 {
		b.MustDrop("config", strings.ReplaceAll(version(i), "\"\n", "END\"\n"))
		time.Sleep(20 * time.Millisecond) // the load itself: changes that come while others are still written
	}
	each(func(name string) {
		b.Says(name, "main", "cat /v/f0 /v/f9", fmt.Sprintf("%dEND%dEND", last, last))
		if got := b.LogsOf(name); got != "" {
			t.Errorf("%s saw: %s", name, got)
		}
	})
}

// Secrets and projections never reach the disk, and what has not changed is not written at all.
func TestSecretsStayInMemory(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("secret", harness.ObjectOf("Secret", "secret", "key: sw0rdfish-on-tmpfs"))
	b.MustDrop("reader", harness.PodOf("reader", "volumes:\n- {name: s, secret: {secretName: secret}}\n- {name: p, projected: {sources: [{secret: {name: secret}}]}}\n",
		harness.Mounting("main", harness.Forever, "{name: s, mountPath: /s}", "{name: p, mountPath: /p}")))
	pod := b.Running("reader")
	for _, name := range []string{"s", "p"} {
		var fs unix.Statfs_t
		b.Must(unix.Statfs(filepath.Join(b.Run, "volumes", string(pod.UID), name), &fs))
		if fs.Type != unix.TMPFS_MAGIC {
			t.Errorf("volume %s is on file system %#x", name, fs.Type)
		}
	}
	before := b.Sh("reader", "main", "readlink /s/..data; readlink /p/..data")
	b.MustDrop("secret", "# only a comment is new\n"+harness.ObjectOf("Secret", "secret", "key: sw0rdfish-on-tmpfs"))
	b.MustDrop("mark", harness.OnePod("mark", harness.Forever)) // read in the same round or a later one
	b.Running("mark")
	if after := b.Sh("reader", "main", "readlink /s/..data; readlink /p/..data"); after != before {
		t.Errorf("an unchanged secret was written again: %q, then %q", before, after)
	}
}

// Bad input is refused with the API server's words, and costs nothing that runs.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for name, c := range map[string][2]string{
		"dots":   {harness.ObjectOf("ConfigMap", "dots", "..: x"), "'..'"},
		"slash":  {harness.ObjectOf("ConfigMap", "slash", "a/b: x"), "a valid config key must consist of"},
		"large":  {harness.ObjectOf("ConfigMap", "large", "a: "+strings.Repeat("x", 2<<20)), "Too long"},
		"base64": {"apiVersion: v1\nkind: Secret\nmetadata: {name: base64}\ndata: {a: '*not*'}\n", "base64"},
		"item":   {harness.PodOf("item", "volumes: [{name: v, configMap: {name: x, items: [{key: a, path: ../x}]}}]\n", harness.ContainerOf("main", harness.Forever)), "must not contain '..'"},
		"abs":    {harness.PodOf("abs", "volumes: [{name: v, configMap: {name: x, items: [{key: a, path: /x}]}}]\n", harness.ContainerOf("main", harness.Forever)), "must be a relative path"},
		"twice":  {harness.PodOf("twice", "volumes: [{name: v, projected: {sources: [{configMap: {name: x, items: [{key: a, path: f}]}}, {secret: {name: keys, items: [{key: b, path: f}]}}]}}]\n", harness.ContainerOf("main", harness.Forever)), "spec.volumes[0].projected: Invalid value: \"keys\": conflicting duplicate paths"},
		"sub":    {harness.PodOf("sub", "volumes: [{name: v, emptyDir: {}}]\n", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v, subPath: ../x}")), "must not contain '..'"},
	} {
		b.MustDrop(name, c[0])
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			stdout, stderr, _ := b.RunCLI("get", "events")
			return strings.Contains(stdout, c[1]) && strings.Contains(stdout, name), fmt.Errorf("%s: no %q in %s%s", name, c[1], stdout, stderr)
		}))
	}
}
