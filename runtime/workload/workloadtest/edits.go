package workloadtest

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Edit is a change of the file of an object, and what the object was like when it was made.
type Edit struct {
	Name          string
	Before, After string
	// Status is that of the object before, as JSON; "": none.
	Status string
}

// Kind is what the edited object is.
func (e *Edit) Kind() (schema.GroupVersionKind, error) {
	lines := strings.SplitN(e.Before, "\n", 3)
	if len(lines) < 3 {
		return schema.GroupVersionKind{}, fmt.Errorf("%q is no object", e.Before)
	}
	version, err := schema.ParseGroupVersion(strings.TrimPrefix(lines[0], "apiVersion: "))
	return version.WithKind(strings.TrimPrefix(lines[1], "kind: ")), err
}

// Plain is a sentence about a field without the value, which the API server spells in Go, and without its comparison of the two.
func Plain(sentence string) string {
	sentence, _, _ = strings.Cut(sentence, "\n")
	const invalid = "Invalid value: "
	if !strings.HasPrefix(sentence, invalid) {
		return sentence
	}
	return invalid + sentence[strings.LastIndex(sentence, ": ")+2:]
}

// edit makes an Edit of an object by putting one text in the place of another.
func edit(kind, text, old, new string) Edit {
	after := strings.Replace(text, old, new, 1)
	if after == text {
		panic(fmt.Sprintf("%s has no %q", kind, old))
	}
	return Edit{Name: kind + ": " + old + " -> " + new, Before: text, After: after}
}

