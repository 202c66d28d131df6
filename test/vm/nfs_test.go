package vm

import (
	"fmt"
	"strings"
	"testing"

	"podd/test/vm/machine"
)

// A board and its NFS server, which are one machine here: volumes of pods and PersistentVolumes are mounted by name and by both
// families, with version 4.2 and with 3 (the kernel finds out that two addresses are one server of version 4, and uses one);
// then the server is gone, and nobody but who uses it waits for it; then it is back.
func TestNFS(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{})
	vm.boot()
	vm.install()
	vm.exportFolder()
	for _, c := range []struct {
		name string
		test func(*VM)
	}{
		{"version 4", (*VM).nfs4},
		{"version 3", (*VM).nfs3},
		{"refused", (*VM).nfsRefused},
		{"server gone", (*VM).nfsGone},
		{"server back", (*VM).nfsBack},
		{"stop", (*VM).nfsStop},
	} {
		if !t.Run(c.name, func(t *testing.T) { c.test(vm.on(t)) }) {
			break
		}
	}
}

// exportFolder makes the machine a server, of which two names are known. The server's unit would have rpc.statd started, which
// few boards have.
func (vm *VM) exportFolder() {
	vm.t.Helper()
	vm.sh(`mkdir -p /srv/share/part; chmod 777 /srv/share; echo inner >/srv/share/part/file
		echo '/srv/share *(rw,sync,no_subtree_check,no_root_squash,insecure)' >/etc/exports
		printf '[nfsd]\ngrace-time=10\nlease-time=10\n' >/etc/nfs.conf
		printf '127.0.0.1 nas\n::1 nas6\n' >>/etc/hosts
		systemctl mask rpc-statd
		systemctl start rpcbind.socket rpcbind nfs-server`)
}

// nfsVolumes are lines of a pod's spec.
const nfsVolumes = `
  volumes:
  - {name: data, nfs: {server: nas, path: /srv/share}}
  - {name: shown, nfs: {server: nas6, path: /srv/share, readOnly: true}}`

// writing writes a file again and again, and never ends of its own accord.
const writing = `echo hello >/data/hello; while :; do date >/data/tick; sleep 0.1; done`

func (vm *VM) nfs4() {
	vm.drop("writer", one("writer", writing,
		"volumeMounts: [{name: data, mountPath: /data}, {name: data, mountPath: /part, subPath: part}, {name: shown, mountPath: /shown}]")+nfsVolumes)
	vm.ready("writer")
	vm.until("grep -q hello /srv/share/hello")
	if got := vm.sh("podd exec writer -- cat /part/file /shown/hello"); got != "inner\nhello" {
		vm.t.Errorf("the subPath and the read-only volume hold %q", got)
	}
	if r := vm.try("podd exec writer -- touch /shown/new"); r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, "Read-only") {
		vm.t.Errorf("a write to a read-only volume: exit %d, %s", r.Code, r.Stderr)
	}
	mounts := vm.sh("grep ' nfs4 ' /proc/mounts")
	for _, want := range []string{"nas:/srv/share", "nas6:/srv/share", "vers=4.2", "nosharecache", "/shown nfs4 ro,"} {
		if !strings.Contains(mounts, want) {
			vm.t.Errorf("no %q among\n%s", want, mounts)
		}
	}
}

// nfsClaim is a PersistentVolume with mount options, a claim that is bound to it, and a pod that writes to it.
func nfsClaim(name, options string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: PersistentVolume
metadata: {name: %[1]s}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteMany]
  storageClassName: ""
  mountOptions: %[2]s
  nfs: {server: nas6, path: /srv/share}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %[1]s}
