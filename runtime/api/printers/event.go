package printers

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

// EventColumns are the columns of a table of such objects.
func EventColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Last Seen", "Time since this was seen last.", 0},
		{"Type", "Normal, or Warning.", 0},
		{"Reason", "What happened, in one word.", 0},
		{"Object", "What it happened to.", 0},
		{"Subobject", "The part of it.", onlyWide},
		{"Source", "Who reports it.", onlyWide},
		{"Message", "What happened, in a sentence.", 0},
		{"First Seen", "Time since this was seen first.", onlyWide},
		{"Count", "How often it was seen.", onlyWide},
		{"Name", "Name of the event.", onlyWide},
	})
}

// EventRow is the row of one of them.
func EventRow(o hub.Object, now time.Time) metav1.TableRow {
	e := o.(*corev1.Event)
	first := since(e.FirstTimestamp, now)
	if e.FirstTimestamp.IsZero() {
		first = sinceMicro(e.EventTime, now)
	}
	last := since(e.LastTimestamp, now)
	if e.LastTimestamp.IsZero() {
		last = first
	}
	count := max(e.Count, 1)
	if e.Series != nil {
		last, count = sinceMicro(e.Series.LastObservedTime, now), e.Series.Count
	}
	target := strings.ToLower(e.InvolvedObject.Kind)
	if e.InvolvedObject.Name != "" {
		target += "/" + e.InvolvedObject.Name
	}
	return metav1.TableRow{Cells: []any{
		last, e.Type, e.Reason, target, e.InvolvedObject.FieldPath, eventSource(e),
		strings.TrimSpace(e.Message), first, strconv.Itoa(int(count)), e.Name,
	}}
}

// eventSource is the component, with the host or instance that it runs on.
func eventSource(e *corev1.Event) string {
	source, host := e.Source.Component, e.Source.Host
	if source == "" {
		source = e.ReportingController
	}
	if host == "" {
		host = e.ReportingInstance
	}
	if host == "" {
		return source
	}
	return source + ", " + host
}
