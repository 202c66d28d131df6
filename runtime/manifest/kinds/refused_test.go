package kinds

import (
	"slices"
	"strings"
	"testing"
)

// What may be meant by a misspelt kind is a kind that podd acts on.
func TestNames(t *testing.T) {
	for _, name := range names() {
		if name != KindPod && Of(name) == nil {
			t.Errorf("podd has no rules of kind %s", name)
		}
	}
}

// The kinds of Kubernetes' own groups are acted on, stored, or refused with what to write in their place.
func TestFault(t *testing.T) {
	t.Parallel()
	const write = "; write apiVersion: v1 and kind: Pod"
	gone := func(kind, version, want string) string {
		return "kind " + kind + " of apiVersion " + version + " is not served by Kubernetes any more; write apiVersion: " + want
	}
	for _, tc := range []struct{ version, kind, want string }{
		{"v1", "Pod", ""},
		{"", "", "apiVersion and kind are missing" + write},
		{"v1", "", "kind is missing" + write},
		{"", "Pod", "apiVersion of kind Pod is missing" + write},
		{"", "Deployment", "apiVersion of kind Deployment is missing; write apiVersion: apps/v1"},
		{"", "Gadget", "apiVersion of kind Gadget is missing" + write},
		{"v1", "pod", "kind pod is not known; write kind: Pod"},
		{"v2", "Pod", "kind Pod of apiVersion v2 is not known" + write},
		{"v1", "PodList", "kind PodList of v1 is not run by podd; write kind: List"},
		{"apps/v1", "Deployment", ""},
		{"apps/v2", "Deployment", "kind Deployment of apiVersion apps/v2 is not known; write apiVersion: apps/v1"},
		{"v1", "Deployment", "kind Deployment of apiVersion v1 is not known; write apiVersion: apps/v1"},
		{"apps/v1", "Deploymnet", "kind Deploymnet of apps/v1 is not known: did you mean Deployment? Write apiVersion: apps/v1 and kind: Deployment"},
		{"node.k8s.io/v1", "RuntimeClas", "kind RuntimeClas of node.k8s.io/v1 is not known: did you mean RuntimeClass? Write apiVersion: node.k8s.io/v1 and kind: RuntimeClass"},
		{"v1", "Endpoints", "kind Endpoints of v1 is not run by podd; remove the document"},
		{"apps/v1", "Gadget", "kind Gadget of apps/v1 is not run by podd; remove the document"},
		{"networking.k8s.io/v1", "Ingress", ""},
		{"autoscaling/v2", "HorizontalPodAutoscaler", ""},
		{"monitoring.coreos.com/v1", "ServiceMonitor", ""},
		{"serving.knative.dev/v1", "Service", ""},
		{"monitoring/v1", "ServiceMonitor", "kind ServiceMonitor of monitoring/v1 is not run by podd; remove the document"},
		{"example.com/v1", "gadget", "kind gadget of example.com/v1 is not run by podd; remove the document"},
		{"extensions/v1beta1", "Deployment", gone("Deployment", "extensions/v1beta1", "apps/v1 and spec.selector")},
		{"extensions/v1beta1", "NetworkPolicy", gone("NetworkPolicy", "extensions/v1beta1", "networking.k8s.io/v1")},
		{"extensions/v1beta1", "Ingress", gone("Ingress", "extensions/v1beta1", "networking.k8s.io/v1, pathType for each path, and backend.service in place of serviceName")},
		{"extensions/v1beta1", "Gadget", "kind Gadget of extensions/v1beta1 is not run by podd; remove the document"},
		{"apps/v1beta1", "StatefulSet", gone("StatefulSet", "apps/v1beta1", "apps/v1 and spec.selector")},
		{"apps/v1beta2", "ControllerRevision", gone("ControllerRevision", "apps/v1beta2", "apps/v1")},
		{"batch/v1beta1", "CronJob", gone("CronJob", "batch/v1beta1", "batch/v1")},
		{"policy/v1beta1", "PodDisruptionBudget", gone("PodDisruptionBudget", "policy/v1beta1", "policy/v1")},
		{"policy/v1beta1", "PodSecurityPolicy", "kind PodSecurityPolicy is gone from Kubernetes since 1.25; write pod-security.kubernetes.io/enforce labels on the Namespace, and remove the document"},
		{"networking.k8s.io/v1beta1", "IngressClass", gone("IngressClass", "networking.k8s.io/v1beta1", "networking.k8s.io/v1")},
		{"autoscaling/v2beta2", "HorizontalPodAutoscaler", gone("HorizontalPodAutoscaler", "autoscaling/v2beta2", "autoscaling/v2")},
		{"discovery.k8s.io/v1beta1", "EndpointSlice", gone("EndpointSlice", "discovery.k8s.io/v1beta1", "discovery.k8s.io/v1")},
		{"node.k8s.io/v1beta1", "RuntimeClass", gone("RuntimeClass", "node.k8s.io/v1beta1", "node.k8s.io/v1")},
		{"rbac.authorization.k8s.io/v1beta1", "Role", gone("Role", "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1")},
		{"apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", gone("CustomResourceDefinition", "apiextensions.k8s.io/v1beta1", "apiextensions.k8s.io/v1")},
		{"admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration", gone("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1beta1", "admissionregistration.k8s.io/v1")},
		{"admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy", ""},
	} {
		h := &Header{}
		h.APIVersion, h.Kind = tc.version, tc.kind
		if got := Fault(h); got != tc.want {
			t.Errorf("%s %s: got\n%s, want\n%s", tc.version, tc.kind, got, tc.want)
		}
	}
	if got := Fault(&Header{Near: "Kind"}); got != "key Kind is not known"+write {
		t.Error(got)
	}
}

