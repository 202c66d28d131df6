package update

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"podd/internal/objectmeta"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/kinds"
)

// ObjectChange says what a new version of an object of any kind but Pod asks for.
type ObjectChange struct {
	// Fields lists those that differ, never with what they hold; those of maps of data with their keys.
	Fields []string
	// Refused says why podd keeps the version of before; nil: it takes the new one.
	Refused error
	// Override lists the fields of before that somebody has set by hand.
	Override []string
	// RollsOut says that the pods of a workload get successors.
	RollsOut bool
}

// CompareObjects says what the step from an object as podd shows it to one of a file asks for. What podd fills in by itself
// is no difference.
func CompareObjects(kind string, shown, file kinds.Value) ObjectChange {
	var c ObjectChange
	a, b := shown.DeepCopyObject().(kinds.Value), file.DeepCopyObject().(kinds.Value)
	if by := a.GetAnnotations()[annotation.OverridesKey]; by != "" {
		c.Override = strings.Split(by, ",")
	}
	if s, ok := b.(*corev1.Secret); ok && annotation.IsSealed(s) {
		c.sealed(a.(*corev1.Secret), s)
	}
	kinds.StripMeta(a)
	kinds.StripMeta(b)
	dropOwn(a, b)
	fillIn(a, b)
	if !equality.Semantic.DeepEqual(a.GetLabels(), b.GetLabels()) {
		c.Fields = append(c.Fields, "metadata.labels")
	}
	if !equality.Semantic.DeepEqual(a.GetAnnotations(), b.GetAnnotations()) {
		c.Fields = append(c.Fields, "metadata.annotations")
	}
	c.body(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
	slices.Sort(c.Fields)
	if rules := kinds.Of(kind); rules != nil && rules.Update != nil && len(c.Fields) > 0 {
		if errs := rules.Update(a, b); len(errs) > 0 {
			c.Refused = errs.ToAggregate()
		}
	}
	c.RollsOut = rollsOut(b) && slices.ContainsFunc(c.Fields, func(f string) bool { return strings.HasPrefix(f, "spec.template") })
	return c
}

// Overridden says whether a field, or what it is in, was set by hand.
func (c *ObjectChange) Overridden(path string) bool {
	return slices.ContainsFunc(c.Override, func(o string) bool { return path == o || strings.HasPrefix(path, o+".") })
}

// body compares everything but the metadata and the status.
func (c *ObjectChange) body(a, b reflect.Value) {
	theirs := map[string]reflect.Value{}
	decode.FieldsOf(b.Type(), b, func(f decode.StructField, v reflect.Value) { theirs[f.Name] = v })
	decode.FieldsOf(a.Type(), a, func(f decode.StructField, v reflect.Value) {
		switch {
		case slices.Contains([]string{"kind", "apiVersion", "metadata", "status"}, f.Name):
		case v.Kind() == reflect.Map:
			c.keys(f.Name, v, theirs[f.Name])
		default:
			differences(&c.Fields, f.Name, v, theirs[f.Name])
		}
	})
}

// keys compares two maps of data.
func (c *ObjectChange) keys(name string, a, b reflect.Value) {
	all := map[string]bool{}
	for _, m := range []reflect.Value{a, b} {
		for _, key := range m.MapKeys() {
			all[key.String()] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		k := reflect.ValueOf(key).Convert(a.Type().Key())
		va, vb := a.MapIndex(k), b.MapIndex(k)
		if va.IsValid() != vb.IsValid() || va.IsValid() && !equality.Semantic.DeepEqual(va.Interface(), vb.Interface()) {
			c.Fields = append(c.Fields, fmt.Sprintf("%s[%s]", name, key))
		}
	}
}

// sealed compares the keys of a Secret, and its encrypted values by their sum: podd shows it open.
func (c *ObjectChange) sealed(shown, file *corev1.Secret) {
	if shown.Annotations[annotation.SealedSumKey] == annotation.SealedSum(file) {
		shown.Data = file.Data
		return
	}
	c.keys("data", reflect.ValueOf(namesOf(shown)), reflect.ValueOf(namesOf(file)))
	if len(c.Fields) == 0 {
		c.Fields = append(c.Fields, "data, which is sealed")
	}
	shown.Data = file.Data
}

// namesOf has the keys of a Secret without its values.
func namesOf(s *corev1.Secret) map[string]bool {
	names := map[string]bool{}
	for key := range s.Data {
		names[key] = true
	}
	return names
}

// dropOwn takes podd's own annotations from an object as it is shown, but for those that the file has, too.
func dropOwn(shown, file kinds.Value) {
	annotations := maps.Clone(shown.GetAnnotations())
	maps.DeleteFunc(annotations, func(key, _ string) bool {
		if _, ok := file.GetAnnotations()[key]; ok {
			return false
		}
		return slices.Contains([]string{
			annotation.OverridesKey, annotation.SealedSumKey, annotation.ManifestKey, annotation.ConfigSourceKey,
			"deployment.kubernetes.io/revision", appsv1.DeprecatedTemplateGeneration,
		}, key)
	})
	objectmeta.Of(shown).Annotations = annotations
}

// fillIn gives the version of a file what podd has chosen for the one that it shows, where the file leaves it open.
func fillIn(shown, file kinds.Value) {
	switch b := file.(type) {
	case *corev1.Service:
		fillInService(&shown.(*corev1.Service).Spec, &b.Spec)
	case *corev1.PersistentVolumeClaim:
		a := shown.(*corev1.PersistentVolumeClaim)
		if b.Spec.VolumeName == "" {
			b.Spec.VolumeName = a.Spec.VolumeName
		}
		if b.Spec.StorageClassName == nil {
			b.Spec.StorageClassName = a.Spec.StorageClassName
		}
	case *corev1.PersistentVolume:
		a := shown.(*corev1.PersistentVolume)
		if b.Spec.ClaimRef == nil || a.Spec.ClaimRef != nil && b.Spec.ClaimRef.Namespace == a.Spec.ClaimRef.Namespace && b.Spec.ClaimRef.Name == a.Spec.ClaimRef.Name {
			b.Spec.ClaimRef = a.Spec.ClaimRef
		}
	case *batchv1.Job:
		fillInJob(&shown.(*batchv1.Job).Spec, &b.Spec)
	}
}

// fillInJob gives the file's version the selector that a Job without one gets, and the labels of its pods.
func fillInJob(a, b *batchv1.JobSpec) {
	if b.Selector != nil {
		return
	}
	b.Selector = a.Selector
	for _, key := range []string{batchv1.ControllerUidLabel, batchv1.JobNameLabel, "controller-uid", "job-name"} {
		value, has := a.Template.Labels[key]
		if !has {
			continue
		}
		if b.Template.Labels == nil {
			b.Template.Labels = map[string]string{}
		}
		b.Template.Labels[key] = value
	}
}

// fillInService follows the API server: an update without them keeps the addresses and node ports that a Service has
// (pkg/registry/core/service, patchAllocatedValues).
func fillInService(a, b *corev1.ServiceSpec) {
	if a.Type == corev1.ServiceTypeExternalName || b.Type == corev1.ServiceTypeExternalName {
		return
	}
	if b.ClusterIP == "" {
		b.ClusterIP = a.ClusterIP
	}
	if len(b.ClusterIPs) == 0 || len(b.ClusterIPs) < len(a.ClusterIPs) && b.ClusterIPs[0] == a.ClusterIPs[0] {
		b.ClusterIPs = a.ClusterIPs
	}
	if b.IPFamilyPolicy == nil {
		b.IPFamilyPolicy = a.IPFamilyPolicy
	}
	if len(b.IPFamilies) == 0 {
		b.IPFamilies = a.IPFamilies
	}
	if b.HealthCheckNodePort == 0 {
		b.HealthCheckNodePort = a.HealthCheckNodePort
	}
	if b.Type == corev1.ServiceTypeClusterIP {
		return
	}
	for i := range b.Ports {
		for j := range a.Ports {
			if p, q := &a.Ports[j], &b.Ports[i]; q.NodePort == 0 && p.Port == q.Port && p.Protocol == q.Protocol {
				q.NodePort = p.NodePort
			}
		}
	}
}

// rollsOut says whether a change of the template of a workload makes new pods.
func rollsOut(o kinds.Value) bool {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return !o.Spec.Paused
	case *appsv1.StatefulSet:
		return o.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType
	case *appsv1.DaemonSet:
		return o.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType
	}
	return false
}
