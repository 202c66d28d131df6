package runtime

import (
	"log/slog"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/state"
)

func testRuntime(t *testing.T) *Runtime {
	t.Helper()
	r, err := New(Config{RunDir: t.TempDir(), RootDir: t.TempDir(), LogDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.io.Reactor.Close() })
	return r
}

func (r *Runtime) with(uid types.UID) *lifecycle.Pod {
	p := lifecycle.NewPod(state.NewRecord(uid, &corev1.Pod{}, state.Now()))
	r.pods[uid] = p
	return p
}

// TestABusyPodDoesNotSpinTheLoop: a deadline that passes while an operation runs is looked at after it.
func TestABusyPodDoesNotSpinTheLoop(t *testing.T) {
	r := testRuntime(t)
	p := r.with("u1")
	p.Busy, p.Wake = true, 1
	timer := time.NewTimer(time.Hour)
	r.arm(timer)
	if timer.Stop() {
		t.Error("the timer is set for a pod that is busy")
	}
	p.Busy = false
	r.arm(timer)
	select {
	case <-timer.C:
	case <-time.After(10 * time.Second):
		t.Error("the timer is not set for a pod that waits")
	}
}

// TestWordOfAnotherLife: what the operation of a forgotten pod still says is not taken for its successor's.
func TestWordOfAnotherLife(t *testing.T) {
	r := testRuntime(t)
	old := r.with("u1")
	now := r.with("u1")
	now.Busy = true
	r.receive(msgIdle{old}, state.Now())
	if !now.Busy {
		t.Error("the old pod's operation has ended the new one's")
	}
	r.receive(msgOutcome{old, executor.SandboxEnsured{Sandbox: state.SandboxRecord{IP: "x"}}}, state.Now())
	if now.Record.State != state.PodWaiting || old.Record.State != state.PodWaiting {
		t.Errorf("states %s and %s", now.Record.State, old.Record.State)
	}
	r.receive(msgIdle{now}, state.Now())
	if now.Busy {
		t.Error("its own word was not heard")
	}
}

// TestShortenGrace: a grace that runs can only become shorter.
func TestShortenGrace(t *testing.T) {
	r := testRuntime(t)
	p := r.with("u1")
	begun := state.Instant{Mono: state.BootTime(100 * time.Second)}
	p.Record.Stop = &state.StopRecord{Since: begun, Grace: 60 * time.Second}
	p.Record.Containers = []*state.ContainerRecord{{Name: "c", State: state.ContainerStopping, KillAt: state.BootTime(160 * time.Second)}}
	for _, tc := range []struct{ at, grace, want time.Duration }{
		{110, 100, 160}, {110, 30, 140}, {120, 25, 140}, {130, 0, 130},
	} {
		r.lifecycle.ShortenGrace(p, tc.grace*time.Second, state.Instant{Mono: state.BootTime(tc.at * time.Second)})
		if got := p.Record.Containers[0].KillAt; got != state.BootTime(tc.want*time.Second) {
			t.Errorf("%d s grace at %d s: killed at %v, want %d s", tc.grace, tc.at, got, tc.want)
		}
	}
}

// TestUncount: a container that has never run waits, whatever number its next attempt has; one that has run is as it
// was after that.
func TestUncount(t *testing.T) {
	never := &state.ContainerRecord{State: state.ContainerCollected, Attempt: 5, Base: 5, Void: true}
	never.Uncount()
	if never.State != state.ContainerWaiting || never.Attempt != 4 || never.Void {
		t.Errorf("got %+v", never)
	}
	ran := &state.ContainerRecord{State: state.ContainerCollected, Attempt: 1, Void: true, Ended: &state.Termination{Code: 1}}
	ran.Uncount()
	if ran.State != state.ContainerCollected || ran.Attempt != 0 {
		t.Errorf("got %+v", ran)
	}
}
