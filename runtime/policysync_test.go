package runtime

import (
	"errors"
	"strings"
	"testing"
	"time"

	"podd/netns"
	"podd/runtime/event"
	"podd/runtime/networkpolicy"
	"podd/runtime/state"
)

// stubborn is a network whose kernel refuses policies for a while.
type stubborn struct {
	Network
	refusals, asked int
}

func (s *stubborn) SetPolicies(netns.PolicyTable) error {
	if s.asked++; s.asked <= s.refusals {
		return errors.New("no room")
	}
	return nil
}

// Policies that the kernel refuses are tried again, and the node says so for as long.
func TestPoliciesAreTriedAgain(t *testing.T) {
	kernel := &stubborn{refusals: 2}
	r := testRuntime(t)
	r.Network, r.NodeName = kernel, "n1"
	recorder := event.Open(event.Options{})
	r.Events = recorder
	r.policies = &networkpolicy.Syncer{Network: kernel, Objects: r.objects}
	r.objects.Replace(nil, time.Now())
	r.policies.MarkChanged()
	at := state.Instant{Mono: state.BootTime(time.Hour)}
	for i, c := range []struct {
		after time.Duration
		asked int
		says  bool
	}{{0, 1, true}, {time.Second, 1, true}, {5 * time.Second, 2, true}, {5 * time.Second, 3, false}, {time.Hour, 3, false}} {
		at.Mono = at.After(c.after)
		r.network.syncPolicies(at)
		if said := strings.Contains(r.conditions.network.Condition.Text(), "network policies: they stay as they were, and podd tries again: no room"); kernel.asked != c.asked || said != c.says {
			t.Errorf("step %d: asked %d times, the node says %q", i, kernel.asked, r.conditions.network.Condition.Text())
		}
	}
	if events, _ := recorder.List(""); len(events) != 1 {
		t.Errorf("the events are %v", events)
	}
}
