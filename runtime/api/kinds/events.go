package kinds

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"

	"podd/runtime/api/hub"
	"podd/runtime/api/printers"
)

// Events are those that podd records.
func Events() *Kind {
	return &Kind{
		Resource:   "events",
		Name:       "Event",
		Namespaced: true,
		List: func(b Source) ([]Object, uint64) {
			list, rv := b.Events()
			objs := make([]Object, len(list))
			for i := range list {
				objs[i] = &list[i]
			}
			return objs, rv
		},
		Watch: follow(Source.WatchEvents, func(e hub.EventEvent) Change {
			ev := *e.Event
			ev.ResourceVersion = strconv.FormatUint(e.RV, 10)
			return Change{e.Type, &ev, e.RV}
		}),
		Blank: blank[corev1.Event],
		Complete: func(o Object) Object {
			e := *o.(*corev1.Event)
			e.TypeMeta = TypeMeta("Event")
			return &e
		},
		Fields:  eventFields,
		Columns: printers.EventColumns,
		Row:     printers.EventRow,
	}
}

// eventFields are the fields by which the API server lets events be selected.
func eventFields(o Object) fields.Set {
	e := o.(*corev1.Event)
	source := e.Source.Component
	if source == "" {
		source = e.ReportingController
	}
	return fields.Set{
		"metadata.name":                  e.Name,
		"metadata.namespace":             e.Namespace,
		"involvedObject.kind":            e.InvolvedObject.Kind,
		"involvedObject.namespace":       e.InvolvedObject.Namespace,
		"involvedObject.name":            e.InvolvedObject.Name,
		"involvedObject.uid":             string(e.InvolvedObject.UID),
		"involvedObject.apiVersion":      e.InvolvedObject.APIVersion,
		"involvedObject.resourceVersion": e.InvolvedObject.ResourceVersion,
		"involvedObject.fieldPath":       e.InvolvedObject.FieldPath,
		"reason":                         e.Reason,
		"reportingComponent":             e.ReportingController,
		"source":                         source,
		"type":                           e.Type,
	}
}
