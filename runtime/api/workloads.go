package api

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"podd/internal/objectmeta"
	"podd/runtime/api/body"
	"podd/runtime/api/kinds"
)

// Scale is the subresource of that name (autoscaling/v1): how many pods a workload wants and has.
type Scale struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ScaleSpec   `json:"spec"`
	Status            ScaleStatus `json:"status"`
}

// ScaleSpec is what is wanted.
type ScaleSpec struct {
	Replicas int32 `json:"replicas,omitempty"`
}

// ScaleStatus is what there is.
type ScaleStatus struct {
	Replicas int32  `json:"replicas"`
	Selector string `json:"selector,omitempty"`
}

// WorkloadName is which workload.
type WorkloadName struct{ Kind, Namespace, Name string }

func (o WorkloadName) resource() schema.GroupResource {
	for _, k := range kinds.Workloads() {
		if k.Name == o.Kind {
			return schema.GroupResource{Group: k.GroupName(), Resource: k.Resource}
		}
	}
	return schema.GroupResource{Resource: o.Kind}
}

// WorkloadChange is a field of a workload that somebody sets by hand.
type WorkloadChange struct {
	Path    string // as spec.replicas
	Value   any    // nil takes it away
	Version string // the resource version that it must have; "": any
	DryRun  bool   // say what would be wrong, and set nothing
}

// WorkloadUndo is the revision of a workload that is to be put back.
type WorkloadUndo struct {
	Revision int64                   // 0: that before the present one, or
	Template *corev1.PodTemplateSpec // the one that has this template
	DryRun   bool                    // say what would be wrong, and put nothing back
}

func nameOf(k *kinds.Kind, r *http.Request) WorkloadName {
	return WorkloadName{k.Name, r.PathValue("ns"), r.PathValue("name")}
}

// workloadRoutes are what can be asked of workloads beside looking at them. What is set stays until the workload's file changes
// the same field.
func (s *server) workloadRoutes(m *http.ServeMux) {
	for _, k := range kinds.Workloads() {
		one := k.Root() + "namespaces/{ns}/" + k.Resource + "/{name}"
		m.Handle("GET "+one+"/status", s.handle(s.get(served1(k))))
		m.Handle("PATCH "+one, s.handle(func(w http.ResponseWriter, r *http.Request) error { return s.patchWorkload(k, w, r) }))
		own := "/podd/v1/namespaces/{ns}/" + k.Resource + "/{name}/"
		m.Handle("POST "+own+"restart", s.handle(func(w http.ResponseWriter, r *http.Request) error {
			dry, err := body.DryRun(r.URL.Query()["dryRun"])
			if err != nil {
				return err
			}
			return s.answer(w, s.backend.RestartWorkload(r.Context(), nameOf(k, r), dry), "restarted")
		}))
		m.Handle("POST "+own+"undo", s.handle(func(w http.ResponseWriter, r *http.Request) error {
			dry, err := body.DryRun(r.URL.Query()["dryRun"])
			if err != nil {
				return err
			}
			revision, err := strconv.ParseInt(r.URL.Query().Get("toRevision"), 10, 64)
			if err != nil || revision < 0 {
				return BadRequest("toRevision must be a number that is not negative")
			}
			said, err := s.backend.UndoWorkload(r.Context(), nameOf(k, r), &WorkloadUndo{Revision: revision, DryRun: dry})
			return s.answer(w, err, said)
		}))
		if !scales(k) {
			continue
		}
		m.Handle("GET "+one+"/scale", s.handle(func(w http.ResponseWriter, r *http.Request) error { return s.getScale(k, w, r) }))
		for _, method := range []string{"PUT ", "PATCH "} {
			m.Handle(method+one+"/scale", s.handle(func(w http.ResponseWriter, r *http.Request) error { return s.setScale(k, w, r) }))
		}
	}
}

// served1 gives one kind what all have in common.
func served1(k *kinds.Kind) *kinds.Kind {
	list := kinds.Served()
	return list[slices.IndexFunc(list, func(o *kinds.Kind) bool { return o.Name == k.Name })]
}

func isWorkload(k *kinds.Kind) bool {
	return slices.ContainsFunc(kinds.Workloads(), func(o *kinds.Kind) bool { return o.Name == k.Name })
}

func scales(k *kinds.Kind) bool {
	return slices.Contains([]string{"Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"}, k.Name)
}

// answer says that something was done.
func (s *server) answer(w http.ResponseWriter, err error, said string) error {
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, &metav1.Status{TypeMeta: kinds.TypeMeta("Status"), Status: metav1.StatusSuccess, Message: said})
	return nil
}

