package runtime

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/state"
)

const budgetYAML = `
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
`

// Evictions leave as many pods as their budget says, however quickly one follows the other, and evicted pods have successors.
//
// e2e: [sig-apps] DisruptionController :: should block an eviction until the PDB is updated to allow it [Conformance]
func TestEviction(t *testing.T) {
	w := workloadWorld(t)
	w.workloads["web.yaml"] = deploymentYAML(3, "app") + budgetYAML
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	var pods []*corev1.Pod
	list, _ := w.d.r.store.Pods()
	pods = append(pods, list...)
	errs := make([]error, len(pods))
	evict := func(i int, o metav1.DeleteOptions) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			defer close(done)
			errs[i] = w.d.r.EvictPod(context.Background(), pods[i].Namespace, pods[i].Name, &o)
		}()
		for open := true; open; {
			select {
			case <-done:
				open = false
			case <-w.d.r.inbox.ring:
				now := w.now
				for _, m := range w.d.r.inbox.take() { // all of one step, before anything is decided
					w.d.r.receive(m, now)
				}
			}
		}
	}
	other := types.UID("another")
	evict(0, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	if errs[0] == nil || !strings.Contains(errs[0].Error(), "does not match the UID in record") {
		t.Fatalf("of another UID: %v", errs[0])
	}
	evict(0, metav1.DeleteOptions{DryRun: []string{"All"}})
	if errs[0] != nil || w.d.r.pods[pods[0].UID].Record.Set != nil {
		t.Fatalf("a dry run: %v", errs[0])
	}
	evict(0, metav1.DeleteOptions{})
	evict(1, metav1.DeleteOptions{})
	refusal := Refused(errs[1])
	if errs[0] != nil || refusal == nil || refusal.Error() != "Cannot evict pod as it would violate the pod's disruption budget." ||
		refusal.Cause != "The disruption budget web needs 2 healthy pods and has 2 currently" {
		t.Fatalf("%v, %v", errs[0], errs[1])
	}
	evict(0, metav1.DeleteOptions{}) // again
	if errs[0] != nil {
		t.Errorf("a pod that ends already: %v", errs[0])
	}
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	ended := false
	list, _ = w.d.r.store.Pods()
	for _, p := range list {
		for _, c := range p.Status.Conditions {
			ended = ended || p.UID == pods[0].UID && c.Type == corev1.DisruptionTarget && c.Reason == "EvictionByEvictionAPI"
		}
	}
	if p := w.d.r.pods[pods[0].UID]; !ended || p == nil || p.Record.State != state.PodStopping {
		t.Error("the evicted pod does not end, or does not say why")
	}
	if err := w.rest(); err != nil {
		t.Fatal(err)
	}
	evict(1, metav1.DeleteOptions{}) // the successor is there
	if errs[1] != nil {
		t.Errorf("with three healthy pods: %v", errs[1])
	}
}
