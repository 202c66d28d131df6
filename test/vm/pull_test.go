package vm

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"podd/test/vm/machine"
)

const ownRegistry = "127.0.0.1:5000"

// pulling is a pod whose image comes from the registry in the machine.
func pulling(name, image string) string {
	return strings.NewReplacer("image: busybox", "image: "+image, "imagePullPolicy: Never", "imagePullPolicy: IfNotPresent").Replace(one(name, forever))
}

// The power goes at a random moment of a pull, on a board without a battery clock. It comes up with each image whole or not
// there; pods whose images are there start without a network; what was kept of a slow pull does not come again; and the pull
// is done when the registry is there. A registry whose certificate begins in the future is asked when the clock is set.
func TestPowerCutDuringPulls(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{Clock: "1970-01-01"})
	vm.boot()
	vm.install()
	var tags []string
	for round := range powerCuts() {
		tags = append(tags, fmt.Sprintf("r%d", round))
	}
	serve := func(delay string) {
		t.Helper()
		vm.sh(fmt.Sprintf(`systemctl stop registry 2>/dev/null; systemctl reset-failed registry 2>/dev/null
			systemd-run -q --unit=registry /data/bin/registry -delay %s %s %s`, delay, ownRegistry, strings.Join(tags, " ")))
		vm.until("bash -c 'exec 3<>/dev/tcp/" + strings.Replace(ownRegistry, ":", "/", 1) + "'")
	}
	var running []string
	for round, tag := range tags {
		image := ownRegistry + "/app:" + tag
		slow := round%3 == 1
		delay, wait := "20ms", time.Duration(rand.IntN(6000))*time.Millisecond
		if slow { // of which more than a minute is left when it is judged
			delay, wait = "1500ms", time.Duration(15000+rand.IntN(8000))*time.Millisecond
		}
		serve(delay)
		t.Logf("round %d: the power goes after %s", round, wait)
		vm.drop(tag, pulling(tag, image))
		vm.sh("sync") // the manifest is to be there
		time.Sleep(wait)
		vm.Cut()
		vm.boot()
		vm.until("systemctl is-active --quiet podd")
		if out := vm.sh("podd images verify 2>&1 || echo FAILED; podd get events | grep ImageLost || true"); strings.Contains(out, "FAILED") && !strings.Contains(out, "ImageLost") {
			t.Errorf("an image is damaged, and nothing says so:\n%s", out)
		}
		vm.ready(running...)
		have, _ := strconv.Atoi(vm.sh("cat /var/lib/podd/images/spool/*.sums 2>/dev/null | wc -c"))
		have = have / 4 * (64 << 10)
		if slow && have == 0 {
			t.Error("nothing was kept of a slow pull")
		}
		serve("0")
		if slow {
			t.Logf("%d bytes were kept", have)
		}
		vm.sh("podd images pull " + image)
		if out := vm.sh("curl -s http://" + ownRegistry + "/served 2>/dev/null || /bin/busybox wget -qO- http://" + ownRegistry + "/served"); slow {
			if came, err := strconv.Atoi(out); err != nil || came > 16<<20-have {
				t.Errorf("%q bytes came though %d were kept", out, have)
			}
		}
		running = append(running, tag)
		vm.ready(running...)
		vm.sh("podd images verify")
		if left := vm.sh("cd /var/lib/podd/images && ls tmp p spool 2>/dev/null | grep -v ':$' | tr -d '\\n'"); left != "" {
			t.Errorf("left behind: %s", left)
		}
		vm.sh("systemctl stop registry")
	}
	// Another address than a loopback's: those are spoken to without TLS, too.
	const future = "10.99.0.1:5001"
	vm.sh("ip address add 10.99.0.1/32 dev lo; systemd-run -q --unit=future /data/bin/registry -tls /etc/podd/certs.d/" + future + " -from 2040-01-01 " + future + " late")
	vm.until("bash -c 'exec 3<>/dev/tcp/10.99.0.1/5001'")
	vm.drop("late", pulling("late", future+"/app:late"))
	vm.until("podd get pod late | grep -q ClockNotSet")
	vm.ready(running...)
	vm.sh("date -s 2041-01-01")
	vm.ready("late")
}
