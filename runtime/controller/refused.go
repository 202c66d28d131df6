package controller

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// refusal is why a version of an object was not taken; the last good one goes on.
type refusal struct {
	problem manifest.Problem
	since   metav1.Time
}

// SetProblems takes what is wrong with objects of kinds that Shows, and shows it on those that there are. It returns the
// problems of those that were never good.
func (m *Manager) SetProblems(problems map[objects.Key]manifest.Problem, now state.Instant) (never []manifest.Problem) {
	before := m.refused
	m.refused, m.never = map[objects.Key]refusal{}, map[objects.Key]string{}
	for key, p := range problems {
		e := m.get(key.Kind, key.Namespace, key.Name)
		if e == nil || e.parent != "" {
			never = append(never, p)
			m.never[key] = p.Message
			continue
		}
		r, ok := before[key]
		if !ok || r.problem != p {
			r = refusal{p, metav1.NewTime(now.Wall)}
		}
		m.refused[key] = r
	}
	for _, e := range m.sorted() {
		if before[e.key] != m.refused[e.key] {
			m.stepper().show(e)
		}
	}
	return never
}
