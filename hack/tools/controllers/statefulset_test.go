package controllers

import (
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload/workloadtest"
)

// db is a StatefulSet; more are further lines of its spec.
func db(replicas int, more string) string {
	return fmt.Sprintf(`
metadata: {name: db}
spec:
  replicas: %d
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - {name: db, image: "registry.example/db:v1"}
%s
`, replicas, more)
}

const claims = `  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

func (w *world) set(do string, change func(*appsv1.StatefulSetSpec)) {
	edit(w, do, "StatefulSet", "db", func(s *appsv1.StatefulSet) { change(&s.Spec) })
}

func (w *world) dbImage(version string) {
	w.set("image "+version, func(s *appsv1.StatefulSetSpec) {
		s.Template.Spec.Containers[0].Image = "registry.example/db:" + version
	})
}

func (w *world) dbScale(n int32) {
	w.set(fmt.Sprintf("replicas %d", n), func(s *appsv1.StatefulSetSpec) { s.Replicas = &n })
}

var statefulSets = []scenario{
	{"statefulset-ordered", func(w *world) {
		w.manifest("apply", "StatefulSet", db(3, ""))
		w.goOn("db")
		w.dbScale(1)
		w.goOn("db")
		w.dbScale(2)
		w.goOn("db")
	}},
	{"statefulset-parallel", func(w *world) {
		w.manifest("apply", "StatefulSet", db(3, "  podManagementPolicy: Parallel\n  ordinals: {start: 4}"))
		w.goOn("db")
		w.dbImage("v2")
		w.goOn("db")
		w.dbScale(1)
		w.goOn("db")
	}},
	{"statefulset-update", func(w *world) {
		w.manifest("apply", "StatefulSet", db(3, ""))
		w.goOn("db")
		for _, v := range []string{"v2", "v1", "v3"} {
			w.dbImage(v)
			w.goOn("db")
		}
	}},
	{"statefulset-partition", func(w *world) {
		w.manifest("apply", "StatefulSet", db(3, "  updateStrategy: {rollingUpdate: {partition: 2}}"))
		w.goOn("db")
		w.dbImage("v2")
		w.goOn("db")
		w.change("one below the partition ends", workloadtest.Change{Prefix: "db-0", Do: "end"})
		w.goOn("db")
		w.set("partition 0", func(s *appsv1.StatefulSetSpec) { *s.UpdateStrategy.RollingUpdate.Partition = 0 })
		w.goOn("db")
	}},
	{"statefulset-on-delete", func(w *world) {
		w.manifest("apply", "StatefulSet", db(2, "  updateStrategy: {type: OnDelete}"))
		w.goOn("db")
		w.dbImage("v2")
		w.change("one ends", workloadtest.Change{Prefix: "db-1", Do: "end"})
		w.goOn("db")
	}},
	{"statefulset-max-unavailable", func(w *world) {
		w.manifest("apply", "StatefulSet", db(4, "  minReadySeconds: 3"))
		for range 4 {
			w.goOn("db")
			w.later(4 * time.Second)
		}
		w.set("two may be missing, image v2", func(s *appsv1.StatefulSetSpec) {
			two := intstr.FromInt32(2)
			s.UpdateStrategy.RollingUpdate.MaxUnavailable = &two
			s.Template.Spec.Containers[0].Image = "registry.example/db:v2"
		})
		for range 4 {
			w.goOn("db")
			w.later(4 * time.Second)
		}
	}},
	{"statefulset-claims", func(w *world) {
		w.manifest("apply", "StatefulSet", db(2, claims+"  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Delete}"))
		w.goOn("db")
		w.dbScale(1)
		w.goOn("db")
	}},
	{"statefulset-claims-kept", func(w *world) {
		w.manifest("apply", "StatefulSet", db(2, claims))
		w.goOn("db")
		w.dbScale(1)
		w.goOn("db")
		w.dbScale(2)
		w.goOn("db")
		w.set("claims go with the set", func(s *appsv1.StatefulSetSpec) {
			s.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenScaled: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			}
		})
	}},
	{"statefulset-pod-fails", func(w *world) {
		w.manifest("apply", "StatefulSet", db(2, ""))
		w.goOn("db")
		w.change("the first fails", finish("db-0", 1, 1))
		w.change("it is gone", collect("db"))
		w.goOn("db")
		w.change("the second succeeds", finish("db-1", 1, 0))
		w.goOn("db")
	}},
	{"statefulset-broken-update", func(w *world) {
		w.manifest("apply", "StatefulSet", db(3, ""))
		w.goOn("db")
		w.dbImage("broken")
		w.change("the last ends", collect("db"))
		w.dbImage("v1")
		w.change("it ends by hand", workloadtest.Change{Prefix: "db-2", Do: "end"})
		w.goOn("db")
	}},
	{"statefulset-history", func(w *world) {
		w.manifest("apply", "StatefulSet", db(1, "  revisionHistoryLimit: 1"))
		w.goOn("db")
		for _, v := range []string{"v2", "v3", "v4"} {
			w.dbImage(v)
			w.goOn("db")
		}
	}},
	{"statefulset-on-delete-scale", func(w *world) {
		w.manifest("apply", "StatefulSet", db(2, "  podManagementPolicy: Parallel\n  updateStrategy: {type: OnDelete}"))
		w.goOn("db")
		w.dbImage("v2")
		w.dbScale(4)
		w.goOn("db")
		w.change("the first ends", workloadtest.Change{Prefix: "db-0", Do: "end"})
		w.goOn("db")
		w.dbImage("v1")
		w.dbScale(1)
		w.goOn("db")
	}},
	{"statefulset-start", func(w *world) {
		w.manifest("apply", "StatefulSet", db(2, ""))
		w.goOn("db")
		w.set("from 1", func(s *appsv1.StatefulSetSpec) { s.Ordinals = &appsv1.StatefulSetOrdinals{Start: 1} })
		w.goOn("db")
		w.set("from 0, three", func(s *appsv1.StatefulSetSpec) { s.Ordinals, s.Replicas = nil, new(int32(3)) })
		w.goOn("db")
	}},
	{"statefulset-parallel-max-unavailable", func(w *world) {
		w.manifest("apply", "StatefulSet", db(5, "  podManagementPolicy: Parallel\n  updateStrategy: {rollingUpdate: {maxUnavailable: 40%, partition: 1}}"))
		w.goOn("db")
		w.dbImage("v2")
		w.change("one that stays is not ready", unready("db-0", 1))
		w.goOn("db")
	}},
	{"statefulset-partition-back", func(w *world) {
		w.manifest("apply", "StatefulSet", db(3, "  updateStrategy: {rollingUpdate: {partition: 1}}"))
		w.goOn("db")
		w.dbImage("v2")
		w.goOn("db")
		w.dbScale(4)
		w.goOn("db")
		w.dbImage("v1")
		w.goOn("db")
		w.set("partition beyond the last", func(s *appsv1.StatefulSetSpec) { s.UpdateStrategy.RollingUpdate.Partition = new(int32(9)) })
		w.dbImage("v3")
		w.goOn("db")
		w.takeAway("StatefulSet", "db")
		w.change("they end", collect("db"))
	}},
	{"statefulset-min-ready", func(w *world) {
		w.manifest("apply", "StatefulSet", db(2, "  minReadySeconds: 5"))
		w.goOn("db")
		w.later(3 * time.Second)
		w.later(3 * time.Second)
		w.goOn("db")
		w.later(6 * time.Second)
		w.dbImage("v2")
		w.goOn("db")
		w.later(6 * time.Second)
		w.goOn("db")
		w.change("the last is not ready", unready("db-1", 1))
		w.dbScale(1)
		w.goOn("db")
	}},
	{"statefulset-release-adopt", func(w *world) {
		w.manifest("apply", "StatefulSet", db(1, ""))
		w.goOn("db")
		labels := maps.Clone(w.pods()[0].Labels)
		w.change("it leaves", workloadtest.Change{Prefix: "db-0", Do: "label", Labels: map[string]string{"app": "none"}})
		w.change("it comes back", workloadtest.Change{Prefix: "db-0", Do: "label", Labels: labels})
		w.goOn("db")
	}},
}
