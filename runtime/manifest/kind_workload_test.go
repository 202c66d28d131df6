package manifest

import (
	"encoding/json"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/kinds"
)

const goodTemplate = "template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: a/b:1}]}}"

// workload writes an object with a good selector and template; more is added to its spec.
func workload(apiVersion, kind, more string) string {
	selector := "selector: {matchLabels: {app: x}}, "
	if kind == "Job" || kind == "ReplicationController" {
		selector = ""
	}
	spec := selector + goodTemplate
	if kind == "Job" {
		spec = strings.Replace(spec, "spec: {", "spec: {restartPolicy: Never, ", 1)
	}
	if more != "" {
		spec += ", " + more
	}
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: x}\nspec: {" + spec + "}\n"
}

// cron is a CronJob with more fields of its spec.
func cron(more string) string {
	return "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: x}\nspec: {" + more + ", "[:min(2, 2*len(more))] +
		"jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}}\n"
}

// What the API server says of workloads, in its words and with its paths (k8s.io/kubernetes pkg/apis/apps, batch and policy validation).
func TestWorkloadFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{workload("apps/v1", "Deployment", ""), ""},
		{workload("apps/v1", "ReplicaSet", ""), ""},
		{workload("apps/v1", "DaemonSet", ""), ""},
		{strings.Replace(workload("apps/v1", "Deployment", ""), "{name: x}", "{name: x, annotations: {podd.dev/rollback: \"true\"}}", 1), ""},
		{strings.Replace(workload("apps/v1", "ReplicaSet", ""), "{name: x}", "{name: x, annotations: {podd.dev/rollback: \"true\"}}", 1), "metadata.annotations[podd.dev/rollback]: Forbidden: podd puts back Pods, Deployments"},
		{strings.Replace(workload("apps/v1", "StatefulSet", ""), "{name: x}", "{name: x, annotations: {podd.dev/rollback: often}}", 1), "metadata.annotations[podd.dev/rollback]: Unsupported value: \"often\""},
		{workload("apps/v1", "StatefulSet", "serviceName: x"), ""},
		{cron("schedule: '*/5 * * * *', timeZone: Europe/Berlin"), ""},
		{cron("schedule: '@daily'"), ""},
		{cron("schedule: '61 * * * *'"), `spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61`},
		{cron("schedule: 'often'"), `spec.schedule: Invalid value: "often": expected exactly 5 fields, found 1: [often]`},
		{cron("schedule: 'TZ=UTC * * * * *'"), "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"},
		{cron("schedule: '0 0 * * *', timeZone: Europe/Atlantis"), `spec.timeZone: Invalid value: "Europe/Atlantis": unknown time zone Europe/Atlantis`},
		{cron("schedule: '0 0 * * *', timeZone: ../x"), `unknown time zone ../x`},
		{cron("schedule: '0 0 * * *', concurrencyPolicy: Maybe"), `spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"`},
		{cron("schedule: '0 0 * * *', startingDeadlineSeconds: -1"), "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"},
		{cron(""), "spec.schedule: Required value"},
		{strings.Replace(cron("schedule: '@daily'"), "restartPolicy: Never, ", "", 1), "spec.jobTemplate.spec.template.spec.restartPolicy: Required value"},
		{workload("batch/v1", "Job", ""), ""},
		{workload("v1", "ReplicationController", ""), ""},
		{"apiVersion: v1\nkind: PodTemplate\nmetadata: {name: x}\n" + goodTemplate + "\n", ""},
		{"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\nspec: {minAvailable: 50%, selector: {}}\n", ""},
		{"apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: x}\ndata: {a: 1}\nrevision: 1\n", ""},

		{workload("apps/v1", "Deployment", "replicas: -1"), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
		{strings.Replace(workload("apps/v1", "Deployment", ""), "labels: {app: x}", "labels: {app: z}", 1), "spec.template.metadata.labels: Invalid value: {\"app\":\"z\"}: `selector` does not match template `labels`"},
		{strings.Replace(workload("apps/v1", "Deployment", ""), "{matchLabels: {app: x}}", "{}", 1), "spec.selector: Invalid value: {}: empty selector is invalid for deployment"},
		{workload("apps/v1", "Deployment", "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}"), "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"},
		{workload("apps/v1", "Deployment", "strategy: {rollingUpdate: {maxUnavailable: 101%}}"), "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"},
		{workload("apps/v1", "Deployment", "strategy: {rollingUpdate: {maxSurge: many}}"), "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"many\": a valid percent string must be a numeric string followed by an ending '%'"},
		{workload("apps/v1", "Deployment", "strategy: {type: Recreate, rollingUpdate: {}}"), "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"},
		{workload("apps/v1", "Deployment", "minReadySeconds: 600"), "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"},
		{strings.Replace(workload("apps/v1", "Deployment", ""), "image: a/b:1", "image: a/b:1, imagePullPolicy: Sometimes", 1), `spec.template.spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes"`},
		{strings.Replace(workload("apps/v1", "Deployment", ""), "spec: {containers", "spec: {restartPolicy: Never, containers", 1), `spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"`},
		{strings.Replace(workload("apps/v1", "Deployment", ""), "spec: {containers", "spec: {volumes: [{name: v, iscsi: {targetPortal: a, iqn: iqn.2001-04.com.example:b, lun: 0}}], containers", 1), `Deployment "x" is refused: spec.template.spec.volumes[0].iscsi: Forbidden: podd has no driver`},
		{strings.Replace(workload("apps/v1", "Deployment", ""), "labels: {app: x}", "annotations: {podd.dev/rollback: \"true\"}, labels: {app: x}", 1), "spec.template.metadata.annotations[podd.dev/rollback]: Forbidden: podd reads it on the object"},
		{workload("apps/v1", "Deployment", "replica: 1"), "spec.replica"},

		{workload("apps/v1", "StatefulSet", "podManagementPolicy: Fast"), "spec.podManagementPolicy: Invalid value: \"Fast\": must be 'OrderedReady' or 'Parallel'"},
		{workload("apps/v1", "StatefulSet", "updateStrategy: {type: OnDelete, rollingUpdate: {}}"), "only allowed for updateStrategy 'RollingUpdate'"},
		{workload("apps/v1", "StatefulSet", "updateStrategy: {rollingUpdate: {maxUnavailable: 0}, type: RollingUpdate}"), "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"},
		{workload("apps/v1", "StatefulSet", "persistentVolumeClaimRetentionPolicy: {whenScaled: Forget}"), `spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Forget"`},
		{workload("apps/v1", "StatefulSet", "volumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce]}}]"), "spec.volumeClaimTemplates[0].spec.resources[storage]: Required value"},
		{workload("apps/v1", "StatefulSet", "ordinals: {start: -1}"), "spec.ordinals.start: Invalid value: -1"},
		{strings.Replace(workload("apps/v1", "StatefulSet", ""), "name: x}\nspec", "name: x.y}\nspec", 1), "must not contain dots"},
		{workload("apps/v1", "DaemonSet", "updateStrategy: {rollingUpdate: {maxSurge: 1}}"), "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"},
		{workload("apps/v1", "DaemonSet", "updateStrategy: {rollingUpdate: {maxUnavailable: 0}}"), "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"},

		{strings.Replace(workload("batch/v1", "Job", ""), "restartPolicy: Never, ", "", 1), `spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`},
		{workload("batch/v1", "Job", "completionMode: Indexed, parallelism: 2"), "spec.completions: Required value: when completion mode is Indexed"},
		{workload("batch/v1", "Job", "backoffLimitPerIndex: 1"), "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"},
		{workload("batch/v1", "Job", "selector: {matchLabels: {app: x}}"), "`selector` not auto-generated"},
		{workload("batch/v1", "Job", "podFailurePolicy: {rules: [{action: FailJob}]}"), "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"},
		{workload("batch/v1", "Job", "podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [2, 0]}}]}"), "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator"},
		{workload("batch/v1", "Job", "completionMode: Indexed, completions: 3, successPolicy: {rules: [{succeededIndexes: \"0,5\"}]}"), `spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0,5": error parsing succeededIndexes: too large index: "5"`},
		{"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\nspec: {minAvailable: 1, maxUnavailable: 1}\n", "minAvailable and maxUnavailable cannot be both set"},
		{"apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: x}\n", "write apiVersion: policy/v1"},
		{"apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: x}\nrevision: 1\n", "data: Required value: data is mandatory"},
	} {
		objects, problems := Parse("f", []byte(c.text))
		switch {
		case c.want == "" && (len(problems) > 0 || len(objects) != 1):
			t.Errorf("%s: %v", c.text, problems)
		case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, c.want)):
			t.Errorf("%s: %v\nwant %s", c.text, problems, c.want)
		}
	}
}

