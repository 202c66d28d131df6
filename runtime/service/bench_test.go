package service

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// BenchmarkBuild works out a Service in front of a thousand pods.
func BenchmarkBuild(b *testing.B) {
	var pods []*corev1.Pod
	for i := range 1000 {
		pods = append(pods, pod(fmt.Sprint("web-", i), "web", fmt.Sprintf("10.210.%d.%d", i/250, i%250+2)))
	}
	in := Input{Services: []*corev1.Service{svc("web")}, Pods: pods, NodeName: "board", Ranges: ranges}
	b.ReportAllocs()
	for b.Loop() {
		if out := Build(in); len(out.Table) != 1 || len(out.Table[0].Endpoints) != 1000 {
			b.Fatal("not all are there")
		}
	}
}
