package defaults

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"podd/runtime/manifest/validate"
)

func podOf(t *testing.T, text string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(text), pod); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return pod
}

func printed(t *testing.T, o any) string {
	t.Helper()
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What becomes of what a manifest leaves open. kubernetes pkg/apis/core/v1/defaults.go, a row a function there; the rest of a pod
// stays as it is.
func TestSetPod(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		has        []string // lines, without what is before them
		not        []string
	}{
		{"an empty pod", "{}", []string{
			"namespace: default", "dnsPolicy: ClusterFirst", "restartPolicy: Always", "schedulerName: default-scheduler", "terminationGracePeriodSeconds: 30", "securityContext: {}", "enableServiceLinks: true",
		}, []string{"priority:", "volumes:", "hostNetwork:"}},
		{"what is said stays", "{metadata: {namespace: media}, spec: {dnsPolicy: Default, restartPolicy: Never, schedulerName: mine, terminationGracePeriodSeconds: 0, enableServiceLinks: false}}", []string{
			"namespace: media", "dnsPolicy: Default", "restartPolicy: Never", "schedulerName: mine", "terminationGracePeriodSeconds: 0", "enableServiceLinks: false",
		}, nil},
		{"a grace below zero is the shortest", "{spec: {terminationGracePeriodSeconds: -7}}", []string{"terminationGracePeriodSeconds: 1"}, nil},
		{"the old name of an account", "{spec: {serviceAccount: robot}}", []string{"serviceAccount: robot", "serviceAccountName: robot"}, nil},
		{"two names of an account", "{spec: {serviceAccount: old, serviceAccountName: new}}", []string{"serviceAccount: new", "serviceAccountName: new"}, []string{"old"}},
		{"critical in the cluster", "{spec: {priorityClassName: system-cluster-critical}}", []string{"priority: 2000000000"}, nil},
		{"critical on the node", "{spec: {priorityClassName: system-node-critical}}", []string{"priority: 2000001000"}, nil},
		{"a priority that is said", "{spec: {priorityClassName: system-node-critical, priority: 5}}", []string{"priority: 5"}, nil},
		{"another class", "{spec: {priorityClassName: high}}", nil, []string{"priority:"}},
		{"a container", "{spec: {containers: [{name: c, image: 'x:1', ports: [{containerPort: 80}]}]}}", []string{
			"imagePullPolicy: IfNotPresent", "terminationMessagePath: /dev/termination-log", "terminationMessagePolicy: File", "protocol: TCP",
		}, []string{"hostPort:"}},
		{"the host's network", "{spec: {hostNetwork: true, containers: [{name: c, image: x, ports: [{containerPort: 80}]}], initContainers: [{name: i, image: x, ports: [{containerPort: 81}]}]}}", []string{"hostPort: 80", "hostPort: 81"}, nil},
		{"a probe", "{spec: {containers: [{name: c, livenessProbe: {httpGet: {port: 80}}}]}}", []string{
			"failureThreshold: 3", "periodSeconds: 10", "successThreshold: 1", "timeoutSeconds: 1", "path: /", "scheme: HTTP",
		}, []string{"initialDelaySeconds:"}},
		{"a probe that says all", "{spec: {containers: [{name: c, readinessProbe: {failureThreshold: 1, periodSeconds: 2, successThreshold: 3, timeoutSeconds: 4, httpGet: {port: 80, path: /a, scheme: HTTPS}}}]}}", []string{
			"failureThreshold: 1", "periodSeconds: 2", "successThreshold: 3", "timeoutSeconds: 4", "path: /a", "scheme: HTTPS",
		}, nil},
		{"a probe by gRPC", "{spec: {containers: [{name: c, startupProbe: {grpc: {port: 80}}}]}}", []string{`service: ""`}, nil},
		{"hooks", "{spec: {containers: [{name: c, lifecycle: {preStop: {httpGet: {port: 80}}, postStart: {exec: {command: [a]}}}}]}}", []string{"path: /", "scheme: HTTP"}, nil},
		{"a variable of a field", "{spec: {initContainers: [{name: c, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}}", []string{"apiVersion: v1"}, nil},
		{"limits are requested", "{spec: {containers: [{name: c, resources: {limits: {cpu: 2, memory: 1Gi}, requests: {cpu: 1}}}]}}", []string{"cpu: \"1\"", "cpu: \"2\"", "memory: 1Gi"}, nil},
		{"thousandths are the finest", "{spec: {overhead: {cpu: 100u}, containers: [{name: c, resources: {limits: {cpu: 1500u}}}]}}", []string{"cpu: 1m", "cpu: 2m"}, []string{"u\n"}},
		{"volumes", "{spec: {volumes: [{name: a}, {name: b, hostPath: {path: /b}}, {name: c, secret: {secretName: s}}, {name: d, configMap: {name: m}}, {name: e, downwardAPI: {items: [{path: p, fieldRef: {fieldPath: metadata.name}}]}}]}}", []string{
			"emptyDir: {}", `type: ""`, "defaultMode: 420", "apiVersion: v1",
		}, nil},
		{"an image as a volume", "{spec: {volumes: [{name: a, image: {reference: 'x:1'}}, {name: b, image: {reference: x}}]}}", []string{"pullPolicy: IfNotPresent", "pullPolicy: Always"}, nil},
		{"a projected volume", "{spec: {volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: t}}, {downwardAPI: {items: [{path: p, fieldRef: {fieldPath: metadata.name}}]}}]}}]}}", []string{"defaultMode: 420", "expirationSeconds: 3600", "apiVersion: v1"}, nil},
		{"an ephemeral volume", "{spec: {volumes: [{name: a, ephemeral: {volumeClaimTemplate: {spec: {}}}}, {name: b, ephemeral: {}}]}}", []string{"volumeMode: Filesystem"}, nil},
	} {
		pod := podOf(t, tc.text)
		SetPod(pod)
		text := printed(t, pod)
		for _, line := range tc.has {
			if !strings.Contains(text, " "+line+"\n") {
				t.Errorf("%s: %q is not in\n%s", tc.name, line, text)
			}
		}
		for _, part := range tc.not {
			if strings.Contains(text, part) {
				t.Errorf("%s: %q is in\n%s", tc.name, part, text)
			}
		}
		// A pod that has its defaults gets no others: what podd shows can be applied again.
		if SetPod(pod); printed(t, pod) != text {
			t.Errorf("%s: the second time it is\n%s, not\n%s", tc.name, printed(t, pod), text)
		}
	}
}