spec: {accessModes: [ReadWriteMany], storageClassName: "", volumeName: %[1]s, resources: {requests: {storage: 1Gi}}}
---
`, name, options) + one(name, "echo "+name+" >/data/"+name+"; "+forever, "volumeMounts: [{name: data, mountPath: /data}]",
		"securityContext: {runAsUser: 0}") + `
  securityContext: {fsGroup: 4711}
  volumes: [{name: data, persistentVolumeClaim: {claimName: ` + name + `}}]`
}

func (vm *VM) nfs3() {
	vm.drop("old", nfsClaim("old", `["nfsvers=3,nolock", hard, timeo=50]`))
	vm.ready("old")
	vm.until("grep -q old /srv/share/old")
	mounts := vm.sh("grep ' nfs ' /proc/mounts")
	for _, want := range []string{"vers=3", "timeo=50", "mountvers=3", "local_lock=all", "proto=tcp6", "addr=::1"} {
		if !strings.Contains(mounts, want) {
			vm.t.Errorf("no %q among\n%s", want, mounts)
		}
	}
	if group := vm.sh("stat -c %g /srv/share"); group != "0" {
		vm.t.Errorf("the fsGroup of a pod was given to the server's folder: %s", group)
	}
}

func (vm *VM) nfsRefused() {
	vm.drop("locks", nfsClaim("locks", `[nfsvers=3]`))
	vm.says("locks", "rpc.statd is not running")
	vm.drop("nowhere", strings.ReplaceAll(one("nowhere", forever, "volumeMounts: [{name: data, mountPath: /data}]")+nfsVolumes, "/srv/share", "/srv/none"))
	vm.says("nowhere", "mounting nas:/srv/none failed, reason given by server: No such file or directory")
	vm.drop("nobody", strings.ReplaceAll(one("nobody", forever, "volumeMounts: [{name: data, mountPath: /data}]")+nfsVolumes, "nas", "nasty"))
	vm.says("nobody", "failed to resolve server nasty")
	vm.drop("mapped", strings.Replace(one("mapped", forever, "volumeMounts: [{name: data, mountPath: /data}]")+nfsVolumes, "spec:", "spec:\n  hostUsers: false", 1))
	vm.says("mapped", "set hostUsers: true")
	vm.sh("rm /etc/podd/manifests/{locks,nowhere,nobody,mapped}.yaml")
	vm.until("! podd get pods --no-headers | grep -Eq 'locks|nowhere|nobody|mapped'")
}

// says waits until an event of a pod has a text.
func (vm *VM) says(pod, text string) {
	vm.t.Helper()
	vm.until(fmt.Sprintf("podd describe pod %s | grep FailedMount | grep -qF %q", pod, text))
}

// kill9 ends podd as a crash does.
func (vm *VM) kill9() {
	vm.t.Helper()
	daemon := vm.daemon()
	vm.sh("systemctl kill -s KILL podd")
	vm.answers(daemon)
}

// nfsGone takes the server away, as a cable does.
func (vm *VM) nfsGone() {
	vm.sh(`nft -f - <<'END'
table inet gone {
	chain in {
		type filter hook input priority -300
		tcp dport 2049 drop
		tcp sport 2049 drop
	}
}
END`)
	vm.drop("late", one("late", forever, "volumeMounts: [{name: data, mountPath: /data}]")+nfsVolumes)
	vm.drop("other", one("other", forever))
	vm.ready("other")
	vm.says("late", "the server does not answer")
	vm.kill9()
	vm.ready("other")
	vm.sh("podd doctor >/dev/null || [ $? = 1 ]; podd describe node >/dev/null; podd get pods -o yaml >/dev/null")
	// It has written all the time, and hangs with what it has not got rid of.
	vm.sh("rm /etc/podd/manifests/writer.yaml")
	vm.until("! podd get pod writer 2>/dev/null")
	vm.sh("rm /etc/podd/manifests/other.yaml")
	vm.until("! podd get pod other 2>/dev/null")
	if left := vm.sh("grep ' nfs4 ' /proc/mounts || true"); left != "" {
		vm.t.Errorf("mounts are left of a pod that is gone:\n%s", left)
	}
}

func (vm *VM) nfsBack() {
	vm.sh("nft delete table inet gone")
	vm.ready("late")
	if mounts := vm.sh("grep -c ' nfs4 ' /proc/mounts"); mounts != "2" {
		vm.t.Errorf("the two volumes of the pod are %s mounts", mounts)
	}
	vm.sh("podd exec late -- touch /data/late; podd exec old -- touch /data/again; [ -e /srv/share/late ] && [ -e /srv/share/again ]")
}

// nfsStop stops podd and its pods while the server is gone again.
func (vm *VM) nfsStop() {
	vm.sh("systemctl stop nfs-server; systemctl stop podd")
	vm.until("! grep -E ' nfs4? ' /proc/mounts")
}
