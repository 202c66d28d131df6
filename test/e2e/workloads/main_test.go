// Package workloads tests Deployments, StatefulSets, Jobs and drains, and the examples of Kubernetes.
package workloads

import (
	"testing"

	"podd/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
