package describe

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func (d *printer) envFrom(list []corev1.EnvFromSource) {
	if len(list) == 0 {
		return
	}
	d.line(2, "Environment Variables from:")
	for _, e := range list {
		name, kind, optional := "", "", (*bool)(nil)
		switch {
		case e.ConfigMapRef != nil:
			name, kind, optional = e.ConfigMapRef.Name, "ConfigMap", e.ConfigMapRef.Optional
		case e.SecretRef != nil:
			name, kind, optional = e.SecretRef.Name, "Secret", e.SecretRef.Optional
		}
		if e.Prefix != "" {
			kind += fmt.Sprintf(" with prefix '%s'", e.Prefix)
		}
		d.line(3, "%s\t%s\tOptional: %t", name, kind, isSet(optional))
	}
}

func (d *printer) env(p *corev1.Pod, c *corev1.Container) {
	if len(c.Env) == 0 {
		d.field(2, "Environment", none)
		return
	}
	d.line(2, "Environment:")
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			d.field(3, e.Name, envSource(p, c, e.ValueFrom))
			continue
		}
		label := e.Name + ":"
		for l := range strings.SplitSeq(e.Value, "\n") {
			d.line(3, "%s\t%s", label, l)
			label = ""
		}
	}
}

func envSource(p *corev1.Pod, c *corev1.Container, from *corev1.EnvVarSource) string {
	switch {
	case from.FieldRef != nil:
		r := from.FieldRef
		return fmt.Sprintf("%s (%s:%s)", podField(p, r.FieldPath), r.APIVersion, r.FieldPath)
	case from.ResourceFieldRef != nil:
		r := from.ResourceFieldRef
		return fmt.Sprintf("%s (%s)", containerResource(c, r), r.Resource)
	case from.SecretKeyRef != nil:
		r := from.SecretKeyRef
		return fmt.Sprintf("<set to the key '%s' in secret '%s'>\tOptional: %t", r.Key, r.Name, isSet(r.Optional))
	case from.ConfigMapKeyRef != nil:
		r := from.ConfigMapKeyRef
		return fmt.Sprintf("<set to the key '%s' of config map '%s'>\tOptional: %t", r.Key, r.Name, isSet(r.Optional))
	}
	return ""
}

// podField resolves the fields that kubectl resolves here: those of the metadata.
func podField(p *corev1.Pod, path string) string {
	switch path {
	case "metadata.name":
		return p.Name
	case "metadata.namespace":
		return p.Namespace
	case "metadata.uid":
		return string(p.UID)
	}
	if key, ok := subscript(path, "metadata.labels"); ok {
		return p.Labels[key]
	}
	if key, ok := subscript(path, "metadata.annotations"); ok {
		return p.Annotations[key]
	}
	return ""
}

// subscript reads the key of "field['key']".
func subscript(path, field string) (string, bool) {
	key, ok := strings.CutPrefix(path, field+"['")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(key, "']")
}

// containerResource is the container's own limit or request, in units of the divisor,
// rounded up.
func containerResource(c *corev1.Container, r *corev1.ResourceFieldSelector) string {
	kind, name, _ := strings.Cut(r.Resource, ".")
	list := c.Resources.Limits
	if kind == "requests" {
		list = c.Resources.Requests
	}
	q := list[corev1.ResourceName(name)]
	if q.IsZero() && (r.Resource == "limits.cpu" || r.Resource == "limits.memory") {
		return "node allocatable"
	}
	return inUnits(&q, &r.Divisor, name == "cpu")
}

func inUnits(q, divisor *resource.Quantity, milli bool) string {
	value, unit := q.Value(), max(divisor.Value(), 1)
	if milli && !divisor.IsZero() {
		value, unit = q.MilliValue(), divisor.MilliValue()
	}
	return fmt.Sprint((value + unit - 1) / unit)
}

func isSet(b *bool) bool { return b != nil && *b }
