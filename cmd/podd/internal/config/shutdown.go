package config

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/shutdown"
)

// ShutdownConfig is the part of the configuration that says in which order pods end with the board, at the top level of the
// file. Its keys are those of KubeletConfiguration.
type ShutdownConfig struct {
	// ShutdownGracePeriodCriticalPods is the part of shutdownGracePeriod that critical pods have for themselves, after all
	// others; 0: a sixth.
	ShutdownGracePeriodCriticalPods  metav1.Duration    `json:"shutdownGracePeriodCriticalPods"`
	ShutdownGracePeriodByPodPriority []PriorityShutdown `json:"shutdownGracePeriodByPodPriority"`
}

// PriorityShutdown is how long the pods of a priority and above have, up to the priority of the next.
type PriorityShutdown struct {
	Priority                   int32 `json:"priority"`
	ShutdownGracePeriodSeconds int64 `json:"shutdownGracePeriodSeconds"`
}

const (
	criticalPriority = 2_000_000_000 // of system-cluster-critical, and above it system-node-critical
	criticalPart     = 6
	defaultStopGrace = time.Minute
)

func (c *Config) checkShutdown() error {
	all, critical := c.ShutdownGracePeriod.Duration, c.ShutdownGracePeriodCriticalPods.Duration
	seen := map[int32]bool{}
	switch {
	case critical < 0:
		return errors.New("shutdownGracePeriodCriticalPods must not be negative")
	case critical > all:
		return fmt.Errorf("shutdownGracePeriodCriticalPods is a part of shutdownGracePeriod (%s), and cannot be %s", all, critical)
	case len(c.ShutdownGracePeriodByPodPriority) > 0 && (critical > 0 || all != defaultStopGrace):
		return errors.New("shutdownGracePeriodByPodPriority takes the place of shutdownGracePeriod and shutdownGracePeriodCriticalPods: set one or the others")
	}
	for _, p := range c.ShutdownGracePeriodByPodPriority {
		switch {
		case p.ShutdownGracePeriodSeconds < 0:
			return fmt.Errorf("shutdownGracePeriodByPodPriority: shutdownGracePeriodSeconds of priority %d must not be negative", p.Priority)
		case seen[p.Priority]:
			return fmt.Errorf("shutdownGracePeriodByPodPriority has priority %d twice", p.Priority)
		}
		seen[p.Priority] = true
	}
	return nil
}

// StopGroups are the groups of pods that end one after another. Nobody gets less than a moment: none at all would be a pod's
// own grace.
func (c *Config) StopGroups() []shutdown.Group {
	if list := c.ShutdownGracePeriodByPodPriority; len(list) > 0 {
		var groups []shutdown.Group
		for _, p := range list {
			groups = append(groups, shutdown.Group{Priority: p.Priority, Grace: max(time.Duration(p.ShutdownGracePeriodSeconds)*time.Second, time.Millisecond)})
		}
		return shutdown.Sorted(groups)
	}
	all, critical := c.ShutdownGracePeriod.Duration, c.ShutdownGracePeriodCriticalPods.Duration
	if all == 0 {
		return []shutdown.Group{{Priority: 0}, {Priority: criticalPriority}}
	}
	if critical == 0 {
		critical = all / criticalPart
	}
	return []shutdown.Group{{Priority: 0, Grace: max(all-critical, time.Millisecond)}, {Priority: criticalPriority, Grace: critical}}
}
