package controller

import (
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/objectmeta"
	"podd/runtime/state"
	"podd/runtime/workload"
)

// leap is a difference between the clock and the time since boot that is no drift: somebody has set the clock.
const leap = 2 * time.Second

// clockSet is a moment before the first podd (2025-01-01, in seconds since 1970): a board whose clock is before it has not
// learned the date. Clocks without a battery begin in 1970, or in a year that their maker liked.
const clockSet = 1735689600

// followClock moves what happened in this boot with the clock when that was set: a rollout that began in 1970 has not made
// no progress for half a century. Schedules are those of the clock, and stay.
func (m *Manager) followClock(now state.Instant) {
	began := time.Unix(0, 0).Add(m.clock) // this boot, on the clock as it was
	clock := now.Wall.Sub(time.Unix(0, 0)) - time.Duration(now.Mono)
	by := clock - m.clock
	m.clock = clock
	if by > -leap && by < leap {
		return
	}
	for _, e := range m.entries {
		o := e.object.DeepCopyObject().(workload.Object)
		shift{began, began.Add(time.Duration(now.Mono)), by}.object(reflect.ValueOf(o).Elem(), e.key.Kind == kindCron)
		if e.key.Kind == kindCron && objectmeta.Of(e.object).CreationTimestamp.Unix() < clockSet && now.Wall.Unix() >= clockSet {
			// Its times begin when the date is known: it has missed nothing.
			objectmeta.Of(o).CreationTimestamp = metav1.NewTime(now.Wall)
		}
		e.object, e.dirty = o, true
		if !e.wake.IsZero() {
			e.wake = e.wake.Add(by)
		}
		m.treeFiles().save(e)
	}
}

// shift moves times of this boot. What is older was written by a clock that was right, or nobody knows how wrong.
type shift struct {
	from, until time.Time // on the clock as it was
	by          time.Duration
}

func (s shift) moved(t metav1.Time) metav1.Time {
	if t.Before(&metav1.Time{Time: s.from.Add(-leap)}) || t.After(s.until.Add(leap)) {
		return t
	}
	return metav1.NewTime(t.Add(s.by))
}

// object moves the creation of an object and, unless they are schedules, the times of its status.
func (s shift) object(o reflect.Value, schedule bool) {
	if m, ok := o.FieldByName("ObjectMeta").Interface().(metav1.ObjectMeta); ok && !m.CreationTimestamp.IsZero() {
		m.CreationTimestamp = s.moved(m.CreationTimestamp)
		o.FieldByName("ObjectMeta").Set(reflect.ValueOf(m))
	}
	if status := o.FieldByName("Status"); status.IsValid() && !schedule {
		s.value(status)
	}
}

func (s shift) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.value(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.value(v.Index(i))
		}
	case reflect.Struct:
		if t, ok := v.Interface().(metav1.Time); ok {
			if !t.IsZero() {
				v.Set(reflect.ValueOf(s.moved(t)))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				s.value(v.Field(i))
			}
		}
	}
}
