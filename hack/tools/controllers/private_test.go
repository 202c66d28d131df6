package controllers

import (
	"context"
	"reflect"
	"time"
	"unsafe"

	"k8s.io/kubernetes/pkg/controller/cronjob"
	"k8s.io/kubernetes/pkg/controller/disruption"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	"k8s.io/kubernetes/pkg/controller/ttlafterfinished"
)

// field reads a field that only the controller's own package may read.
func field[T any](controller any, names ...string) T {
	v := reflect.ValueOf(controller)
	for _, name := range names {
		v = reflect.Indirect(v).FieldByName(name)
	}
	return *(*T)(unsafe.Pointer(v.UnsafeAddr()))
}

// shutQueues ends the queues of a controller, which have goroutines of their own.
func shutQueues(controller any) {
	v := reflect.Indirect(reflect.ValueOf(controller))
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() != reflect.Interface || f.IsNil() {
			continue
		}
		f = reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
		if q, ok := f.Interface().(interface{ ShutDown() }); ok {
			q.ShutDown()
		}
	}
}

//go:linkname syncStatefulSet k8s.io/kubernetes/pkg/controller/statefulset.(*StatefulSetController).sync
func syncStatefulSet(c *statefulset.StatefulSetController, ctx context.Context, key string) error

//go:linkname syncCronJob k8s.io/kubernetes/pkg/controller/cronjob.(*ControllerV2).sync
func syncCronJob(c *cronjob.ControllerV2, ctx context.Context, key string) (*time.Duration, error)

//go:linkname syncBudget k8s.io/kubernetes/pkg/controller/disruption.(*DisruptionController).sync
func syncBudget(c *disruption.DisruptionController, ctx context.Context, key string) error

//go:linkname processTTL k8s.io/kubernetes/pkg/controller/ttlafterfinished.(*Controller).processJob
func processTTL(c *ttlafterfinished.Controller, ctx context.Context, key string) error
