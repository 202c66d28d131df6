package vm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"podd/test/vm/machine"
)

// powerCuts is how often the power goes, unless PODD_VM_CUTS says otherwise.
func powerCuts() int {
	if n, err := strconv.Atoi(os.Getenv("PODD_VM_CUTS")); err == nil {
		return n
	}
	return 3
}

// The power goes at a random moment of what a board does: boot, start pods, load images, change and remove pods. It then
// comes up with every pod of the folder running, every image whole, what a pod has synced to its claim, and nothing of pods
// that are gone.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{})
	vm.boot()
	vm.install()
	for i := range 4 {
		vm.drop(fmt.Sprintf("app%d", i), one(fmt.Sprintf("app%d", i), forever))
	}
	vm.ready("app0", "app1", "app2", "app3")
	vm.sh("cat >/root/extra.yaml <<'END'\n" + one("NAME", forever, "env: [{name: VERSION, value: ROUND}]") + "\nEND\nsync")
	vm.drop("keeper", keeper)
	vm.ready("keeper")
	for round := range powerCuts() {
		wait := time.Duration(rand.IntN(6000)) * time.Millisecond
		t.Logf("round %d: the power goes after %s", round, wait)
		work := vm.busy(round)
		time.Sleep(wait)
		kept := vm.kept("/dev/shm/synced")
		vm.Cut()
		<-work
		vm.boot()
		vm.consistent()
		if now := vm.kept("/data/count"); now < kept {
			t.Errorf("the pod had synced %d to its claim, and finds %d", kept, now)
		}
	}
}

// keeper counts into a claim, and says in memory what has been synced.
const keeper = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: keeper}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: busybox
    imagePullPolicy: Never
    command: [sh, -c, 'i=$(cat /data/count || echo 0); while :; do i=$((i+1)); echo $i >/data/new; sync /data/new && mv /data/new /data/count && sync /data || exit 1; echo $i >/dev/shm/new; mv /dev/shm/new /dev/shm/synced; sleep 0.2; done']
    volumeMounts: [{name: kept, mountPath: /data}]
  volumes: [{name: kept, persistentVolumeClaim: {claimName: kept}}]`

// kept reads a number in the keeper; 0 while there is none, or nobody to ask.
func (vm *VM) kept(file string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(vm.try("podd exec keeper -- cat " + file).Stdout))
	return n
}

// busy changes pods and loads images until the machine is off.
func (vm *VM) busy(round int) <-chan machine.Result {
	script := fmt.Sprintf(`n=0
	while :; do
		n=$((n+1))
		podd images load /etc/podd/images/busybox.tar; podd images load /root/images/second.tar
		sed "s/NAME/extra$((n%%3))/; s/value: ROUND/value: r%d-$n/" /root/extra.yaml >/etc/podd/manifests/.extra
		mv /etc/podd/manifests/.extra /etc/podd/manifests/extra$((n%%3)).yaml
		rm -f /etc/podd/manifests/extra$(((n+1)%%3)).yaml
		podd images rm podd.test/second:1
		podd delete pod app$((n%%4)) --now
		[ $((n%%5)) != 0 ] || systemctl kill -s KILL podd
	done`, round)
	done := make(chan machine.Result, 1)
	go func() {
		done <- vm.Run(machine.Command{Argv: []string{"bash", "-c", script}, Limit: time.Hour})
	}()
	return done
}

// consistent waits until what runs is what the folder says, and uses each image.
func (vm *VM) consistent() {
	vm.t.Helper()
	vm.until("systemctl is-active --quiet podd")
	// A file that the power cut left empty or half is refused by name: the editor did not sync it. It is written anew.
	vm.sh(`cd /etc/podd/manifests; for f in extra*.yaml; do [ ! -e $f ] || podd validate -f $f >/dev/null || rm -f $f; done`)
	want := vm.sh(`cd /etc/podd/manifests; ls *.yaml | sed 's/\.yaml$//' | tr '\n' ' '`)
	vm.ready(strings.Fields(want)...)
	vm.until(fmt.Sprintf(`[ "$(podd get pods --no-headers | awk '{print $1}' | sort | tr '\n' ' ')" = "%s" ]`, want))
	vm.sh("podd images load /root/images/second.tar")
	vm.drop("second", pod("second", "Never", "cat /etc/second", "image: podd.test/second:1"))
	vm.sh("sed -i '/image: busybox/d' /etc/podd/manifests/second.yaml")
	vm.until("podd logs second 2>/dev/null | grep -q '^whole$'")
	vm.sh("rm /etc/podd/manifests/second.yaml")
	vm.until("! podd get pod second 2>/dev/null")
	for _, name := range strings.Fields(want) {
		if got := vm.sh("podd exec " + name + " -- echo works"); got != "works" {
			vm.t.Errorf("exec in %s says %q", name, got)
		}
	}
	if left := vm.sh(`for d in $(ls /var/lib/podd/containers 2>/dev/null); do podd get pods -A -o json | grep -q "${d%%_*}" || echo $d; done`); left != "" {
		vm.t.Errorf("containers of no pod are left: %s", left)
	}
	// A file that the editor did not sync is refused before it is written anew.
	if errors := vm.sh("journalctl -b -u podd -p err --no-pager -o cat | grep -v '^manifest refused' || true"); errors != "" && !strings.Contains(errors, "No entries") {
		vm.t.Errorf("podd complained:\n%s", errors)
	}
}