// The resources of a whole pod, KEP-2837: what is not said comes of its containers.
func TestPodResources(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, pod, container, requests, limits string }{
		{"nothing", "{}", "{limits: {cpu: 1}}", "", ""},
		{"limits are requested", "{limits: {cpu: 4, memory: 1Gi}}", "{}", "cpu=4 memory=1Gi", "cpu=4 memory=1Gi"},
		{"what containers request comes first", "{limits: {cpu: 4}}", "{requests: {cpu: 1}}", "cpu=1", "cpu=4"},
		{"also of what has no limit", "{limits: {cpu: 4}}", "{requests: {memory: 1Gi}}", "cpu=4 memory=1Gi", "cpu=4"},
		{"but no storage", "{limits: {cpu: 4}}", "{requests: {ephemeral-storage: 1}}", "cpu=4", "cpu=4"},
		{"what is requested stays", "{requests: {cpu: 2}, limits: {cpu: 4}}", "{requests: {cpu: 1}}", "cpu=2", "cpu=4"},
		{"requests alone, limited containers", "{requests: {cpu: 2}}", "{limits: {cpu: 3}}", "cpu=2", "cpu=3"},
		{"requests alone, containers without limits", "{requests: {cpu: 2}}", "{}", "cpu=2", ""},
		{"huge pages of containers", "{requests: {memory: 1Gi}}", "{limits: {hugepages-2Mi: 4Mi}}", "hugepages-2Mi=4Mi memory=1Gi", "hugepages-2Mi=4Mi"},
	} {
		pod := podOf(t, "{spec: {resources: "+tc.pod+", containers: [{name: c, resources: "+tc.container+"}]}}")
		SetPod(pod)
		for _, l := range []struct {
			list corev1.ResourceList
			want string
		}{{pod.Spec.Resources.Requests, tc.requests}, {pod.Spec.Resources.Limits, tc.limits}} {
			var words []string
			for name, q := range l.list {
				words = append(words, string(name)+"="+q.String())
			}
			slices.Sort(words)
			if got := strings.Join(words, " "); got != l.want {
				t.Errorf("%s: %s, want %s", tc.name, got, l.want)
			}
		}
	}
}

