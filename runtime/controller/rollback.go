package controller

import (
	"podd/runtime/state"
)

// goodVersion is the version of a workload that was complete last: what a worse one is put back to.
type goodVersion struct {
	Template []byte            `json:"template"` // as JSON
	Images   map[string]string `json:"images"`   // the IDs that its containers ran, by name
}

func (m *Manager) judge(*entry, state.Instant) {}