// A template gets the defaults that a cluster gives it, and none of those that only its pods get: its hash would be another one.
func TestTemplateDefaults(t *testing.T) {
	objects, problems := Parse("f", []byte(strings.Replace(workload("apps/v1", "Deployment", ""), "image: a/b:1",
		"image: a/b:1, resources: {limits: {cpu: 1}}, ports: [{containerPort: 80}], command: [cat, /var/run/secrets/kubernetes.io/serviceaccount/token]", 1)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := objects[0].Value.(*appsv1.Deployment)
	spec := &d.Spec.Template.Spec
	if *d.Spec.Replicas != 1 || d.Spec.Strategy.RollingUpdate.MaxSurge.StrVal != "25%" || *d.Spec.RevisionHistoryLimit != 10 || *d.Spec.ProgressDeadlineSeconds != 600 {
		t.Errorf("%+v", d.Spec)
	}
	if spec.EnableServiceLinks != nil || spec.Containers[0].Resources.Requests != nil || len(spec.Volumes) > 0 || spec.SecurityContext == nil || spec.Containers[0].Ports[0].Protocol != "TCP" {
		t.Errorf("%+v", spec)
	}
	pod := kinds.PodOf(&d.Spec.Template, "default")
	pod.Name = "x-1"
	if err := Admit(pod); err != nil {
		t.Fatal(err)
	}
	if pod.Spec.EnableServiceLinks == nil || pod.Spec.Containers[0].Resources.Requests == nil || !defaults.MountsToken(pod) || pod.Labels["app"] != "x" {
		t.Errorf("a pod of it: %+v", pod)
	}
	if pod.Name = "X"; Admit(pod) == nil {
		t.Error("a pod of a bad name is admitted")
	}
}

// A Job that was written down from a cluster is a new one here.
func TestJobFromACluster(t *testing.T) {
	objects, problems := Parse("f", []byte(strings.Replace(workload("batch/v1", "Job", "selector: {matchLabels: {batch.kubernetes.io/controller-uid: u}}"),
		"labels: {app: x}", "labels: {app: x, batch.kubernetes.io/controller-uid: u, batch.kubernetes.io/job-name: x, controller-uid: u, job-name: x}", 1)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if j := objects[0].Value.(*batchv1.Job); j.Spec.Selector != nil || len(j.Spec.Template.Labels) != 1 {
		t.Errorf("%+v", j.Spec)
	}
}

// What podd does not act on is kept as it is, unless the board refuses it.
func TestStored(t *testing.T) {
	const monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: x, namespace: mon, uid: u}\nspec: {endpoints: [{port: web}]}\nstatus: {a: b}\n"
	const role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\nrules: []\n"
	text := monitor + "---\n" + role + "---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: x}\n"
	objects, problems := Parse("f", []byte(text))
	if len(problems) > 0 || len(objects) != 3 {
		t.Fatalf("%v %v", objects, problems)
	}
	if o := objects[0]; o.Kind != "ServiceMonitor.monitoring.coreos.com" || o.Namespace != "mon" || objects[1].Kind != "ClusterRole" || objects[1].Namespace != "" {
		t.Errorf("%+v", objects)
	}
	got, err := json.Marshal(objects[0].Value)
	if want := `{"apiVersion":"monitoring.coreos.com/v1","kind":"ServiceMonitor","metadata":{"name":"x","namespace":"mon","uid":"` + string(objects[0].UID) + `"},"spec":{"endpoints":[{"port":"web"}]}}`; err != nil || string(got) != want {
		t.Errorf("%s %v", got, err)
	}
	_, problems = ParseFor("f", []byte(text), Board{RefuseUnknown: true})
	if len(problems) != 3 || problems[0].Message != "f: ServiceMonitor \"x\": kind ServiceMonitor of monitoring.coreos.com/v1 is not run by podd; remove the document" {
		t.Errorf("%v", problems)
	}
	for text, want := range map[string]string{
		"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: a/b}\n": "metadata.name: Invalid value",
		"apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: x}\n":         "write apiVersion: networking.k8s.io/v1, pathType for each path, and backend.service in place of serviceName",
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: Rule\nmetadata: {name: x}\n":         "kind Rule of rbac.authorization.k8s.io/v1 is not run by podd",
	} {
		if _, problems := Parse("f", []byte(text)); len(problems) != 1 || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%s: %v, want %s", text, problems, want)
		}
	}
}
