package cli

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/apitest"
	"podd/runtime/manifest"
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

// Objects of all kinds can be described, also those that podd stores: an Ingress says that nobody acts on it.
func TestDescribeAnyObject(t *testing.T) {
	const folder = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, namespace: default, labels: {app: web}}
spec: {ingressClassName: nginx, defaultBackend: {service: {name: web, port: {number: 80}}}, rules: [{host: a.example}, {host: b.example}]}
---
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: train, namespace: default}
spec: {minAvailable: 3}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: default}
data: {password: aHVudGVyMg==}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: app, namespace: default}
data: {app.conf: "a = 1\nb = 2"}
`
	f := apitest.New()
	objects, problems := manifest.Parse("all.yaml", []byte(folder))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i := range objects {
		f.PutObject(objects[i].Kind, objects[i].Value)
	}
	socket := apitest.Serve(t, f)
	for args, want := range map[string]string{
		"ingress front": "Name: front Namespace: default Labels: app=web Annotations: <none> API Version: networking.k8s.io/v1 Kind: Ingress " +
			"Remark: stored, not acted on Spec: Default Backend: Service: Name: web Port: Number: 80 " +
			"Ingress Class Name: nginx Rules: Host: a.example Host: b.example Events: <none>",
		"jobs.batch.volcano.sh train": "Kind: Job Remark: stored, not acted on Spec: Min Available: 3 Events:",
		"secret/key":                  "Kind: Secret Data: Password: 7 bytes Type: Opaque Events:",
		"cm app":                      "Kind: ConfigMap Data: app.conf: a = 1 b = 2 Events:",
		"svc":                         "No resources found in default namespace.",
		"storageclass":                "No resources found",
		"ingress none":                `ingresses.networking.k8s.io "none" not found`,
	} {
		got := podd(t, nil, append([]string{"describe", "--socket", socket}, words(args)...)...)
		if all := strings.Join(words(got.all()), " "); !strings.Contains(all, want) {
			t.Errorf("describe %s: no %q in\n%s", args, want, got.all())
		}
		if strings.Contains(got.all(), "hunter2") || strings.Contains(got.all(), "aHVudGVyMg") {
			t.Errorf("describe %s shows what is secret", args)
		}
	}
}