func (s *server) scaleOf(k *kinds.Kind, r *http.Request) (*Scale, error) {
	o, _, err := s.find(served1(k), r)
	if err != nil {
		return nil, err
	}
	scale := &Scale{TypeMeta: metav1.TypeMeta{Kind: "Scale", APIVersion: "autoscaling/v1"}}
	meta := objectmeta.Of(o)
	scale.Name, scale.Namespace, scale.UID = meta.Name, meta.Namespace, meta.UID
	scale.ResourceVersion, scale.CreationTimestamp = meta.ResourceVersion, meta.CreationTimestamp
	switch o := o.(type) {
	case *appsv1.Deployment:
		scale.Spec.Replicas, scale.Status = ptr.Deref(o.Spec.Replicas, 0), ScaleStatus{o.Status.Replicas, metav1.FormatLabelSelector(o.Spec.Selector)}
	case *appsv1.ReplicaSet:
		scale.Spec.Replicas, scale.Status = ptr.Deref(o.Spec.Replicas, 0), ScaleStatus{o.Status.Replicas, metav1.FormatLabelSelector(o.Spec.Selector)}
	case *appsv1.StatefulSet:
		scale.Spec.Replicas, scale.Status = ptr.Deref(o.Spec.Replicas, 0), ScaleStatus{o.Status.Replicas, metav1.FormatLabelSelector(o.Spec.Selector)}
	case *corev1.ReplicationController:
		scale.Spec.Replicas = ptr.Deref(o.Spec.Replicas, 0)
		scale.Status = ScaleStatus{o.Status.Replicas, metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: o.Spec.Selector})}
	}
	return scale, nil
}

func (s *server) getScale(k *kinds.Kind, w http.ResponseWriter, r *http.Request) error {
	scale, err := s.scaleOf(k, r)
	if err == nil {
		writeJSON(w, http.StatusOK, scale)
	}
	return err
}

func (s *server) setScale(k *kinds.Kind, w http.ResponseWriter, r *http.Request) error {
	dry, err := body.DryRun(r.URL.Query()["dryRun"])
	if err != nil {
		return err
	}
	var wanted struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Spec struct {
			Replicas *int32 `json:"replicas"`
		} `json:"spec"`
	}
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &wanted)
	}
	if err != nil {
		return BadRequest("cannot read the scale: " + err.Error())
	}
	if wanted.Spec.Replicas == nil && r.Method == http.MethodPatch {
		return s.getScale(k, w, r) // it changes nothing that can be changed
	}
	n := ptr.Deref(wanted.Spec.Replicas, 0) // left out by who writes a Scale of none
	c := &WorkloadChange{Path: "spec.replicas", Value: n, Version: wanted.Metadata.ResourceVersion, DryRun: dry}
	if err := s.backend.SetWorkload(r.Context(), nameOf(k, r), c); err != nil {
		return err
	}
	scale, err := s.scaleOf(k, r)
	if err != nil {
		return err
	}
	scale.Spec.Replicas = n
	addWarning(w, overridden)
	writeJSON(w, http.StatusOK, scale)
	return nil
}

const overridden = "its file stays as it is: what is set here holds until the file changes this field"

// patchWorkload sets the fields that kubectl rollout, scale and the like set.
func (s *server) patchWorkload(k *kinds.Kind, w http.ResponseWriter, r *http.Request) error {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if !slices.Contains([]string{body.StrategicPatch, body.MergePatch, body.JSONPatch}, media) {
		return unsupportedMedia(media)
	}
	dry, err := body.DryRun(r.URL.Query()["dryRun"])
	if err != nil {
		return err
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return BadRequest("cannot read the patch: " + err.Error())
	}
	patch, err := body.Workload(media, data)
	if err != nil {
		return err
	}
	// What is refused in part is refused as a whole: first all of it is judged.
	err = applyPatch(r.Context(), s.backend, nameOf(k, r), &patch, true)
	if err == nil && !dry {
		err = applyPatch(r.Context(), s.backend, nameOf(k, r), &patch, false)
	}
	if err != nil {
		return err
	}
	o, _, err := s.find(served1(k), r)
	if err != nil {
		return err
	}
	addWarning(w, overridden)
	if dry {
		tree, err := patched(served1(k).Complete(o), patch.Fields)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, tree)
		return nil
	}
	writeJSON(w, http.StatusOK, served1(k).Complete(o))
	return nil
}

// applyPatch sets all that a patch asks for, or says what is wrong with it.
func applyPatch(ctx context.Context, b Backend, of WorkloadName, patch *body.WorkloadPatch, dry bool) error {
	for _, field := range slices.Sorted(maps.Keys(patch.Fields)) {
		if err := b.SetWorkload(ctx, of, &WorkloadChange{Path: "spec." + field, Value: patch.Fields[field], DryRun: dry}); err != nil {
			return err
		}
	}
	if patch.Restart {
		if err := b.RestartWorkload(ctx, of, dry); err != nil {
			return err
		}
	}
	if patch.Template == nil {
		return nil
	}
	_, err := b.UndoWorkload(ctx, of, &WorkloadUndo{Template: patch.Template, DryRun: dry})
	return err
}

// patched is an object with other fields of its spec.
func patched(o any, fields map[string]any) (tree map[string]any, err error) {
	data, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(data, &tree)
	}
	if spec, ok := tree["spec"].(map[string]any); ok {
		for field, value := range fields {
			if spec[field] = value; value == nil {
				delete(spec, field)
			}
		}
	}
	return tree, err
}