func TestNearKey(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`{"Kind":"Pod","apiVersion":"v1"}`: "Kind", `{"kind":"Pod","ApiVersion":"v1"}`: "ApiVersion", `{"kind":"Pod","apiVersion":"v1","Kind":"x"}`: "",
		`{"spec":{}}`: "", `{"KIND":"Pod","apiversion":"v1"}`: "KIND", `[]`: "", `{`: "",
	} {
		h := &Header{}
		if strings.Contains(doc, `"kind"`) {
			h.Kind = "Pod"
		}
		if strings.Contains(doc, `"apiVersion"`) {
			h.APIVersion = "v1"
		}
		if got := NearKey([]byte(doc), h); got != want {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
	}
}

// Every kind has its rules, its version, and a file of a good object.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, kind := range names()[1:] {
		rules := Of(kind)
		if rules.Kind != kind || rules.APIVersion != VersionOf(kind) || rules.Blank() == nil || rules.Validate == nil {
			t.Errorf("%s: %+v", kind, rules)
		}
		h := &Header{}
		h.Kind, h.APIVersion = kind, rules.APIVersion
		if text := Fault(h); text != "" || IsStored(h) {
			t.Errorf("%s is not taken: %s", kind, text)
		}
	}
	if Of(KindPod) != nil || Of("") != nil || VersionOf(KindPod) != "v1" {
		t.Error("pods have rules of their own")
	}
	for kind, want := range map[string][2]bool{ // makes pods; is known to others
		"Deployment": {true, true}, "CronJob": {true, true}, "ReplicationController": {true, true}, "Endpoints": {false, true}, "PodTemplate": {false, true},
		"Ingress": {false, true}, "ConfigMap": {false, false}, "Pod": {false, false}, "Gadget": {false, false},
	} {
		if got := [2]bool{MakesPods(kind), IsOther(kind)}; got != want {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
}

func TestStoredKinds(t *testing.T) {
	t.Parallel()
	// The plurals and short names are those of kubectl api-resources.
	want := map[string]string{
		"Ingress": "ingresses ing", "NetworkPolicy": "", "HorizontalPodAutoscaler": "horizontalpodautoscalers hpa", "ResourceQuota": "resourcequotas quota",
		"PriorityClass": "priorityclasses pc", "CustomResourceDefinition": "customresourcedefinitions crd crds", "CertificateSigningRequest": "certificatesigningrequests csr",
		"IPAddress": "ipaddresses ip", "LimitRange": "limitranges limits", "VolumeAttributesClass": "volumeattributesclasses vac", "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
		"CSIStorageCapacity": "csistoragecapacities", "Lease": "leases", "Role": "roles",
	}
	seen := map[string]bool{}
	for _, r := range StoredResources() {
		if w, ok := want[r.Kind]; ok && strings.Join(append([]string{r.Plural}, r.Short...), " ") != w {
			t.Errorf("%s: %s %v, want %s", r.Kind, r.Plural, r.Short, w)
		}
		if r.Kind == "Node" || seen[r.Plural] || Of(r.Kind) != nil || r.Version == "" || r.Cluster != StoredKindOf(r.Group, r.Kind).Cluster {
			t.Errorf("%+v", r)
		}
		seen[r.Plural] = true
	}
	if PluralOf("Endpoints") != "endpoints" {
		t.Error(PluralOf("Endpoints"))
	}
	for _, tc := range []struct{ group, kind, want string }{
		{"networking.k8s.io", "Ingress", "Ingress"}, {"example.com", "Ingress", "Ingress.example.com"}, {"monitoring.coreos.com", "ServiceMonitor", "ServiceMonitor.monitoring.coreos.com"},
	} {
		if got := StoredName(tc.group, tc.kind); got != tc.want {
			t.Errorf("%s %s: %s", tc.group, tc.kind, got)
		}
	}
	for version, want := range map[string][2]string{"v1": {"", "v1"}, "apps/v1": {"apps", "v1"}, "a.b/c/d": {"a.b", "c/d"}, "": {"", ""}} {
		if group, v := GroupOf(version); group != want[0] || v != want[1] {
			t.Errorf("%s: %s, %s", version, group, v)
		}
	}
}

// What is stored comes out as it went in, but for its metadata, which may have changed.
func TestStoredObject(t *testing.T) {
	t.Parallel()
	const text = `{"apiVersion":"a.b/v1","kind":"Gadget","metadata":{"name":"g","labels":{"a":"b"}},"spec":{"big":12345678901234567890,"z":1,"a":[null,1.50]},"status":"x"}`
	var s Stored
	if err := s.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if s.Name != "g" || s.Kind != "Gadget" || s.APIVersion != "a.b/v1" || len(s.Content) != 2 {
		t.Errorf("%+v", s)
	}
	clone := s.DeepCopyObject().(*Stored)
	clone.Labels["a"], clone.Content["spec"] = "c", nil
	delete(clone.Content, "status")
	if s.Labels["a"] != "b" || len(s.Content) != 2 || s.Content["spec"] == nil {
		t.Error("a change of the copy is one of the object")
	}
	s.Labels["a"] = "d"
	got, err := s.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"spec":{"big":12345678901234567890,"z":1,"a":[null,1.50]}`, `"status":"x"`, `"labels":{"a":"d"}`, `"apiVersion":"a.b/v1"`, `"kind":"Gadget"`} {
		if !strings.Contains(string(got), part) {
			t.Errorf("%s is not in %s", part, got)
		}
	}
	for _, bad := range []string{`[]`, `{"metadata":1}`, `{`, `{"kind":[]}`} {
		if err := new(Stored).UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestPathSegment(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"system:node": "", "A b": "", "...": "", ".": "may not be '.'", "..": "may not be '..'", "a/b": "may not contain '/'", "a%b": "may not contain '%'",
	} {
		if got := strings.Join(PathSegment(name), ""); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What podd does not act on is refused with its path and what to do.
func TestRefused(t *testing.T) {
	t.Parallel()
	const workload = "{metadata: {name: w}, spec: {template: {spec: {containers: [{name: c, image: x}]}}}}"
	const rollback = `metadata.annotations[podd.dev/rollback]: Forbidden: podd puts back Pods, Deployments, StatefulSets and DaemonSets; the others have no versions: remove it`
	const moved = "Forbidden: podd reads it on the object, not on its pods: move it to metadata.annotations"
	const noCopy = "Forbidden: podd does not copy volumes; fill it in an init container"
	const folders = "Forbidden: podd gives containers folders; remove the field or set it to Filesystem"
	for _, tc := range []struct {
		kind, text string
		want       []string
	}{
		{"Deployment", "{}", nil},
		{"Deployment", "{metadata: {annotations: {podd.dev/rollback: 'true', podd.dev/node: a}}}", nil},
		{"Deployment", "{spec: {template: {metadata: {annotations: {podd.dev/rollback: 'false', podd.dev/node: a}}}}}", []string{
			"spec.template.metadata.annotations[podd.dev/node]: " + moved, "spec.template.metadata.annotations[podd.dev/rollback]: " + moved,
		}},
		{"ReplicaSet", "{metadata: {annotations: {podd.dev/rollback: 'true'}}}", []string{rollback}},
		{"ReplicaSet", "{metadata: {annotations: {podd.dev/rollback: 'false'}}}", nil},
		{"Job", "{metadata: {annotations: {podd.dev/rollback: 'true'}}}", []string{rollback}},
		{"StatefulSet", "{spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {volumeMode: Block, dataSource: {kind: PersistentVolumeClaim, name: a}}}]}}", []string{
			"spec.volumeClaimTemplates[0].spec.dataSource: " + noCopy, "spec.volumeClaimTemplates[0].spec.volumeMode: " + folders,
		}},
		{"DaemonSet", "{spec: {template: {spec: {securityContext: {sysctls: [{name: vm.swappiness, value: '1'}]}}}}}", []string{
			"spec.template.spec.securityContext.sysctls[0].name: Forbidden: vm.swappiness belongs to the whole node, not to the pod's network or IPC namespace; set it on the node and remove it here",
		}},
		{"PersistentVolumeClaim", "{spec: {volumeMode: Filesystem}}", nil},
		{"PersistentVolumeClaim", "{spec: {volumeMode: Block, dataSourceRef: {kind: A, name: b}}}", []string{"spec.dataSourceRef: " + noCopy, "spec.volumeMode: " + folders}},
		{"PersistentVolume", "{spec: {hostPath: {path: /a}}}", nil},
		{"PersistentVolume", "{spec: {local: {path: /a}}}", nil},
		{"PersistentVolume", "{spec: {iscsi: {targetPortal: a, iqn: b, lun: 0}, volumeMode: Block, persistentVolumeReclaimPolicy: Delete}}", []string{
			"spec.persistentVolumeReclaimPolicy: Forbidden: podd removes no folders that it has not made; remove the field or set it to Retain",
			"spec.volumeMode: " + folders,
			"spec: Forbidden: podd has no driver for this kind of storage; mount it on the host and use hostPath or local",
		}},
		{"PersistentVolume", "{spec: {hostPath: {path: /a}, mountOptions: [ro]}}", []string{
			"spec.mountOptions[0]: Forbidden: podd mounts volumes of nfs alone with options; set them where the host mounts the folder",
		}},
		{"PersistentVolume", "{metadata: {annotations: {volume.beta.kubernetes.io/mount-options: ro}}, spec: {hostPath: {path: /a}}}", []string{
			"metadata.annotations[volume.beta.kubernetes.io/mount-options]: Forbidden: podd mounts volumes of nfs alone with options; set them where the host mounts the folder",
		}},
		{"PersistentVolume", "{spec: {nfs: {server: a, path: /b}, mountOptions: [ro, hard]}}", nil},
		{"Service", "{spec: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8]}}", []string{
			"spec.loadBalancerSourceRanges: Forbidden: podd limits sources for the whole node: set hostPortSources in its configuration, and remove the field",
		}},
	} {
		text := "{}"
		if MakesPods(tc.kind) {
			text = workload
		}
		got := sentences(Of(tc.kind).Refused(made(t, tc.kind, text, tc.text)))
		if !slices.Equal(got, slices.Sorted(slices.Values(tc.want))) {
			t.Errorf("%s %s: got\n%q, want\n%q", tc.kind, tc.text, got, tc.want)
		}
	}
}

// Check is what is said of an object that was changed by hand.
func TestCheck(t *testing.T) {
	t.Parallel()
	good := made(t, "Deployment", "{metadata: {name: web}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'x:1'}]}}}}")
	if err := Check("Deployment", good); err != nil {
		t.Error(err)
	}
	bad := made(t, "Service", "{metadata: {name: s}, spec: {ports: [{port: 80}], loadBalancerSourceRanges: [a]}}")
	const want = "Service \"s\" is invalid: [spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer', " +
		"spec.loadBalancerSourceRanges: Forbidden: podd limits sources for the whole node: set hostPortSources in its configuration, and remove the field]"
	if err := Check("Service", bad); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := Check("Gadget", good); err == nil || err.Error() != `kind "Gadget" is not known` {
		t.Error(err)
	}
}
