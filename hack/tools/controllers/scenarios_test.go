package controllers

import (
	"time"

	"sigs.k8s.io/yaml"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// scenario is what happens to the world, in steps.
type scenario struct {
	name string
	play func(w *world)
}

// apply writes a manifest.
func (w *world) manifest(do, kind, text string) {
	step := w.step(do)
	w.put(step, kind, w.parse(kind, text))
	w.rest(step)
}

func (w *world) parse(kind, text string) workload.Object {
	o := workloadtest.NewObject(kind)
	if err := yaml.UnmarshalStrict([]byte(text), o); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// edit changes an object that is there.
func edit[T workload.Object](w *world, do, kind, name string, change func(o T)) {
	step := w.step(do)
	o := w.get(kind, name).DeepCopyObject().(T)
	change(o)
	w.put(step, kind, o)
	w.rest(step)
}

// takeAway removes an object.
func (w *world) takeAway(kind, name string) {
	step := w.step("remove " + kind + " " + name)
	w.remove(step, kind, name)
	w.rest(step)
}

// change lets something happen to pods.
func (w *world) change(do string, list ...workloadtest.Change) {
	step := w.step(do)
	step.Pods = list
	for _, c := range list {
		w.apply(c)
	}
	w.rest(step)
}

// changeAndWait lets something happen, and the controllers look only some time later.
func (w *world) changeAndWait(do string, d time.Duration, list ...workloadtest.Change) {
	step := w.step(do)
	step.Pods = list
	for _, c := range list {
		w.apply(c)
	}
	w.rest(step)
	time.Sleep(d)
	last := len(w.rec.Steps) - 1
	w.rec.Steps = w.rec.Steps[:last]
	w.rest(step)
}

// later lets time pass.
func (w *world) later(d time.Duration) {
	time.Sleep(d)
	w.rest(w.step(d.String() + " later"))
}

func ready(prefix string, count int) workloadtest.Change {
	return workloadtest.Change{Prefix: prefix, Only: "new", Count: count, Do: "ready"}
}

func collect(prefix string) workloadtest.Change {
	return workloadtest.Change{Prefix: prefix, Only: "ending", Do: "collect"}
}

func finish(prefix string, count int, code int32) workloadtest.Change {
	return workloadtest.Change{Prefix: prefix, Count: count, Do: "finish", Code: code}
}

// goOn lets pods start to serve and others end, one after the other, until nothing is left to do.
func (w *world) goOn(prefix string) {
	for range 40 {
		busy := false
		for _, c := range []workloadtest.Change{collect(prefix), ready(prefix, 1)} {
			for _, p := range w.pods() {
				if c.Selects(p) {
					w.change("goes on: "+c.Do, c)
					busy = true
					break
				}
			}
		}
		if !busy {
			return
		}
	}
	w.t.Fatal("goes on and on")
}
