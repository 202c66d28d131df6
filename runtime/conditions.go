package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/node"
)

// conditions are the node's conditions that say what is wrong with what the pods need.
type conditions struct {
	network, storage *node.Reporter
	manifests        *node.Condition
}

func (r *Runtime) newConditions() conditions {
	reporter := func(subject string, c *node.Condition) *node.Reporter {
		return &node.Reporter{
			Condition: c, Subject: subject, Events: r.recordEvent, Log: r.Log,
			Node: func() corev1.ObjectReference { return node.Reference(r.NodeName) },
		}
	}
	c := conditions{
		network:   reporter("network", &node.Condition{Type: api.NetworkReady, Reason: "NetworkNotReady"}),
		storage:   reporter("storage", &node.Condition{Type: api.StorageReady, Reason: "StorageNotReady"}),
		manifests: &node.Condition{Type: api.ManifestsReadable, Reason: "ManifestFolder"},
	}
	c.storage.MendedReason, c.storage.MendedText = "StorageReady", "can be written to again"
	return c
}

// Conditions are the node's conditions that the runtime knows of. Any goroutine may ask for them.
func (r *Runtime) Conditions() []*node.Condition {
	return []*node.Condition{r.conditions.network.Condition, r.conditions.manifests, r.conditions.storage.Condition}
}

// ReportNetwork says what is wrong with a part of the machine's network, or with nil that it is right again. Any goroutine may
// call it.
func (r *Runtime) ReportNetwork(what string, err error) { r.conditions.network.Report(what, err) }
