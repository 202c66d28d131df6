package kinds

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// What of an object may not change once it is there, and what may: as the strategies of the API server have it for updates
// (kubernetes pkg/registry). Of workloads TestEdits has more.
func TestUpdate(t *testing.T) {
	t.Parallel()
	const claim = "{spec: {accessModes: [ReadWriteOnce], storageClassName: a, resources: {requests: {storage: 1Gi}}}}"
	const bound = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
	const frozen = "Forbidden: field is immutable when `immutable` is set"
	const workload = "{spec: {selector: {matchLabels: {a: b}}, template: {spec: {containers: [{name: c, image: x}]}}}}"
	const selector = `spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable`
	for _, tc := range []struct {
		name, kind, before, after string
		want                      string
	}{
		{"nothing", "ConfigMap", "{data: {a: b}}", "{}", ""},
		{"data", "ConfigMap", "{data: {a: b}}", "{data: {a: c}}", ""},
		{"data becomes immutable", "ConfigMap", "{data: {a: b}}", "{immutable: true, data: {a: c}}", ""},
		{"immutable data", "ConfigMap", "{immutable: true, data: {a: b}}", "{data: {a: c}}", "data: " + frozen},
		{"immutable bytes", "ConfigMap", "{immutable: true, binaryData: {a: AA==}}", "{binaryData: {b: AA==}}", "binaryData: " + frozen},
		{"immutable no more", "ConfigMap", "{immutable: true}", "{immutable: false}", "immutable: " + frozen},
		{"immutable no more, and other data", "ConfigMap", "{immutable: true, data: {a: b}}", "{immutable: null, data: {a: c}}", "data: " + frozen + " / immutable: " + frozen},
		{"a label of what is immutable", "ConfigMap", "{immutable: true, data: {a: b}}", "{metadata: {labels: {x: z}}}", ""},
		{"a secret's data", "Secret", "{stringData: {a: b}}", "{stringData: {a: c}}", ""},
		{"a secret's type", "Secret", "{type: a/b}", "{type: c/d}", `type: Invalid value: "c/d": field is immutable`},
		{"a secret's immutable data", "Secret", "{immutable: true, stringData: {a: b}}", "{stringData: {a: c}}", "data: " + frozen},
		{"a secret that is sealed", "Secret", "{immutable: true, stringData: {a: b}}", "{metadata: {annotations: {podd.dev/sealed: age}}}", "data: " + frozen},
		{"a claim asks for more", "PersistentVolumeClaim", claim, "{spec: {resources: {requests: {storage: 2Gi}}}}", ""},
		{"a claim of other attributes", "PersistentVolumeClaim", claim, "{spec: {volumeAttributesClassName: fast}}", ""},
		{"a claim of another class", "PersistentVolumeClaim", claim, "{spec: {storageClassName: b}}", bound},
		{"a claim of other modes", "PersistentVolumeClaim", claim, "{spec: {accessModes: [ReadOnlyMany]}}", bound},
		{"a claim gets a volume", "PersistentVolumeClaim", claim, "{spec: {volumeName: v}}", ""},
		{"a claim gets another volume", "PersistentVolumeClaim", strings.Replace(claim, "{spec: {", "{spec: {volumeName: v, ", 1), "{spec: {volumeName: w}}", bound},
		{"a volume's source", "PersistentVolume", "{spec: {hostPath: {path: /a}}}", "{spec: {hostPath: {path: /b}}}", "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"},
		{"a volume's size", "PersistentVolume", "{spec: {hostPath: {path: /a}, capacity: {storage: 1}}}", "{spec: {capacity: {storage: 2}}}", ""},
		{"a handler", "RuntimeClass", "{handler: a}", "{handler: b}", `handler: Invalid value: "b": field is immutable`},
		{"an overhead", "RuntimeClass", "{handler: a}", "{overhead: {podFixed: {cpu: 1}}}", ""},
		{"a slice's type", "EndpointSlice", "{addressType: IPv4}", "{addressType: IPv6}", `addressType: Invalid value: "IPv6": field is immutable`},
		{"a slice's addresses", "EndpointSlice", "{addressType: IPv4}", "{endpoints: [{addresses: [10.0.0.1]}]}", ""},
		{"a Deployment's selector", "Deployment", workload, "{spec: {selector: {matchLabels: {a: c}}}}", selector},
		{"a Deployment's replicas", "Deployment", workload, "{spec: {replicas: 3}}", ""},
		{"a DaemonSet's selector", "DaemonSet", workload, "{spec: {selector: {matchLabels: {a: c}}}}", selector},
		{"a StatefulSet's Service", "StatefulSet", workload, "{spec: {serviceName: s}}", `spec.serviceName: Invalid value: "s": field is immutable`},
		{"a StatefulSet's order", "StatefulSet", workload, "{spec: {podManagementPolicy: Parallel}}", `spec.podManagementPolicy: Invalid value: "Parallel": field is immutable`},
	} {
		before, after := made(t, tc.kind, tc.before), made(t, tc.kind, tc.before, tc.after)
		got := strings.Join(sentences(Of(tc.kind).Update(before, after)), " / ")
		if got != tc.want {
			t.Errorf("%s: got\n%s, want\n%s", tc.name, got, tc.want)
		}
		if got := Of(tc.kind).Update(before, before.DeepCopyObject().(Value)); len(got) > 0 {
			t.Errorf("%s: what has not changed may not: %v", tc.name, got)
		}
	}
}

