package controller

import (
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/state"
	"podd/runtime/workload"
)

// leap is a difference between the clock and the time since boot that is no drift: somebody has set the clock.
const leap = 2 * time.Second

// followClock moves what happened in this boot with the clock when that was set: a rollout that began in 1970 has not made
// no progress for half a century. Schedules are those of the clock, and stay.
func (m *Manager) followClock(now state.Instant) {
	clock := now.Wall.Sub(time.Unix(0, 0)) - time.Duration(now.Mono)
	by := clock - m.clock
	m.clock = clock
	if by > -leap && by < leap {
		return
	}
	for _, e := range m.entries {
		o := e.object.DeepCopyObject().(workload.Object)
		moveTimes(reflect.ValueOf(o).Elem(), by, e.key.Kind == kindCron)
		e.object, e.dirty = o, true
		if !e.wake.IsZero() {
			e.wake = e.wake.Add(by)
		}
		m.save(e)
	}
}

// moveTimes moves the creation of an object and, unless they are schedules, the times of its status.
func moveTimes(o reflect.Value, by time.Duration, schedule bool) {
	if m, ok := o.FieldByName("ObjectMeta").Interface().(metav1.ObjectMeta); ok && !m.CreationTimestamp.IsZero() {
		m.CreationTimestamp = metav1.NewTime(m.CreationTimestamp.Add(by))
		o.FieldByName("ObjectMeta").Set(reflect.ValueOf(m))
	}
	if status := o.FieldByName("Status"); status.IsValid() && !schedule {
		move(status, by)
	}
}

func move(v reflect.Value, by time.Duration) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			move(v.Elem(), by)
		}
	case reflect.Slice:
		for i := range v.Len() {
			move(v.Index(i), by)
		}
	case reflect.Struct:
		if t, ok := v.Interface().(metav1.Time); ok {
			if !t.IsZero() {
				v.Set(reflect.ValueOf(metav1.NewTime(t.Add(by))))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				move(v.Field(i), by)
			}
		}
	}
}
