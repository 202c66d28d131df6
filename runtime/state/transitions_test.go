package state

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func at(seconds int) Instant { return Instant{Mono: BootTime(time.Duration(seconds) * time.Second)} }

func podWith(spec corev1.PodSpec) *Record {
	if len(spec.Containers) == 0 {
		spec.Containers = []corev1.Container{{Name: "c"}}
	}
	return NewRecord("u", &corev1.Pod{Spec: spec}, at(100))
}

// TestBeginStopGivesNoMoreTime: a pod that finishes already keeps the end of its grace.
func TestBeginStopGivesNoMoreTime(t *testing.T) {
	for _, tc := range []struct {
		name  string
		state PodState
		grace time.Duration
		want  BootTime
	}{
		{"one that runs", PodRunning, 60 * time.Second, at(170).Mono},
		{"one that finishes has what is left of its 30 s", PodFinishing, 60 * time.Second, at(130).Mono},
		{"unless it is to have less", PodFinishing, 5 * time.Second, at(115).Mono},
	} {
		r := podWith(corev1.PodSpec{})
		r.State = tc.state
		if tc.state == PodFinishing {
			r.Finish = &FinishRecord{StopRecord: StopRecord{Since: at(100), Grace: 30 * time.Second}}
		}
		if err := r.BeginStop(at(110), tc.grace, false); err != nil || r.State != PodStopping || r.Stop.By() != tc.want {
			t.Errorf("%s: %v, state %s, ends at %s, want %s", tc.name, err, r.State, r.Stop.By(), tc.want)
		}
	}
	gone := podWith(corev1.PodSpec{})
	gone.State = PodGone
	if err := gone.BeginStop(at(110), 0, false); !errors.Is(err, ErrIllegalMove) || gone.Stop != nil {
		t.Errorf("a pod that is gone stops: %v, %+v", err, gone.Stop)
	}
}

// Whoever was killed for another attempt and has not ended yet is killed once more when its pod ends: what it waits for may have to
// be let go.
func TestBeginStopKillsAgain(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	r.State = PodRunning
	r.Container("c").Killed = true
	if err := r.BeginStop(at(110), time.Second, false); err != nil || r.Container("c").Killed {
		t.Errorf("%v, killed for good: %v", err, r.Container("c").Killed)
	}
}

func TestBeginFinish(t *testing.T) {
	deadline := int64(10)
	for _, tc := range []struct {
		name    string
		evicted bool
		now     int
		reason  string
		overdue bool
	}{
		{"before the deadline", false, 105, "", false},
		{"at the deadline", false, 110, "DeadlineExceeded", true},
		{"evicted: that reason stays", true, 200, "Evicted", false},
	} {
		r := podWith(corev1.PodSpec{ActiveDeadlineSeconds: &deadline})
		r.State = PodRunning
		if tc.evicted {
			r.Finish = &FinishRecord{Failed: true, Reason: "Evicted"}
		}
		overdue, err := r.BeginFinish(at(tc.now))
		if err != nil || overdue != tc.overdue || r.State != PodFinishing || r.Finish.Reason != tc.reason || r.Finish.Since != at(tc.now) {
			t.Errorf("%s: %v, overdue %t, state %s, %+v", tc.name, err, overdue, r.State, r.Finish)
		}
	}
}

// TestShortenGrace: a grace that runs can only become shorter, for the containers too.
func TestShortenGraceOfRecord(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	if r.ShortenGrace(0, at(100)) {
		t.Error("the grace of a pod that does not end was shortened")
	}
	r.Stop = &StopRecord{Since: at(100), Grace: 60 * time.Second}
	c := r.Containers[0]
	c.State, c.StopBy, c.KillAt = ContainerStopping, at(160).Mono, at(162).Mono
	for _, tc := range []struct {
		now, grace   int
		changes      bool
		stop, killAt int
	}{
		{110, 100, false, 160, 162},
		{110, 30, true, 140, 140},
		{120, 25, false, 140, 140},
		{130, 0, true, 130, 130},
	} {
		changes := r.ShortenGrace(time.Duration(tc.grace)*time.Second, at(tc.now))
		if changes != tc.changes || c.StopBy != at(tc.stop).Mono || c.KillAt != at(tc.killAt).Mono {
			t.Errorf("%d s at %d s: changes %t, stop by %s, kill at %s", tc.grace, tc.now, changes, c.StopBy, c.KillAt)
		}
	}
}

