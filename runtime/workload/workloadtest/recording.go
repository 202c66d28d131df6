package workloadtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"podd/runtime/workload"
)

// Recording is what kube-controller-manager's own controllers did in a scenario; hack/tools/controllers makes it. A step
// begins with a change, and ends when no controller has anything left to do.
type Recording struct {
	Name  string `json:"name"`
	Steps []Step `json:"steps"`
}

// Step is one change of the world and what came of it.
type Step struct {
	Do  string    `json:"do"`
	Now time.Time `json:"now"`
	Put []Put     `json:"put,omitempty"`
	// Remove are objects that a person takes away: kind/name. What they own goes with them.
	Remove []string `json:"remove,omitempty"`
	Pods   []Change `json:"pods,omitempty"`
	// Looks are what each look of a controller changed, in order: the object's status and the events.
	Looks []string `json:"looks,omitempty"`
	// Rest is the world at rest.
	Rest []string `json:"rest"`
}

// Put is an object that a person writes, with all defaults.
type Put struct {
	Kind   string          `json:"kind"`
	Object json.RawMessage `json:"object"`
}

// Change is something that happens to pods.
type Change struct {
	Prefix string `json:"prefix"`          // of the name
	Only   string `json:"only,omitempty"`  // new: neither ready nor ending; ready; ending; empty: any that has not ended
	Count  int    `json:"count,omitempty"` // of these, in the order of InOrder; 0: all
	// Do is ready, unready, end, collect, finish with a code, label: replaces all labels, cost: what the end of the pod
	// costs, of the code.
	Do     string            `json:"do"`
	Code   int32             `json:"code,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Selects says whether a change may be about a pod.
func (c *Change) Selects(p *corev1.Pod) bool {
	if !strings.HasPrefix(p.Name, c.Prefix) || workload.Terminal(p) && c.Only != "ending" {
		return false
	}
	switch c.Only {
	case "new":
		return p.DeletionTimestamp == nil && !workload.Ready(p)
	case "ready":
		return p.DeletionTimestamp == nil && workload.Ready(p)
	case "ending":
		return p.DeletionTimestamp != nil
	}
	return true
}

// Apply lets it happen on a board.
func (c *Change) Apply(b *Board) {
	n := 0
	for _, p := range InOrder(b.Pods) {
		if !c.Selects(p) {
			continue
		}
		if n++; c.Count > 0 && n > c.Count {
			return
		}
		switch c.Do {
		case "ready":
			b.SetReady(p.UID, true)
		case "unready":
			b.SetReady(p.UID, false)
		case "end":
			b.End(p.UID)
		case "collect":
			b.Collect(p.UID)
		case "finish":
			b.Finish(p.UID, c.Code)
		case "label":
			b.Edit(p.UID, func(p *corev1.Pod) { p.Labels = maps.Clone(c.Labels) })
		case "cost":
			b.Edit(p.UID, func(p *corev1.Pod) { p.Annotations = with(p.Annotations, corev1.PodDeletionCost, fmt.Sprint(c.Code)) })
		default:
			b.T.Fatalf("change %q", c.Do)
		}
	}
}

// InOrder sorts pods by what of their names was not made up, then by age, which is their order in the list.
func InOrder(pods []*corev1.Pod) []*corev1.Pod {
	list := slices.Clone(pods)
	slices.SortStableFunc(list, func(a, b *corev1.Pod) int { return strings.Compare(plainName(a), plainName(b)) })
	return list
}

func plainName(p *corev1.Pod) string {
	if p.GenerateName != "" && strings.HasPrefix(p.Name, p.GenerateName) && len(p.Name) == len(p.GenerateName)+5 {
		return p.GenerateName + "*"
	}
	return p.Name
}

// NewObject is an empty object of a kind that people write.
func NewObject(kind string) workload.Object {
	switch kind {
	case "Deployment":
		return &appsv1.Deployment{}
	case "ReplicaSet":
		return &appsv1.ReplicaSet{}
	case "ReplicationController":
		return &corev1.ReplicationController{}
	case "StatefulSet":
		return &appsv1.StatefulSet{}
	case "DaemonSet":
		return &appsv1.DaemonSet{}
	case "Job":
		return &batchv1.Job{}
	case "CronJob":
		return &batchv1.CronJob{}
	case "PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	case "Node":
		return &corev1.Node{}
	}
	return nil
}

// KindOf is the kind of an object, and its place in the order in which controllers look.
func KindOf(o workload.Object) (kind string, place int) {
	for i, k := range []string{
		"CronJob", "Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "ReplicationController", "PodDisruptionBudget",
	} {
		if fmt.Sprintf("%T", NewObject(k)) == fmt.Sprintf("%T", o) {
			return k, i
		}
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", o), "*v1."), 100
}

// Names replaces the names that were made up.
type Names struct{ pods map[string]string }

// Learn remembers the pods of which events may still speak.
func (n *Names) Learn(pods []*corev1.Pod) {
	if n.pods == nil {
		n.pods = map[string]string{}
	}
	for _, p := range pods {
		if name := plainName(p); name != p.Name {
			n.pods[p.Name] = name
		}
	}
}

// Plain is a text without made-up names.
func (n *Names) Plain(text string) string {
	for from, to := range n.pods {
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

// Rest describes a world.
func (n *Names) Rest(objects []workload.Object, pods []*corev1.Pod) []string {
	n.Learn(pods)
	var lines []string
	for _, o := range objects {
		kind, _ := KindOf(o)
		line := kind + " " + o.GetName() + ": " + n.Plain(Spec(o))
		if s := Status(o); s != "" {
			line += " | " + n.Plain(s)
		}
		lines = append(lines, line)
	}
	for _, p := range pods {
		lines = append(lines, n.Plain(describePod(p)))
	}
	slices.Sort(lines)
	return lines
}

func owner(o workload.Object) string {
	var list []string
	for _, ref := range o.GetOwnerReferences() {
		list = append(list, fmt.Sprintf("%s %s/%s controller=%v", ref.APIVersion, ref.Kind, ref.Name, ref.Controller != nil && *ref.Controller))
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

func describePod(p *corev1.Pod) string {
	labels := maps.Clone(p.Labels)
	delete(labels, collected)
	for _, uid := range []string{"controller-uid", batchv1.ControllerUidLabel} {
		if labels[uid] != "" {
			labels[uid] = "UID"
		}
	}
	var containers, volumes, env []string
	for _, c := range p.Spec.Containers {
		containers = append(containers, c.Image)
		for _, e := range c.Env {
			env = append(env, e.Name)
		}
	}
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			volumes = append(volumes, v.Name+"="+v.PersistentVolumeClaim.ClaimName)
		}
	}
	state := string(p.Status.Phase)
	if state == "" {
		state = "Pending"
	}
	if workload.Ready(p) {
		state += " ready"
	}
	if p.DeletionTimestamp != nil {
		state += " ending"
	}
	tolerations, affinity := "", ""
	for _, t := range p.Spec.Tolerations {
		tolerations += fmt.Sprintf(" %s:%s", t.Key, t.Effect)
	}
	if a := p.Spec.Affinity; a != nil {
		data, _ := json.Marshal(a)
		affinity = string(data)
	}
	return fmt.Sprintf("Pod %s %s, of %s, labels %v, annotations %v, finalizers %v, images %v, env %v, volumes %v, host %s.%s,%s %s",
		p.Name, state, owner(p), labels, p.Annotations, p.Finalizers, containers, env, volumes, p.Spec.Hostname, p.Spec.Subdomain, tolerations, affinity)
}

// Spec is what controllers write of an object besides its status.
func Spec(o workload.Object) string {
	annotations := maps.Clone(o.GetAnnotations())
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	text := fmt.Sprintf("generation %d, annotations %v", o.GetGeneration(), annotations)
	if of := owner(o); of != "" {
		text += ", of " + of
	}
	switch o := o.(type) {
	case *appsv1.ReplicaSet:
		text += fmt.Sprintf(", replicas %d, minReadySeconds %d, selector %v", *o.Spec.Replicas, o.Spec.MinReadySeconds, o.Spec.Selector.MatchLabels)
		text += fmt.Sprintf(", labels %v", o.Labels)
	case *appsv1.ControllerRevision:
		text += fmt.Sprintf(", revision %d, labels %v, data %s", o.Revision, o.Labels, o.Data.Raw)
	case *appsv1.Deployment:
		text += fmt.Sprintf(", image %s", o.Spec.Template.Spec.Containers[0].Image)
	case *batchv1.Job:
		text += fmt.Sprintf(", labels %v", o.Labels)
	case *corev1.PersistentVolumeClaim:
		text += fmt.Sprintf(", labels %v", o.Labels)
	}
	return text
}

// Status describes a status without times.
func Status(o workload.Object) string {
	var status any
	switch o := o.(type) {
	case *appsv1.Deployment:
		status = o.Status
	case *appsv1.ReplicaSet:
		status = o.Status
	case *corev1.ReplicationController:
		status = o.Status
	case *appsv1.StatefulSet:
		status = o.Status
	case *appsv1.DaemonSet:
		status = o.Status
	case *batchv1.Job:
		status = o.Status
	case *batchv1.CronJob:
		status = o.Status
	case *policyv1.PodDisruptionBudget:
		status = o.Status
	default:
		return ""
	}
	data, _ := json.Marshal(status)
	var fields map[string]any
	_ = json.Unmarshal(data, &fields)
	plain(fields)
	data, _ = json.Marshal(fields)
	return string(data)
}

// plain takes away what differs between two runs: times and UIDs.
func plain(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			switch k {
			case "lastTransitionTime", "lastUpdateTime", "lastProbeTime", "uid", "resourceVersion":
				delete(v, k)
			case "startTime", "completionTime":
				v[k] = "some time"
			default:
				plain(x)
			}
		}
	case []any:
		for _, x := range v {
			plain(x)
		}
	}
}

// Look describes what one look at an object has changed; empty: nothing.
func (n *Names) Look(before, after workload.Object, events []string) []string {
	kind, _ := KindOf(before)
	var lines []string
	// A Job and a CronJob write their status more than once in a look, in other steps than here. That of a DaemonSet counts
	// the pods that it has just made, or not, as its cache happens to have them already.
	if kind == "PodDisruptionBudget" && (after == nil || Status(after) == Status(before)) {
		events = nil // kube-controller-manager says them again at each look
	}
	if after != nil && kind != "Job" && kind != "CronJob" && kind != "DaemonSet" {
		if s := Status(after); s != Status(before) {
			lines = append(lines, n.Plain(s))
		}
	}
	for _, e := range events {
		lines = append(lines, n.Plain(e))
	}
	slices.Sort(lines)
	for i := range lines {
		lines[i] = kind + " " + before.GetName() + ": " + lines[i]
	}
	return lines
}

// InStep puts the lines of the looks of a step in the order in which they are compared. A Job of podd takes more looks for
// the same: a CronJob between them says again what it waits for, and a budget counts earlier.
func InStep(lines []string) (list []string) {
	var budgets []string
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "PodDisruptionBudget "):
			budgets = append(budgets, l)
		case strings.HasPrefix(l, "StatefulSet ") && strings.HasSuffix(l, "already exists"):
			// Only podd says what a StatefulSet waits for whose pod's name is taken.
		case !strings.HasPrefix(l, "CronJob ") || !slices.Contains(list, l):
			list = append(list, l)
		}
	}
	return append(list, budgets...)
}
