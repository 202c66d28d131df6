package apitest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// View is a command line of kubectl and the golden file of what it prints.
type View struct{ Golden, Args string }

// Views are the command lines that podd answers as kubectl does, of the pods of Shown.
func Views() []View {
	return []View{
		{"get-pods", "get pods"},
		{"get-pods-wide", "get pods -o wide"},
		{"get-pods-all", "get pods -A -l app!=rich"},
		{"get-pods-labels", "get pods --show-labels"},
		{"get-pods-noheaders", "get pods --no-headers"},
		{"get-pod", "get pod web"},
		{"get-pod-two", "get pods web crash"},
		{"get-pod-slash", "get pod/web"},
		{"get-pods-selected", "get pods -l app=web,tier!=back"},
		{"get-pods-name", "get pods -o name"},
		{"get-pods-none", "get pods -n nowhere"},
		{"get-pods-none-all", "get pods -A -l app=nothing"},
		{"get-pod-missing", "get pod nothing"},
		{"get-events", "get events"},
		{"get-events-wide", "get events -o wide"},
		{"get-nodes", "get nodes"},
		{"get-nodes-wide", "get nodes -o wide"},
		{"get-namespaces", "get namespaces"},
		{"describe-web", "describe pod web"},
		{"describe-rich", "describe pod rich -n rich"},
	}
}

// Shown returns the pods of the golden files.
func Shown() *Fake {
	crash := Pod("crash", func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0] = Waiting("app", "CrashLoopBackOff", 3, Ago(2*time.Hour))
	})
	rich := RichPod() // has fixed times, so it stays out of what shows ages
	f := New(Pod("web"), crash, rich, Pod("other", func(p *corev1.Pod) { p.Namespace = "kiosk" }))
	f.PutEvent(Event(crash, "BackOff", "Back-off restarting failed container app in pod crash", 7))
	f.PutEvent(Event(crash, "Failed", "two\nlines", 1))
	f.PutEvent(Event(rich, "Unhealthy", "Readiness probe failed: no such file", 1))
	f.PutEvent(Event(rich, "BackOff", "Back-off restarting failed container crash", 7))
	return f
}