// A token is mounted where it is asked for, once, and goes without a trace. kubernetes plugin/pkg/admission/serviceaccount
func TestToken(t *testing.T) {
	t.Parallel()
	const folder = "/var/run/secrets/kubernetes.io/serviceaccount"
	for _, tc := range []struct {
		name, spec string
		want       bool
	}{
		{"nobody asks", "containers: [{name: c}]", false},
		{"the pod asks", "automountServiceAccountToken: true, containers: [{name: c}]", true},
		{"a command reads it", "containers: [{name: c, command: [cat, " + folder + "/token]}]", true},
		{"an argument of an init container does", "initContainers: [{name: i, args: ['x=" + folder + "/namespace']}], containers: [{name: c}]", true},
		{"a command reads it, and the pod does not want it", "automountServiceAccountToken: false, containers: [{name: c, command: [cat, " + folder + "/token]}]", false},
	} {
		pod := podOf(t, "{spec: {"+tc.spec+"}}")
		SetPod(pod)
		if got := MountsToken(pod); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
			continue
		}
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			if n := len(c.VolumeMounts); n != len(pod.Spec.Volumes) || n > 0 && (c.VolumeMounts[0].MountPath != folder || !c.VolumeMounts[0].ReadOnly) {
				t.Errorf("%s: %+v", tc.name, c.VolumeMounts)
			}
		}
		text := printed(t, pod)
		other := WithToken(pod, !tc.want)
		if MountsToken(other) == tc.want || printed(t, pod) != text {
			t.Errorf("%s: the other way round:\n%s", tc.name, printed(t, other))
		}
		if WithToken(pod, tc.want) != pod {
			t.Errorf("%s: a copy of what does not change", tc.name)
		}
		if back := printed(t, WithToken(other, tc.want)); strings.ReplaceAll(back, " []\n", "") != strings.ReplaceAll(text, " []\n", "") && tc.want {
			t.Errorf("%s: there and back it is\n%s, not\n%s", tc.name, back, text)
		}
	}
	// A volume of that name that is somebody's own is not taken for it.
	own := podOf(t, "{spec: {automountServiceAccountToken: true, volumes: [{name: kube-api-access, emptyDir: {}}], containers: [{name: c}]}}")
	if SetPod(own); MountsToken(own) || len(own.Spec.Volumes) != 1 || len(own.Spec.Containers[0].VolumeMounts) > 0 {
		t.Errorf("%+v", own.Spec)
	}
	// Nor does it come over what a container mounts there.
	there := podOf(t, "{spec: {automountServiceAccountToken: true, volumes: [{name: v}], containers: [{name: c, volumeMounts: [{name: v, mountPath: "+folder+"}]}, {name: d}]}}")
	if SetPod(there); len(there.Spec.Containers[0].VolumeMounts) != 1 || len(there.Spec.Containers[1].VolumeMounts) != 1 {
		t.Errorf("%+v", there.Spec.Containers)
	}
}

// Templates are left without what pods get, so that the hashes of revisions stay what they are in a cluster.
func TestSetTemplate(t *testing.T) {
	t.Parallel()
	pod := podOf(t, "{spec: {terminationGracePeriodSeconds: -1, priorityClassName: system-node-critical, automountServiceAccountToken: true, hostNetwork: true, containers: [{name: c, image: x, ports: [{containerPort: 80}], resources: {limits: {cpu: 1}}}]}}")
	SetTemplate(&pod.Spec)
	text := printed(t, pod)
	for _, part := range []string{"enableServiceLinks", "priority:", "hostPort", "requests", "kube-api-access", "terminationGracePeriodSeconds: 1"} {
		if strings.Contains(text, part) {
			t.Errorf("%s is in\n%s", part, text)
		}
	}
	if !strings.Contains(text, "restartPolicy: Always") || !strings.Contains(text, "imagePullPolicy: Always") {
		t.Error(text)
	}
}

// What the defaults have made is good.
func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"containers: [{name: c, image: x}]",
		"hostNetwork: true, containers: [{name: c, image: x, ports: [{containerPort: 80}, {containerPort: 81}]}]",
		"automountServiceAccountToken: true, initContainers: [{name: i, image: x}], containers: [{name: c, image: x}]",
		"terminationGracePeriodSeconds: -3, volumes: [{name: v}, {name: s, secret: {secretName: s}}, {name: h, hostPath: {path: /a}}], containers: [{name: c, image: x, livenessProbe: {httpGet: {port: 80}}, lifecycle: {preStop: {httpGet: {port: 80}}}}]",
		"resources: {limits: {cpu: 4}}, containers: [{name: c, image: x, resources: {limits: {cpu: 2, memory: 64Mi}}}]",
		"resources: {requests: {memory: 1Gi}}, containers: [{name: c, image: x, resources: {limits: {memory: 512Mi, hugepages-2Mi: 4Mi}}}]",
	} {
		pod := podOf(t, "{metadata: {name: p}, spec: {"+spec+"}}")
		SetPod(pod)
		if errs := validate.Pod(pod); len(errs) > 0 {
			t.Errorf("%s: %v", spec, errs)
		}
	}
}

func TestOrAndSet(t *testing.T) {
	t.Parallel()
	if Or("", "a") != "a" || Or("b", "a") != "b" || Or(0, 3) != 3 {
		t.Error("Or")
	}
	var p *int
	value := 5
	Set(&p, value)
	if value = 6; *p != 5 {
		t.Error("the default is another's variable")
	}
	if Set(&p, 7); *p != 5 {
		t.Error("what is set is set again")
	}
}
