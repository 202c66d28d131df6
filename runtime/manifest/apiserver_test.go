package manifest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestAsTheAPIServer has one document for each class of those of which podd once said something else than the API server:
// the verdict is that of its own code (test/conformance).
func TestAsTheAPIServer(t *testing.T) {
	const (
		pod    = "apiVersion: v1\nkind: Pod\nmetadata: {name: p%}\nspec: {containers: [{name: c, image: x}]"
		claim  = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}"
		volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: a}\nspec: {hostPath: {path: /a}, accessModes: [ReadWriteOnce]"
		class  = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: a}\n"
		slice  = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\n"
		names  = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ExternalName, externalName: a.example"
		svc    = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]"
		policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: %}}]}]}"
		term   = "nodeSelectorTerms: [{matchExpressions: [{key: k, operator: "
	)
	with := func(text, more string) string { return strings.Replace(text, "%", more, 1) }
	spec := func(more string) string { return with(pod, "") + ", " + more + "}" }
	meta := func(more string) string { return with(pod, ", "+more) + "}" }
	template := func(more string) string {
		return spec("volumes: [{name: v, ephemeral: {volumeClaimTemplate: {" + more + "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]")
	}
	for _, tc := range []struct{ text, want string }{
		{meta("uid: abc, resourceVersion: '5', generateName: p-, generation: -3, selfLink: /x, managedFields: [{manager: m, operation: Update, fieldsType: FieldsV1, fieldsV1: {}}]"), ""},
		{meta("managedFields: [{operation: Bogus}]"), `metadata.managedFields[0].operation: Unsupported value: "Bogus": supported values: "Apply", "Update"`},
		{meta("annotations: {kubernetes.io/config.mirror: x}"), `metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`},
		{meta("annotations: {controller.kubernetes.io/pod-deletion-cost: '+1'}"), `metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer`},
		{meta("annotations: {controller.kubernetes.io/pod-deletion-cost: '-7'}"), ""},
		{spec("terminationGracePeriodSeconds: -1"), ""},
		{spec("securityContext: {sysctls: [{name: kernel/shm_rmid_forced, value: '1'}, {name: kernel.shm_rmid_forced, value: '0'}]}"), ""},
		{spec("resources: {}"), ""},
		{"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {resources: {requests: {cpu: 1}}, containers: [{name: c, image: x, resources: {requests: {memory: 1Mi}}}]}", ""},
		{
			"apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: b}}\nspec: {containers: [{name: c, image: x}], affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: z, matchLabelKeys: [a], labelSelector: {matchLabels: {a: b}}}]}}}",
			`spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0][0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector`,
		},
		{
			spec("volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t, expirationSeconds: 4294967297}}]}}]"),
			"spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds",
		},
		{template("metadata: {name: x}, "), "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set"},
		{template("metadata: {labels: {'a b': c}}, "), `spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.labels: Invalid value: "a b"`},
		{template("metadata: {labels: {a: b}}, "), ""},
		{claim + ", selector: {matchExpressions: [{key: a, operator: Bogus}]}}", `spec.selector.matchExpressions[0].operator: Invalid value: "Bogus": not a valid selector operator`},
		{claim + ", volumeAttributesClassName: UPPER}", `spec.volumeAttributesClassName: Invalid value: "UPPER"`},
		{volume + ", capacity: {storage: 1Gi, cpu: 1}}", `spec.capacity: Unsupported value: {"cpu":"1","storage":"1Gi"}: supported values: "storage"`},
		{volume + ", capacity: {storage: 1Gi}, nodeAffinity: {}}", "spec.nodeAffinity.required: Required value: must specify required node constraints"},
		{volume + ", capacity: {storage: 1Gi}, nodeAffinity: {required: {" + term + "Bogus}]}]}}}", `spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].operator: Invalid value: "Bogus"`},
		{strings.Replace(volume, "hostPath", "local", 1) + ", capacity: {storage: 1Gi}}", "spec.nodeAffinity: Required value: Local volume requires node affinity"},
		{strings.Replace(volume, "{name: a}", "{name: a, namespace: media}", 1) + ", capacity: {storage: 1Gi}}", ""},
		{strings.Replace(volume, "[ReadWriteOnce]", "[ReadWriteOncePod, ReadWriteOncePod]", 1) + ", capacity: {storage: 1Gi}}", ""},
		{class + "provisioner: a b", `provisioner: Invalid value: "a b"`},
		{class + "provisioner: x\nparameters: {'': b}", `parameters: Invalid value: "": field can not be empty.`},
		{class + "provisioner: x\nreclaimPolicy: ''", ""},
		{class + "provisioner: x\nallowedTopologies: [{matchLabelExpressions: [{key: zone}]}]", "allowedTopologies[0].matchLabelExpressions[0].values: Required value"},
		{class + "provisioner: x\nallowedTopologies: [{matchLabelExpressions: [{key: zone, values: [a, b]}]}, {matchLabelExpressions: [{key: zone, values: [b, a]}]}]", `allowedTopologies[1].matchLabelExpressions: Duplicate value: ""`},
		{slice + "endpoints: [{addresses: [10.0.0.1], nodeName: UPPER}]", `endpoints[0].nodeName: Invalid value: "UPPER"`},
		{slice + "endpoints: [{addresses: [10.0.0.1], hints: {forZones: [{name: a}, {name: a}]}}]", `endpoints[0].hints.forZones[1].name: Duplicate value: "a"`},
		{slice + "endpoints: []\nports: [{port: 80, appProtocol: 'a b'}]", `ports[0].appProtocol: Invalid value: "a b"`},
		{names + ", externalIPs: [127.0.0.1]}", `spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)`},
		{names + ", internalTrafficPolicy: Bogus}", `spec.internalTrafficPolicy: Unsupported value: "Bogus": supported values: "Cluster", "Local"`},
		{names + ", ipFamilies: [IPv4]}", "spec.ipFamilies: Forbidden: may not be set for ExternalName services"},
		{names + ", externalTrafficPolicy: Local}", `spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services`},
		{svc + ", clusterIPs: [10.211.0.5]}", "must be empty when `clusterIP` is not specified"},
		{svc + ", clusterIP: 10.211.0.5, clusterIPs: [10.211.0.5, 10.211.0.6]}", "may specify no more than one IP for each IP family"},
		{svc + ", clusterIP: 'fd00::1', ipFamilies: [IPv4]}", "spec.clusterIPs[0]: Invalid value: \"fd00::1\": expected an IPv4 value as indicated by `ipFamilies[0]`"},
		{with(policy, "10.0.0.5/8"), `spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0.5/8": must not have bits set beyond the prefix length`},
	} {
		objects, problems := Parse("f", []byte(tc.text))
		switch {
		case tc.want == "" && (len(objects) != 1 || len(problems) != 0):
			t.Errorf("%s: refused: %v", tc.text, problems)
		case tc.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, tc.want)):
			t.Errorf("%s:\n%v, want\n%s", tc.text, problems, tc.want)
		}
	}
}

// TestShortestGrace: a negative grace is the shortest there is.
func TestShortestGrace(t *testing.T) {
	objects, problems := Parse("f", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {terminationGracePeriodSeconds: -1, containers: [{name: c, image: x}]}"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if g := objects[0].Value.(*corev1.Pod).Spec.TerminationGracePeriodSeconds; *g != 1 {
		t.Errorf("%d", *g)
	}
}
