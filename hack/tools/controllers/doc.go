// Package controllers records what kube-controller-manager's own controllers do in the scenarios of scenarios_test.go,
// with a fake API server and a fake clock:
//
//	cd hack/tools/controllers && go test -count=1 -update
//
// The recordings are in runtime/workload/testdata/recorded, where the controllers of podd are held against them.
// It is a module of its own because k8s.io/kubernetes is none that the product may depend on.
package controllers
