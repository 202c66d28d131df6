package runtime

import (
	"context"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// A cordoned board takes no new pods of controllers, and says it in the scheduler's words; what runs goes on, pods of the folder
// come and go, and that it is cordoned outlives podd and the boot.
func TestCordon(t *testing.T) {
	w := workloadWorld(t)
	expect := func(what string, running, pending int) {
		t.Helper()
		if err := w.rest(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n := 0
		pods, _ := w.d.r.store.Pods()
		for _, p := range pods {
			c := p.Status.Conditions
			if len(c) == 1 && c[0].Reason == "Unschedulable" && c[0].Message == "0/1 nodes are available: 1 node(s) were unschedulable." && p.Spec.NodeName == "" {
				n++
			}
		}
		if got := w.running(); got["app"] != running || n != pending {
			t.Fatalf("%s: %v run and %d wait, want %d and %d", what, got, n, running, pending)
		}
	}
	untilBoot := false
	cordon := func(on bool) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody waits for the loop, which settle turns
		_ = w.d.r.SetCordon(ctx, on, untilBoot)
		if err := w.settle(); err != nil {
			t.Fatal(err)
		}
	}
	w.workloads["web.yaml"] = deploymentYAML(1, "app")
	expect("new", 1, 0)
	cordon(true)
	w.workloads["web.yaml"] = deploymentYAML(3, "app")
	w.d.r.inbox.put(msgManifests{})
	expect("cordoned and scaled", 1, 2)
	w.die()
	expect("after a death", 1, 2)
	w.reboot(t)
	expect("after a reboot", 0, 3)
	if !w.d.r.Cordon().Unschedulable {
		t.Error("the board is not cordoned after a reboot")
	}
	cordon(false)
	expect("uncordoned", 3, 0)
	cordon(true)
	expect("cordoned again", 3, 0)
	w.die()
	if err := os.WriteFile(w.dir+"/root/cordon.json", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a damaged file", 3, 0)
	if w.d.r.Cordon().Unschedulable {
		t.Error("a damaged file is believed")
	}
	// podd reboot cordons until the boot, and does not take away what somebody wanted to last.
	untilBoot = true
	cordon(true)
	expect("cordoned until the boot", 3, 0)
	w.die()
	expect("after a death in the same boot", 3, 0)
	if c := w.d.r.Cordon(); !c.Unschedulable || c.UntilBoot == "" {
		t.Errorf("%+v", c)
	}
	w.die()
	data, err := os.ReadFile(w.dir + "/root/cordon.json")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(data), `"untilBoot": "`, `"untilBoot": "other-`, 1)
	if other == string(data) {
		other = strings.Replace(string(data), `"untilBoot":"`, `"untilBoot":"other-`, 1)
	}
	if err := os.WriteFile(w.dir+"/root/cordon.json", []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("of another boot", 3, 0)
	if _, err := os.Stat(w.dir + "/root/cordon.json"); w.d.r.Cordon().Unschedulable || !os.IsNotExist(err) {
		t.Errorf("it is still cordoned: %v", err)
	}
	cordon(true)
	untilBoot = false
	cordon(true)
	if c := w.d.r.Cordon(); !c.Unschedulable || c.UntilBoot != "" {
		t.Errorf("who cordons a board that reboots does not keep it cordoned: %+v", c)
	}
	untilBoot = true
	cordon(true)
	if c := w.d.r.Cordon(); c.UntilBoot != "" {
		t.Errorf("a reboot takes away a cordon that was to last: %+v", c)
	}
}

// Of pods that want one port of the board one runs; the next comes when the first is gone. A podd that dies, or a board that is
// cordoned meanwhile, takes the place from none.
func TestPortsOfControllersPods(t *testing.T) {
	w := workloadWorld(t)
	w.workloads["web.yaml"] = strings.Replace(deploymentYAML(2, "app"), "image: app", "image: app, ports: [{containerPort: 80, hostPort: 80}]", 1)
	check := func(what string) {
		t.Helper()
		if err := w.rest(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		waits := 0
		pods, _ := w.d.r.store.Pods()
		for _, p := range pods {
			if p.Status.Phase == corev1.PodPending && p.Status.Conditions[0].Message == "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports." {
				waits++
			}
		}
		if got := w.running(); got["app"] != 1 || waits != 1 {
			t.Fatalf("%s: %v run, %d wait", what, got, waits)
		}
	}
	check("new")
	w.die()
	check("after a death")
	for uid, p := range w.d.r.pods {
		if p.Record.State == state.PodRunning {
			w.d.r.workloads.endMade(uid)
		}
	}
	check("one deleted")
}
