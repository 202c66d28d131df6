package api

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
)

func events() *kind {
	return &kind{
		resource:   "events",
		name:       "Event",
		namespaced: true,
		list: func(b Backend) ([]object, uint64) {
			list, rv := b.Events()
			objs := make([]object, len(list))
			for i := range list {
				objs[i] = &list[i]
			}
			return objs, rv
		},
		watch: func(b Backend, since uint64) (changes, error) {
			ch, cancel, err := b.WatchEvents(since)
			if err != nil {
				return changes{}, err
			}
			return follow(ch, cancel, func(e EventEvent) change {
				ev := *e.Event
				ev.ResourceVersion = strconv.FormatUint(e.RV, 10)
				return change{e.Type, &ev, e.RV}
			}), nil
		},
		blank: func() object { return new(corev1.Event) },
		complete: func(o object) object {
			e := *o.(*corev1.Event)
			e.TypeMeta = typeMeta("Event")
			return &e
		},
		fields:  eventFields,
		columns: eventColumns,
		row:     eventRow,
	}
}

// eventFields are the fields by which the API server lets events be selected.
func eventFields(o object) fields.Set {
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
