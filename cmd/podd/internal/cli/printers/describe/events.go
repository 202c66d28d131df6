package describe

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (d *printer) events(list []corev1.Event) {
	if len(list) == 0 {
		d.field(0, "Events", none)
		return
	}
	list = slices.Clone(list)
	sort.SliceStable(list, func(i, j int) bool { return list[i].LastTimestamp.Before(&list[j].LastTimestamp) })
	d.line(0, "Events:")
	d.line(1, "Type\tReason\tAge\tFrom\tMessage")
	d.line(1, "----\t------\t----\t----\t-------")
	for i := range list {
		e := &list[i]
		from := e.Source.Component
		if from == "" {
			from = e.ReportingController
		}
		d.line(1, "%s\t%s\t%s\t%s\t%s", e.Type, e.Reason, d.eventAge(e), from, strings.TrimSpace(e.Message))
	}
}

func (d *printer) eventAge(e *corev1.Event) string {
	first := e.FirstTimestamp
	if !e.EventTime.IsZero() {
		first = metav1.Time(e.EventTime)
	}
	switch {
	case e.Series != nil:
		return fmt.Sprintf("%s (x%d over %s)", d.since(metav1.Time(e.Series.LastObservedTime)), e.Series.Count, d.since(first))
	case e.Count > 1:
		return fmt.Sprintf("%s (x%d over %s)", d.since(e.LastTimestamp), e.Count, d.since(first))
	}
	return d.since(first)
}
