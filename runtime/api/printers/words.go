// Package printers has the columns and rows of tables, kind by kind, as kubectl shows them for the API server.
package printers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

const (
	none    = "<none>"
	unknown = "<unknown>"
)

const onlyWide = 1 // priority of a column that only -o wide shows

type column struct {
	name, description string
	priority          int32
}

func columns(parts ...[]column) []metav1.TableColumnDefinition {
	var list []metav1.TableColumnDefinition
	for _, part := range parts {
		for _, c := range part {
			d := metav1.TableColumnDefinition{Name: c.name, Type: "string", Description: c.description, Priority: c.priority}
			if c.name == "Name" {
				d.Format = "name"
			}
			list = append(list, d)
		}
	}
	return list
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}

// since is the age of t, as "3m5s".
func since(t metav1.Time, now time.Time) string {
	if t.IsZero() {
		return unknown
	}
	return duration.HumanDuration(now.Sub(t.Time))
}

func sinceMicro(t metav1.MicroTime, now time.Time) string {
	return since(metav1.Time(t), now)
}
