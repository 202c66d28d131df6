package vm

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/vm/machine"
)

// A machine with SELinux on, and a policy of our own that knows containers and little else (testdata/selinux.cil): which labels
// containers and their files have, and that one pod is kept from another's files by them.
func TestSELinux(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{Append: "security=selinux selinux=1 enforcing=0"})
	policy := compilePolicy(t)
	vm.boot()
	vm.loadPolicy(policy)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what SELinux has refused:\n%s", lastOf(vm.try("dmesg | grep avc:").Stdout))
			t.Logf("what does not run:\n%s", vm.try("podd get pods --no-headers | grep -v Running | while read -r name rest; do podd describe pod $name; done").Stdout)
		}
	})
	vm.install()
	for _, c := range []struct {
		name string
		test func(*VM)
	}{
		{"pairs", (*VM).labelPairs},
		{"files", (*VM).labelledFiles},
		{"asked", (*VM).labelsAsked},
		{"others", (*VM).labelsOfOthers},
		{"restart", (*VM).labelsAfterRestart},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(vm.on(t)) })
	}
}

// compilePolicy makes what a kernel loads, by secilc.
func compilePolicy(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	var categories strings.Builder
	var order []string
	for i := range 1024 {
		fmt.Fprintf(&categories, "(category c%d)\n", i)
		order = append(order, fmt.Sprintf("c%d", i))
	}
	fmt.Fprintf(&categories, "(categoryorder (%s))\n", strings.Join(order, " "))
	file, out := filepath.Join(dir, "categories.cil"), filepath.Join(dir, "policy")
	if err := os.WriteFile(file, []byte(categories.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("secilc", "-c", "31", "-o", out, "-f", os.DevNull, "testdata/selinux.cil", file).CombinedOutput(); err != nil {
		t.Fatalf("cannot compile the policy (hack/deps.sh vm installs secilc): %v\n%s", err, said)
	}
	policy, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// loadPolicy turns SELinux on. A policy has to come in one write.
func (vm *VM) loadPolicy(policy []byte) {
	vm.t.Helper()
	vm.sh(fmt.Sprintf(`grep -qw selinux /sys/kernel/security/lsm
		mountpoint -q /sys/fs/selinux || mount -t selinuxfs selinuxfs /sys/fs/selinux
		base64 -d >/root/policy <<'END'
%s
END
		dd if=/root/policy of=/sys/fs/selinux/load bs=1M status=none
		printf 1 >/sys/fs/selinux/enforce`, base64.StdEncoding.EncodeToString(policy)))
	if got := vm.sh("cat /sys/fs/selinux/enforce; tr -d '\\0' </proc/self/attr/current"); got != "1system_u:system_r:machine_t:s0-s0:c0.c1023" {
		vm.t.Fatalf("SELinux says %q", got)
	}
}

// label is that of a command that is executed in a container, which is that of its first process.
func (vm *VM) label(pod, container string) string {
	vm.t.Helper()
	got := strings.Fields(vm.sh(fmt.Sprintf(`podd exec %s -c %s -- sh -c 'tr "\0" "\n" </proc/self/attr/current; echo; tr "\0" "\n" </proc/1/attr/current'`, pod, container)))
	if len(got) != 2 || got[0] != got[1] {
		vm.t.Fatalf("container %s of %s, and what is executed in it, have the labels %q", container, pod, got)
	}
	return got[0]
}

// levelAs takes a label apart that must be of a type.
func (vm *VM) levelAs(label, typ string) string {
	vm.t.Helper()
	level, ok := strings.CutPrefix(label, "system_u:system_r:"+typ+":")
	if !ok {
		vm.t.Fatalf("the label is %q, want the type %s", label, typ)
	}
	return level
}

const twoContainers = `
  - {name: second, image: busybox, imagePullPolicy: Never, command: [sleep, "100000"], securityContext: {allowPrivilegeEscalation: false}, volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, emptyDir: {}}]`

func (vm *VM) labelPairs() {
	for _, name := range []string{"one", "two"} {
		vm.drop(name, one(name, forever, "volumeMounts: [{name: data, mountPath: /data}]")+twoContainers)
	}
	vm.ready("one", "two")
	first := vm.levelAs(vm.label("one", "main"), "container_t")
	if out := vm.sh("podd doctor security --pod one"); !strings.Contains(out, vm.label("one", "main")) {
		vm.t.Errorf("podd doctor security does not name the label:\n%s", out)
	}
	if second := vm.levelAs(vm.label("one", "second"), "container_t"); second != first || !strings.Contains(first, "s0:c") {
		vm.t.Errorf("two containers of a pod have the levels %q and %q", first, second)
	}
	if other := vm.levelAs(vm.label("two", "main"), "container_t"); other == first {
		vm.t.Errorf("two pods have the level %q", other)
	}
	vm.sh("podd exec one -c main -- sh -c 'echo hello >/data/file'; [ $(podd exec one -c second -- cat /data/file) = hello ]")
}

// labelledFiles has a container use all that podd gives it, and nothing that the machine's owner has not labelled.
func (vm *VM) labelledFiles() {
	vm.sh("mkdir -p /srv/own; echo of the machine >/srv/own/file; chmod -R a+rwX /srv/own")
	vm.drop("files", `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {key: value}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
`+one("files", "echo written; "+forever, "readinessProbe: {exec: {command: [cat, /settings/key]}, periodSeconds: 1}", "volumeMounts:",
		"- {name: settings, mountPath: /settings}", "- {name: kept, mountPath: /kept}", "- {name: memory, mountPath: /memory}",
		"- {name: disk, mountPath: /disk, subPath: below}", "- {name: image, mountPath: /image}", "- {name: machine, mountPath: /machine}",
		"- {name: device, mountPath: /dev/other-null}")+`
  shareProcessNamespace: true
  volumes:
  - {name: settings, projected: {sources: [{configMap: {name: settings}}, {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}}
  - {name: kept, persistentVolumeClaim: {claimName: kept}}
  - {name: memory, emptyDir: {medium: Memory}}
  - {name: disk, emptyDir: {}}
  - {name: image, image: {reference: busybox, pullPolicy: Never}}
  - {name: machine, hostPath: {path: /srv/own}}
  - {name: device, hostPath: {path: /dev/null, type: CharDevice}}`)
	vm.ready("files")
	vm.until("podd logs files | grep -q written")
	vm.sh(`podd exec files -- sh -ec '
		grep -q value /settings/key; grep -q files /settings/name /etc/hosts; cat /etc/resolv.conf >/dev/null
		for place in / /kept /memory /disk /dev/shm; do echo x >$place/own; grep -q x $place/own; done
		echo over >/dev/termination-log; echo x >/dev/other-null; echo x >/dev/stdout; test -x /image/bin/busybox; cat /image/bin/busybox >/dev/null'`)
	if r := vm.try("podd exec files -- cat /machine/file"); r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, "Permission denied") {
		vm.t.Errorf("a container reads a file of the machine: exit %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if got := vm.sh(`ls -Zd /srv/own/file | cut -d: -f3`); got != "machine_file_t" {
		vm.t.Errorf("the type of a file of the machine is %q now", got)
	}
	// What changes is read as what was there.
	vm.sh("sed -i 's/{key: value}/{key: other}/' /etc/podd/manifests/files.yaml")
	vm.until("podd exec files -- grep -q other /settings/key")
	if levels := vm.sh("find /run/podd/volumes/ -name key -type f -exec ls -Z {} + | cut -d: -f4- | cut -d' ' -f1 | sort -u"); !strings.HasPrefix(levels, "s0:c") {
		vm.t.Errorf("the files of a changed ConfigMap have the level %q", levels)
	}
}

func (vm *VM) labelsAsked() {
	vm.drop("asked", one("asked", forever, "securityContext: {seLinuxOptions: {type: other_container_t, level: \"s0:c7,c900\"}}"))
	vm.drop("free", one("free", forever, "securityContext: {privileged: true}"))
	vm.drop("owned", strings.Replace(one("owned", forever), "spec:", "spec:\n  hostUsers: false\n  automountServiceAccountToken: false", 1))
	vm.drop("bad", one("bad", forever, "securityContext: {seLinuxOptions: {type: nosuch_t}}"))
	vm.drop("worse", one("worse", forever, "securityContext: {seLinuxOptions: {level: high}}"))
	vm.ready("asked", "free", "owned")
	if got := vm.label("asked", "main"); got != "system_u:system_r:other_container_t:s0:c7,c900" {
		vm.t.Errorf("a container that asks for type and level has %q", got)
	}
	if got := vm.label("free", "main"); got != "system_u:system_r:spc_t:s0" {
		vm.t.Errorf("a privileged container has %q", got)
	}
	vm.sh("podd exec asked -- sh -c 'echo x >/own; cat /own'; podd exec free -- sh -c 'echo x >/own; cat /own'; podd exec owned -- sh -c 'echo x >/own; cat /own; echo x >/dev/shm/own'")
	vm.levelAs(vm.label("owned", "main"), "container_t")
	vm.until(`podd describe pod bad | grep -q 'the SELinux policy of this machine has no label "system_u:system_r:nosuch_t:s0:c'`)
	vm.until(`podd get pod bad --no-headers | grep -q CreateContainerError`)
	vm.until(`podd describe pod worse | grep -q "the format of 'level' \"high\" is not correct"`)
	vm.sh("rm /etc/podd/manifests/{bad,worse}.yaml")
}

// labelsOfOthers shows one pod the folder of another, as a container would see it that has broken out of its own.
func (vm *VM) labelsOfOthers() {
	folder := vm.sh("dirname $(find /var/lib/podd -path '*/data/file')")
	level := vm.levelAs(vm.label("one", "main"), "container_t")
	mount := "volumeMounts: [{name: theirs, mountPath: /theirs}]"
	volume := "\n  volumes: [{name: theirs, hostPath: {path: " + folder + "}}]"
	vm.drop("thief", one("thief", forever, mount)+volume)
	vm.drop("friend", one("friend", forever, mount, `securityContext: {seLinuxOptions: {level: "`+level+`"}}`)+volume)
	vm.ready("thief", "friend")
	vm.sh("podd exec friend -- cat /theirs/file")
	if r := vm.try("podd exec thief -- cat /theirs/file"); r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, "Permission denied") {
		vm.t.Errorf("a container reads the files of another pod: exit %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// labelsAfterRestart: a pod keeps its level when podd dies, also if it is all that is left to know it by.
func (vm *VM) labelsAfterRestart() {
	before := vm.label("one", "main")
	vm.kill9()
	vm.sh("podd exec one -c main -- kill -KILL -1 || true; podd exec one -c main -- kill 1 || true")
	vm.until("podd get pod one -o json | grep -q '\"restartCount\": *1'")
	vm.ready("one")
	if after := vm.label("one", "main"); after != before {
		vm.t.Errorf("a container that was started again has %q, and had %q", after, before)
	}
	daemon := vm.daemon()
	vm.sh("systemctl kill -s STOP podd; rm -r /run/podd/levels; systemctl kill -s KILL podd") // an orderly stop would end the pods
	vm.answers(daemon)
	vm.drop("late", one("late", forever))
	vm.ready("late", "one")
	seen := map[string]string{}
	for _, name := range []string{"one", "two", "late"} {
		label := vm.label(name, "main")
		if other := seen[label]; other != "" {
			vm.t.Errorf("%s and %s have the label %q", name, other, label)
		}
		seen[label] = name
	}
	if seen[before] != "one" {
		vm.t.Errorf("the pod had %q, and now there are %v", before, seen)
	}
}