// TestAttempt follows a container through two attempts: nothing of the first is left in the second.
func TestAttempt(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	c, spec := r.Containers[0], &r.Object.Spec.Containers[0]
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.BeginStart(0))
	must(c.MarkCreated(spec, "SIGQUIT"))
	if c.State != ContainerRunning || c.StopSignal != "SIGQUIT" {
		t.Fatalf("%s, %s", c.State, c.StopSignal)
	}
	started := at(101)
	c.Started, c.PID, c.Ready, c.Unhealthy, c.EndReason, c.KillAt = &started, 7, true, true, "unhealthy", 9
	r.RecordTermination(c, Termination{Code: 1, Finished: at(105)})
	must(c.Move(EventExit))
	must(c.Move(EventCollect))
	must(c.BeginStart(1))
	if c.Attempt != 1 || c.Started != nil || c.PID != 0 || c.Ready || c.Unhealthy || c.EndReason != "" || c.KillAt != 0 {
		t.Errorf("the second attempt has what the first had: %+v", c)
	}
	if c.Ended == nil || c.Ended.ID != "u.c.0" || c.Ended.Started != started {
		t.Errorf("the first is filed as %+v", c.Ended)
	}
	if err := c.BeginStart(2); !errors.Is(err, ErrIllegalMove) || c.Attempt != 1 {
		t.Errorf("an attempt begins within another: %v, %d", err, c.Attempt)
	}
	must(c.UndoStart(at(110).Mono))
	if c.State != ContainerCollected || c.Attempt != 0 || c.NotBefore != at(110).Mono {
		t.Errorf("undone: %s, attempt %d, not before %s", c.State, c.Attempt, c.NotBefore)
	}
}

func TestPostStartComesBeforeRunning(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	hook := &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{}}
	r := podWith(corev1.PodSpec{InitContainers: []corev1.Container{{Name: "s", RestartPolicy: &always, Lifecycle: hook}}})
	c, spec := r.Container("s"), r.Spec("s")
	if err := errors.Join(c.BeginStart(0), c.MarkCreated(spec, "")); err != nil || c.State != ContainerPostStart || c.Done {
		t.Fatalf("%v, %s, done %t", err, c.State, c.Done)
	}
	if err := c.MarkRunning(spec); err != nil || c.State != ContainerRunning || !c.Done {
		t.Errorf("%v, %s, done %t", err, c.State, c.Done)
	}
	r = podWith(corev1.PodSpec{InitContainers: []corev1.Container{{Name: "s", RestartPolicy: &always, StartupProbe: &corev1.Probe{}}}})
	c = r.Container("s")
	if err := errors.Join(c.BeginStart(0), c.MarkCreated(r.Spec("s"), "")); err != nil || c.Done {
		t.Errorf("%v: a sidecar whose startup probe has not succeeded lets the next one begin: %t", err, c.Done)
	}
}

func TestTerminationOfAContainer(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	c := r.Containers[0]
	if !r.BeginTermination(c, at(100)) || c.StopBy != at(130).Mono {
		t.Errorf("alone: by %s", c.StopBy)
	}
	if r.BeginTermination(c, at(120)) || c.StopBy != at(130).Mono {
		t.Error("it began twice")
	}
	c.StopBy, c.Unhealthy, c.UnhealthyGrace = 0, true, 3*time.Second
	if r.BeginTermination(c, at(100)); c.StopBy != at(103).Mono {
		t.Errorf("unhealthy: by %s", c.StopBy)
	}
	c.StopBy, r.Stop = 0, &StopRecord{Since: at(90), Grace: 20 * time.Second}
	if r.BeginTermination(c, at(100)); c.StopBy != at(110).Mono {
		t.Errorf("with its pod: by %s", c.StopBy)
	}
}

func TestResetContainers(t *testing.T) {
	r := podWith(corev1.PodSpec{InitContainers: []corev1.Container{{Name: "i"}}})
	r.Initialized, r.RestartAll = true, true
	r.Containers[0].State, r.Containers[0].Done, r.Containers[0].Attempt = ContainerCollected, true, 2
	r.Containers[1].State, r.Containers[1].Waiting = ContainerCollected, &Waiting{Reason: "x"}
	if err := r.ResetContainers(); err != nil || r.Initialized || r.RestartAll {
		t.Fatal(err, r.Initialized, r.RestartAll)
	}
	for _, c := range r.Containers {
		if c.State != ContainerWaiting || c.Done || c.Waiting != nil {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
	if r.Containers[0].Attempt != 2 {
		t.Error("restarts do not go on counting")
	}
	r.Containers[1].State = ContainerRunning
	if err := r.ResetContainers(); !errors.Is(err, ErrIllegalMove) {
		t.Errorf("a running container was reset: %v", err)
	}
}

// TestCloneIsTheWorkers: what a worker changes in its copy the loop does not see.
func TestCloneIsTheWorkers(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	clone := r.Clone()
	clone.State, clone.Sandbox.IP, clone.Containers[0].Attempt = PodGone, "10.0.0.1", 9
	if r.State != PodWaiting || r.Sandbox.IP != "" || r.Containers[0].Attempt != -1 {
		t.Errorf("%s, %q, %d", r.State, r.Sandbox.IP, r.Containers[0].Attempt)
	}
}
