package api

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

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

// workloadRoutes are what can be asked of workloads beside looking at them. What is set stays until the workload's file changes
// the same field.
func (s *server) workloadRoutes(m *http.ServeMux) {
	for _, k := range kinds.Workloads() {
		one := k.Root() + "namespaces/{ns}/" + k.Resource + "/{name}"
		m.Handle("GET "+one+"/status", s.handle(s.get(served1(k))))
		m.Handle("PATCH "+one, s.handle(func(w http.ResponseWriter, r *http.Request) error { return s.patchWorkload(k, w, r) }))
		own := "/podd/v1/namespaces/{ns}/" + k.Resource + "/{name}/"
		m.Handle("POST "+own+"restart", s.handle(func(w http.ResponseWriter, r *http.Request) error {
			return s.answer(w, s.backend.RestartWorkload(r.Context(), k.Name, r.PathValue("ns"), r.PathValue("name")), "restarted")
		}))
		m.Handle("POST "+own+"undo", s.handle(func(w http.ResponseWriter, r *http.Request) error {
			revision, err := strconv.ParseInt(r.URL.Query().Get("toRevision"), 10, 64)
			if err != nil || revision < 0 {
				return BadRequest("toRevision must be a number that is not negative")
			}
			said, err := s.backend.UndoWorkload(r.Context(), k.Name, r.PathValue("ns"), r.PathValue("name"), revision)
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
	scale.Name, scale.Namespace, scale.UID = o.GetName(), o.GetNamespace(), o.GetUID()
	scale.ResourceVersion, scale.CreationTimestamp = o.GetResourceVersion(), o.GetCreationTimestamp()
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
	var wanted struct {
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
	n := int32(0) // left out by who writes a Scale of none
	if wanted.Spec.Replicas != nil {
		n = *wanted.Spec.Replicas
	}
	if err := s.backend.SetWorkload(r.Context(), k.Name, r.PathValue("ns"), r.PathValue("name"), "spec.replicas", n); err != nil {
		return err
	}
	addWarning(w, overridden)
	return s.getScale(k, w, r)
}

const overridden = "its file stays as it is: what is set here holds until the file changes this field"

// patchWorkload sets the fields that kubectl rollout, scale and the like set.
func (s *server) patchWorkload(k *kinds.Kind, w http.ResponseWriter, r *http.Request) error {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/strategic-merge-patch+json" && media != "application/merge-patch+json" {
		return unsupportedMedia(media)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return BadRequest("cannot read the patch: " + err.Error())
	}
	var patch struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(data, &patch); err != nil {
		return BadRequest("cannot read the patch: " + err.Error())
	}
	if len(patch.Spec) == 0 {
		return BadRequest("only spec.replicas, spec.paused, spec.suspend, spec.parallelism and the restart of pods can be set here: the rest changes with the file")
	}
	ns, name := r.PathValue("ns"), r.PathValue("name")
	for field, value := range patch.Spec {
		switch field {
		case "replicas", "paused", "suspend", "parallelism":
			var v any
			if err := json.Unmarshal(value, &v); err != nil {
				return BadRequest("cannot read the patch: " + err.Error())
			}
			err = s.backend.SetWorkload(r.Context(), k.Name, ns, name, "spec."+field, v)
		case "template":
			if !isRestart(value) {
				return BadRequest("of spec.template only the annotation kubectl.kubernetes.io/restartedAt can be set here: the rest changes with the file")
			}
			err = s.backend.RestartWorkload(r.Context(), k.Name, ns, name)
		default:
			return BadRequest("spec." + field + " cannot be changed here: it changes with the file")
		}
		if err != nil {
			return err
		}
	}
	o, _, err := s.find(served1(k), r)
	if err != nil {
		return err
	}
	addWarning(w, overridden)
	writeJSON(w, http.StatusOK, served1(k).Complete(o))
	return nil
}

// isRestart says whether a patch of a template is the one of kubectl rollout restart.
func isRestart(value json.RawMessage) bool {
	var t map[string]map[string]map[string]string
	if json.Unmarshal(value, &t) != nil || len(t) != 1 || len(t["metadata"]) != 1 {
		return false
	}
	_, ok := t["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
	return ok && len(t["metadata"]["annotations"]) == 1
}
