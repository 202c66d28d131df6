package vm

import (
	"maps"
	"os"
	"path/filepath"
	"strings"

	"podd/test/confined"
)

// confinement is TestConfinementAgainstGoldenFiles of test/e2e/security on a board of 64-bit ARM: what the same program sees in
// containers, against the same files, and every system call by the ABI of 64 bits and by that of 32, which have numbers of
// their own (TestGoldenFilesOfTheProbe of runtime/container/seccomp writes those).
func (vm *VM) confinement() {
	vm.sh("/data/bin/mkimage -o /etc/podd/images/.probe -name probe -file /data/bin/answerer:/bin/answerer -file /data/bin/answerer-arm:/bin/answerer-arm; mv /etc/podd/images/.probe /etc/podd/images/probe.tar")
	board := map[string]string{}
	for line := range strings.Lines(vm.sh(`for n in ipc mnt net pid time user uts; do echo $n $(readlink /proc/$(systemctl show -P MainPID podd)/ns/$n); done`)) {
		name, link, _ := strings.Cut(strings.TrimSpace(line), " ")
		board[name] = link
	}
	probe := func(name, container string) string {
		return strings.Replace(one(name, "answerer confinement >/tmp/first 2>&1; touch /tmp/done; "+forever, container), "image: busybox", "image: probe", 1)
	}
	pods := map[string]string{
		"plain":      probe("plain", "securityContext: {}") + "\n  hostUsers: true",
		"restricted": probe("restricted", "securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 2000, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}\n    volumeMounts: [{name: tmp, mountPath: /tmp}]") + "\n  hostUsers: true\n  securityContext: {fsGroup: 3000}\n  volumes: [{name: tmp, emptyDir: {}}]",
		"users":      probe("users", "securityContext: {}") + "\n  hostUsers: false",
		"privileged": probe("privileged", "securityContext: {privileged: true}") + "\n  hostUsers: true",
	}
	for name, manifest := range pods {
		vm.drop(name, manifest)
	}
	found := map[string]confined.Report{}
	for name := range pods {
		vm.ready(name)
		vm.until("podd exec " + name + " -- test -e /tmp/done")
		found[name] = confined.Of(vm.sh("podd exec "+name+" -- cat /tmp/first"), board)
		found[name].CallsOf("arm", vm.sh("podd exec "+name+" -- answerer-arm confinement"))
	}
	// What nobody filters is what the kernel refuses by itself, or has not got.
	byItself := maps.Clone(found["privileged"])
	delete(found, "privileged")
	for name, c := range found {
		c.DropCalls(byItself)
		want := vm.golden(filepath.Join("..", "e2e", "security", "testdata", "confinement", name))
		for section := range want {
			if strings.HasPrefix(section, "syscalls") { // their numbers are an architecture's
				delete(want, section)
			}
		}
		maps.Copy(want, vm.golden(filepath.Join("testdata", "confinement", ground.guest.Arch, name)))
		want.DropCalls(byItself)
		for _, difference := range want.Compare(c) {
			vm.t.Errorf("%s: %s", name, difference)
		}
	}
	for name := range pods {
		vm.sh("rm /etc/podd/manifests/" + name + ".yaml")
	}
}

func (vm *VM) golden(file string) confined.Report {
	vm.t.Helper()
	data, err := os.ReadFile(file)
	vm.must(err)
	return confined.Parse(string(data))
}
