package cli

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/apitest"
)

// An event about a manifest names its pod without a UID: there was no pod when it happened. One about an
// earlier pod of the same name has another UID, and is not this pod's.
func TestDescribeEvents(t *testing.T) {
	refused := apitest.Refused("bad", "bad.yaml: line 3: no")
	other := apitest.Pod("other")
	f := apitest.New(refused, other)
	e := apitest.Event(refused, "InvalidManifest", "of the manifest", 1)
	e.InvolvedObject.UID = ""
	f.PutEvent(e)
	f.PutEvent(apitest.Event(refused, "Own", "of the pod", 1))
	e = apitest.Event(refused, "Earlier", "of another pod", 1)
	e.InvolvedObject.UID = "another"
	f.PutEvent(e)
	f.PutEvent(apitest.Event(other, "Other", "of another name", 1))

	got := podd(t, nil, "describe", "pod", "bad", "--socket", apitest.Serve(t, f))
	for word, want := range map[string]bool{"of the manifest": true, "of the pod": true, "of another pod": false, "of another name": false} {
		if strings.Contains(got.stdout, word) != want {
			t.Errorf("%q shown: %t in\n%s", word, !want, got.stdout)
		}
	}
}

// What is wrong with the manifest of a pod that runs on as it was is part of the description.
func TestDescribeStalePod(t *testing.T) {
	f := apitest.New(apitest.Pod("web", func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: "podd.dev/ManifestAccepted", Status: corev1.ConditionFalse, Reason: "InvalidManifest", Message: "web.yaml: line 3: no",
		})
	}))
	got := podd(t, nil, "describe", "pod", "web", "--socket", apitest.Serve(t, f))
	all := strings.Join(words(got.stdout), " ")
	if want := "Status: Running Reason: InvalidManifest Message: web.yaml: line 3: no IP:"; !strings.Contains(all, want) {
		t.Errorf("no %q in\n%s", want, got.stdout)
	}
}
