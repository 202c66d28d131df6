package vm

import (
	"testing"

	"podd/test/vm/machine"
)

// A machine that enforces AppArmor, as Debian's do: the package loads podd-default, which confines each container that does not
// say otherwise, and the commands in it, before podd dies and after; profiles of the pod's choice are taken or waited for.
func TestAppArmor(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{})
	vm.boot()
	vm.sh(`grep -qw apparmor /sys/kernel/security/lsm
		tar -C /opt/apparmor -c . | tar -C / --keep-directory-symlink -x
		cat >/root/quiet <<'END'
profile vm-quiet flags=(attach_disconnected) {
  file, network, capability, signal, ptrace,
  deny /tmp/** w,
}
END
		apparmor_parser -r /root/quiet`)
	vm.install()
	vm.sh("grep -qx 'podd-default (enforce)' /sys/kernel/security/apparmor/profiles && podd doctor | grep -q 'the profile podd-default is loaded'")
	// Root who may mount, but for AppArmor.
	const mounts = "privileged: false, capabilities: {add: [SYS_ADMIN]}, seccompProfile: {type: Unconfined}"
	vm.drop("plain", one("plain", forever))
	vm.drop("mounter", one("mounter", forever, "securityContext: {"+mounts+"}"))
	vm.drop("free", one("free", forever, "securityContext: {appArmorProfile: {type: Unconfined}, "+mounts+"}"))
	vm.drop("quiet", one("quiet", forever, "securityContext: {appArmorProfile: {type: Localhost, localhostProfile: vm-quiet}}"))
	vm.drop("lost", one("lost", forever, "securityContext: {appArmorProfile: {type: Localhost, localhostProfile: nowhere}}"))
	vm.drop("privileged", one("privileged", forever, "securityContext: {privileged: true}"))
	vm.ready("plain", "mounter", "free", "quiet", "privileged")
	confined := func() {
		t.Helper()
		for pod, want := range map[string]string{
			"plain": "podd-default (enforce)", "mounter": "podd-default (enforce)", "quiet": "vm-quiet (enforce)",
			"free": "unconfined", "privileged": "unconfined",
		} {
			for _, process := range []string{"1", "self"} {
				if got := vm.sh("podd exec " + pod + " -- cat /proc/" + process + "/attr/current"); got != want {
					t.Errorf("%s, process %s: %q, want %q", pod, process, got, want)
				}
			}
		}
		vm.sh(`mount='mkdir -p /mnt && mount -t tmpfs none /mnt && umount /mnt'
			podd exec free -- sh -c "$mount"
			! podd exec mounter -- sh -c "$mount"
			podd exec plain -- touch /tmp/x
			! podd exec quiet -- touch /tmp/x`)
	}
	confined()
	vm.until("podd describe pod lost | grep -q 'apparmor profile not found nowhere' && podd get pod lost --no-headers | grep -q CreateContainerError")
	before := vm.daemon()
	vm.sh("systemctl kill -s KILL podd")
	vm.answers(before)
	confined()
	// It begins when the profile is there.
	vm.sh("sed 's/vm-quiet/nowhere/' /root/quiet >/root/nowhere && apparmor_parser -r /root/nowhere")
	vm.ready("lost")
	vm.sh("podd doctor security | grep -q nowhere")
}