// Pods of a template are theirs: a change of one is none of the template, nor of others.
func TestPodOf(t *testing.T) {
	t.Parallel()
	template := &corev1.PodTemplateSpec{}
	template.Labels = map[string]string{"a": "b"}
	template.Spec.Containers = []corev1.Container{{Name: "c", Env: []corev1.EnvVar{{Name: "A"}}}}
	one, two := PodOf(template, "n"), PodOf(template, "n")
	one.Labels["a"], one.Spec.Containers[0].Env[0].Name, one.Annotations["x"] = "c", "B", "z"
	for _, m := range []map[string]string{template.Labels, two.Labels} {
		if m["a"] != "b" {
			t.Errorf("%v", m)
		}
	}
	if two.Spec.Containers[0].Env[0].Name != "A" || template.Spec.Containers[0].Env[0].Name != "A" || len(two.Annotations) != 0 || template.Annotations != nil || two.Namespace != "n" {
		t.Errorf("%+v", two)
	}
	// Templates without labels make pods that can get some.
	if p := PodOf(&corev1.PodTemplateSpec{}, ""); p.Labels == nil || p.Annotations == nil {
		t.Error("a pod without maps")
	}
}

// What a cluster says of an object goes when it is read, what somebody wanted stays.
func TestStripMeta(t *testing.T) {
	t.Parallel()
	v := made(t, "ConfigMap", "{metadata: {name: a, namespace: b, uid: u, resourceVersion: '5', generation: 3, selfLink: x, finalizers: [a.b/c], ownerReferences: [{kind: K, name: m, uid: u, apiVersion: v1}], "+
		"creationTimestamp: '2026-01-01T00:00:00Z', labels: {l: m}, annotations: {c: d, podd.dev/manifest-problem: 'x: z'}}}")
	StripMeta(v)
	const want = "metadata:\n  annotations:\n    c: d\n  labels:\n    l: m\n  name: a\n  namespace: b\n"
	if got := asYAML(t, v); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A Job that was written down from a cluster has the selector that it had there, and the labels of it.
func TestJobOfACluster(t *testing.T) {
	t.Parallel()
	const labels = "{batch.kubernetes.io/controller-uid: u, controller-uid: u, batch.kubernetes.io/job-name: j, job-name: j, app: a}"
	for name, tc := range map[string]struct {
		selector string
		gone     bool
	}{
		"its own":            {"{matchLabels: {batch.kubernetes.io/controller-uid: u}}", true},
		"its own, of before": {"{matchLabels: {controller-uid: u}}", true},
		"somebody's":         {"{matchLabels: {app: a}}", false},
		"somebody's and its": {"{matchLabels: {app: a, controller-uid: u}}", false},
		"with an expression": {"{matchLabels: {controller-uid: u}, matchExpressions: [{key: app, operator: Exists}]}", false},
		"of all":             {"{}", false},
	} {
		j := made(t, "Job", "{metadata: {name: j, labels: "+labels+"}, spec: {selector: "+tc.selector+", template: {metadata: {labels: "+labels+"}, spec: {containers: [{name: c, image: x}]}}}}")
		text := asYAML(t, j)
		if got := !strings.Contains(text, "selector:"); got != tc.gone {
			t.Errorf("%s: the selector is gone: %t", name, got)
		}
		if has := strings.Contains(text, "controller-uid: u"); has == tc.gone || !strings.Contains(text, "app: a") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

func TestSecretData(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{}": "", "{type: kubernetes.io/tls, stringData: {tls.crt: a, tls.key: b}}": "",
		"{metadata: {name: s, annotations: {podd.dev/sealed: age}}, type: kubernetes.io/tls, stringData: {tls.crt: a}}":                                `secret "s" is invalid: data[tls.key]: Required value`,
		"{metadata: {name: s}, type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: '{'}}":                                            `secret "s" is invalid: data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": it is not JSON`,
		"{metadata: {name: s, annotations: {podd.dev/sealed: age, kubernetes.io/service-account.name: a}}, type: kubernetes.io/service-account-token}": "",
	} {
		got := ""
		if err := ValidateSecretData(made(t, "Secret", text).(*corev1.Secret)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	// Of a sealed one only the names of the keys are known.
	sealed := made(t, "Secret", "{metadata: {annotations: {podd.dev/sealed: age}}, type: kubernetes.io/tls, stringData: {..: a}}")
	if got := sentences(Of("Secret").Validate(sealed)); len(got) != 1 || !strings.HasPrefix(got[0], "data[..]: Invalid value") {
		t.Errorf("%q", got)
	}
}

func TestCountIndexes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int32{"": 0, "0": 1, "0-1": 2, "0,2-4,9": 5, "0-9": 10} {
		if got, err := countIndexes(text, 10); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"10", "0-10", "1,1", "2,1", "0-2,2", "3-2", "2-2", ",", "0,", "-", "0-", "a", " 1", "1.0", "-1", "0-1-2", "4294967296"} {
		if got, err := countIndexes(text, 10); err == nil || got != 0 {
			t.Errorf("%q: %d", text, got)
		}
	}
}
