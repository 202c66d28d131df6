package api

import (
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"podd/runtime/api/kinds"
)

// objectList is PodList, EventList and so on.
type objectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []kinds.Object `json:"items"`
}

// list serves a list of k, or a watch of it.
func (s *server) list(k *kinds.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q := r.URL.Query()
		sel, err := parseSelection(k, r.PathValue("ns"), q)
		if err != nil {
			return err
		}
		if isTrue(q.Get("watch")) {
			return s.watch(w, r, &sel)
		}
		objs, rv := k.List(s.backend)
		objs = sel.pick(objs)
		sortObjects(k, objs)
		addWarnings(w, objs)
		s.addObjectWarnings(w, k)
		meta := metav1.ListMeta{ResourceVersion: formatRV(rv)}
		if t, ok := wantsTable(r); ok {
			writeJSON(w, http.StatusOK, t.table(k, meta, objs, s.now()))
			return nil
		}
		writeJSON(w, http.StatusOK, &objectList{TypeMeta: k.ListMeta(), ListMeta: meta, Items: objs})
		return nil
	}
}

// get serves one object of k.
func (s *server) get(k *kinds.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, rv, err := s.find(k, r)
		if err != nil {
			return err
		}
		addWarnings(w, []kinds.Object{o})
		if t, ok := wantsTable(r); ok {
			meta := metav1.ListMeta{ResourceVersion: formatRV(rv)}
			writeJSON(w, http.StatusOK, t.table(k, meta, []kinds.Object{o}, s.now()))
			return nil
		}
		writeJSON(w, http.StatusOK, k.Complete(o))
		return nil
	}
}

// find returns the object that the path names.
func (s *server) find(k *kinds.Kind, r *http.Request) (kinds.Object, uint64, error) {
	objs, rv := k.List(s.backend)
	namespace, name := r.PathValue("ns"), r.PathValue("name")
	i := slices.IndexFunc(objs, func(o kinds.Object) bool {
		return o.GetName() == name && (!k.Namespaced || o.GetNamespace() == namespace)
	})
	if i < 0 {
		return nil, 0, apierrors.NewNotFound(schema.GroupResource{Group: k.GroupName(), Resource: k.Resource}, name)
	}
	return objs[i], rv, nil
}

// sortObjects gives the order of the API server's keys. Events stay in the order of time,
// which is what one reads them for.
func sortObjects(k *kinds.Kind, objs []kinds.Object) {
	if k.Resource == "events" {
		return
	}
	sort.SliceStable(objs, func(i, j int) bool {
		a, b := objs[i], objs[j]
		if c := strings.Compare(a.GetNamespace(), b.GetNamespace()); c != 0 {
			return c < 0
		}
		return a.GetName() < b.GetName()
	})
}

func formatRV(rv uint64) string { return strconv.FormatUint(rv, 10) }

func isTrue(s string) bool {
	b, err := strconv.ParseBool(s)
	return err == nil && b
}