// Edits are changes of the fields of every kind of workload: of those that an API server lets change, and of all those that it does
// not. What it says of each is recorded in testdata/edits.json (hack/tools/controllers).
func Edits() []Edit {
	pod := "{metadata: {labels: {app: x, tier: front}}, spec: {containers: [{name: main, image: one}]}}"
	selector := "  selector: {matchLabels: {app: x}}\n"
	object := func(apiVersion, kind, spec string) string {
		return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: x, namespace: default}\nspec:\n" + spec
	}
	var list []Edit
	add := func(kind, text string, changes ...string) {
		for i := 0; i+1 < len(changes); i += 2 {
			list = append(list, edit(kind, text, changes[i], changes[i+1]))
		}
	}
	add("Deployment", object("apps/v1", "Deployment", selector+"  replicas: 1\n  minReadySeconds: 0\n  revisionHistoryLimit: 3\n  strategy: {type: Recreate}\n  template: "+pod+"\n"),
		"matchLabels: {app: x}", "matchLabels: {tier: front}",
		"matchLabels: {app: x}", "matchExpressions: [{key: app, operator: Exists}]",
		"replicas: 1", "replicas: 5", "image: one", "image: two", "type: Recreate", "type: RollingUpdate", "revisionHistoryLimit: 3", "revisionHistoryLimit: 0",
		"minReadySeconds: 0", "minReadySeconds: 5", "name: main,", "name: other,")
	add("ReplicaSet", object("apps/v1", "ReplicaSet", selector+"  replicas: 1\n  template: "+pod+"\n"),
		"matchLabels: {app: x}", "matchLabels: {tier: front}", "replicas: 1", "replicas: 0", "image: one", "image: two")
	add("ReplicationController", object("v1", "ReplicationController", "  selector: {app: x}\n  replicas: 1\n  template: "+pod+"\n"),
		"selector: {app: x}", "selector: {tier: front}", "replicas: 1", "replicas: 0", "image: one", "image: two")
	add("DaemonSet", object("apps/v1", "DaemonSet", selector+"  minReadySeconds: 0\n  updateStrategy: {type: OnDelete}\n  template: "+pod+"\n"),
		"matchLabels: {app: x}", "matchLabels: {tier: front}", "image: one", "image: two", "type: OnDelete", "type: RollingUpdate", "minReadySeconds: 0", "minReadySeconds: 5")
	add("StatefulSet", object("apps/v1", "StatefulSet", selector+`  serviceName: x
  replicas: 1
  minReadySeconds: 0
  revisionHistoryLimit: 3
  podManagementPolicy: OrderedReady
  updateStrategy: {type: OnDelete}
  ordinals: {start: 0}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain}
  volumeClaimTemplates:
  - metadata: {name: data, labels: {of: x}}
    spec: {accessModes: [ReadWriteOnce], storageClassName: local, resources: {requests: {storage: 1Gi}}}
  template: `+pod+"\n"),
		"matchLabels: {app: x}", "matchLabels: {tier: front}", "serviceName: x", "serviceName: z", "podManagementPolicy: OrderedReady", "podManagementPolicy: Parallel",
		"storage: 1Gi", "storage: 2Gi", "{name: data,", "{name: logs,", "[ReadWriteOnce]", "[ReadWriteMany]", "storageClassName: local", "storageClassName: other", "{of: x}", "{of: z}",
		"replicas: 1", "replicas: 3", "image: one", "image: two", "type: OnDelete", "type: RollingUpdate", "start: 0", "start: 2", "whenDeleted: Retain", "whenDeleted: Delete",
		"minReadySeconds: 0", "minReadySeconds: 5", "revisionHistoryLimit: 3", "revisionHistoryLimit: 0")
	job := object("batch/v1", "Job", `  parallelism: 1
  completions: 3
  backoffLimit: 6
  activeDeadlineSeconds: 100
  ttlSecondsAfterFinished: 100
  suspend: false
  completionMode: NonIndexed
  managedBy: example.com/one
  podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}
  template: {metadata: {labels: {app: x}}, spec: {restartPolicy: Never, containers: [{name: main, image: one}]}}
`)
	add("Job", job,
		"completions: 3", "completions: 4", "parallelism: 1", "parallelism: 2", "backoffLimit: 6", "backoffLimit: 7", "activeDeadlineSeconds: 100", "activeDeadlineSeconds: 200",
		"ttlSecondsAfterFinished: 100", "ttlSecondsAfterFinished: 0", "suspend: false", "suspend: true", "completionMode: NonIndexed", "completionMode: Indexed",
		"managedBy: example.com/one", "managedBy: example.com/two", "values: [42]", "values: [43]", "image: one", "image: two", "{app: x}", "{app: z}",
		"  managedBy: example.com/one\n", "")
	indexed := strings.NewReplacer("  managedBy: example.com/one\n", "", "NonIndexed", "Indexed", "parallelism: 1", "parallelism: 3", "backoffLimit: 6", "backoffLimitPerIndex: 1\n  maxFailedIndexes: 2\n  successPolicy: {rules: [{succeededCount: 2}]}").Replace(job)
	add("Indexed Job", indexed,
		"completions: 3", "completions: 4", "parallelism: 3\n  completions: 3", "parallelism: 4\n  completions: 4", "backoffLimitPerIndex: 1", "backoffLimitPerIndex: 2",
		"maxFailedIndexes: 2", "maxFailedIndexes: 3", "succeededCount: 2", "succeededCount: 1")
	manual := strings.Replace(job, "  parallelism: 1\n", "  manualSelector: true\n  selector: {matchLabels: {app: x}}\n  parallelism: 1\n", 1)
	add("Job with a selector", manual, "matchLabels: {app: x}", "matchExpressions: [{key: app, operator: Exists}]")
	// What may change of the pods of a suspended Job depends on whether it has run, and on whether pods of it still do.
	suspended := strings.NewReplacer("suspend: false", "suspend: true", "restartPolicy: Never", "restartPolicy: Never, nodeSelector: {a: b}, affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: k, operator: Exists}]}]}}}, initContainers: [{name: init, image: one, resources: {requests: {cpu: 1}}}]").Replace(job)
	suspended = strings.Replace(suspended, "{name: main, image: one}", "{name: main, image: one, resources: {requests: {memory: 1Mi}}}", 1)
	for _, s := range []struct{ name, status string }{
		{"suspended Job", ""},
		{"suspended Job that has started", `{"startTime":"2026-01-01T00:00:00Z"}`},
		{"suspended Job whose pods are gone", `{"startTime":"2026-01-01T00:00:00Z","conditions":[{"type":"Suspended","status":"True"}]}`},
		{"suspended Job whose pods run", `{"startTime":"2026-01-01T00:00:00Z","active":1,"conditions":[{"type":"Suspended","status":"True"}]}`},
	} {
		first := len(list)
		add(s.name, suspended,
			"nodeSelector: {a: b}", "nodeSelector: {a: c}", "operator: Exists}]", "operator: DoesNotExist}]", "memory: 1Mi", "memory: 2Mi", "cpu: 1", "cpu: 2", "labels: {app: x}", "labels: {app: x, b: c}",
			"restartPolicy: Never,", "restartPolicy: Never, tolerations: [{operator: Exists}],", "restartPolicy: Never,", "restartPolicy: Never, schedulingGates: [{name: a/b}],",
			"image: one, resources: {requests: {memory", "image: two, resources: {requests: {memory", "restartPolicy: Never,", "restartPolicy: Never, priorityClassName: system-node-critical,", "suspend: true", "suspend: false",
			"nodeAffinity: {req", "podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: k}]}, nodeAffinity: {req")
		for i := first; i < len(list); i++ {
			list[i].Status = s.status
		}
	}
	add("CronJob", object("batch/v1", "CronJob", `  schedule: "0 * * * *"
  timeZone: Europe/Berlin
  concurrencyPolicy: Allow
  suspend: false
  startingDeadlineSeconds: 10
  successfulJobsHistoryLimit: 1
  jobTemplate: {spec: {completions: 1, template: {spec: {restartPolicy: Never, containers: [{name: main, image: one}]}}}}
`),
		"0 * * * *", "5 * * * *", "Europe/Berlin", "Etc/UTC", "concurrencyPolicy: Allow", "concurrencyPolicy: Forbid", "suspend: false", "suspend: true", "startingDeadlineSeconds: 10", "startingDeadlineSeconds: 20",
		"successfulJobsHistoryLimit: 1", "successfulJobsHistoryLimit: 0", "completions: 1", "completions: 2", "image: one", "image: two")
	add("PodDisruptionBudget", object("policy/v1", "PodDisruptionBudget", "  minAvailable: 1\n  selector: {matchLabels: {app: x}}\n"),
		"minAvailable: 1", "minAvailable: 50%", "minAvailable: 1", "maxUnavailable: 1", "matchLabels: {app: x}", "matchLabels: {app: z}", "minAvailable: 1", "unhealthyPodEvictionPolicy: AlwaysAllow\n  minAvailable: 1")
	add("PodTemplate", "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: x, namespace: default}\ntemplate: "+pod+"\n", "image: one", "image: two", "app: x", "app: z")
	add("ControllerRevision", "apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: x, namespace: default}\nrevision: 1\ndata: {a: b}\n", "a: b", "a: c", "revision: 1", "revision: 2")
	claim := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: x, namespace: default}\nspec:\n  accessModes: [ReadWriteOnce]\n  storageClassName: local\n  resources: {requests: {storage: 1Gi}}\n"
	add("PersistentVolumeClaim", claim, "[ReadWriteOnce]", "[ReadWriteMany]", "storageClassName: local", "storageClassName: other")
	return list
}
