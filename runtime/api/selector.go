package api

import (
	"fmt"
	"net/url"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"podd/runtime/api/kinds"
)

// selection is the part of a kind that a request asks for.
type selection struct {
	kind      *kinds.Kind
	namespace string // "": all
	name      string // "": all
	labels    labels.Selector
	fields    fields.Selector
}

// parseSelection reads labelSelector and fieldSelector.
func parseSelection(k *kinds.Kind, namespace string, q url.Values) (selection, error) {
	ls, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return selection{}, BadRequest(err.Error())
	}
	fs, err := fields.ParseSelector(q.Get("fieldSelector"))
	if err != nil {
		return selection{}, BadRequest(err.Error())
	}
	sel := selection{kind: k, namespace: namespace, labels: ls, fields: fs}
	return sel, sel.checkFields()
}

// checkFields refuses a field that nobody can select by, in the API server's words.
func (s *selection) checkFields() error {
	if s.fields.Empty() {
		return nil
	}
	known := s.kind.Fields(s.kind.Blank())
	for _, r := range s.fields.Requirements() {
		if !known.Has(r.Field) {
			return BadRequest(fmt.Sprintf("field label not supported: %s", r.Field))
		}
	}
	return nil
}

func (s *selection) matches(o kinds.Object) bool {
	if s.kind.Namespaced && s.namespace != "" && o.GetNamespace() != s.namespace {
		return false
	}
	if s.name != "" && o.GetName() != s.name {
		return false
	}
	if !s.labels.Empty() && !s.labels.Matches(labels.Set(o.GetLabels())) {
		return false
	}
	return s.fields.Empty() || s.fields.Matches(s.kind.Fields(o))
}

// pick returns what matches of objs.
func (s *selection) pick(objs []kinds.Object) []kinds.Object {
	picked := make([]kinds.Object, 0, len(objs))
	for _, o := range objs {
		if s.matches(o) {
			picked = append(picked, o)
		}
	}
	return picked
}
