package state

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A refused move leaves a record as it was, whichever method asks for it.
func TestIllegalMovesChangeNothing(t *testing.T) {
	spec := &corev1.Container{}
	hook := &corev1.Container{Lifecycle: &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{}}}
	all := []ContainerState{
		ContainerWaiting, ContainerStarting, ContainerPostStart, ContainerRunning, ContainerPreStop, ContainerStopping, ContainerExited, ContainerCollected,
	}
	for name, m := range map[string]struct {
		do    func(*ContainerRecord) error
		legal []ContainerState
	}{
		"begin start":               {func(c *ContainerRecord) error { return c.BeginStart(7) }, []ContainerState{ContainerWaiting, ContainerCollected}},
		"mark created":              {func(c *ContainerRecord) error { return c.MarkCreated(spec, "TERM") }, []ContainerState{ContainerStarting, ContainerPostStart}},
		"mark created, with a hook": {func(c *ContainerRecord) error { return c.MarkCreated(hook, "TERM") }, []ContainerState{ContainerStarting}},
		"mark running":              {func(c *ContainerRecord) error { return c.MarkRunning(spec) }, []ContainerState{ContainerStarting, ContainerPostStart}},
		"undo start":                {func(c *ContainerRecord) error { return c.UndoStart(9) }, []ContainerState{ContainerStarting}},
		"a state that nobody knows": {func(c *ContainerRecord) error { return c.Move("sleep") }, nil},
	} {
		for _, s := range all {
			c := &ContainerRecord{Name: "c", Kind: KindSidecar, State: s, Attempt: 3, PID: 5, Anew: true}
			before := *c
			err := m.do(c)
			legal := slices.Contains(m.legal, s)
			if legal != (err == nil) || !legal && !errors.Is(err, ErrIllegalMove) {
				t.Errorf("%s in %s: %v", name, s, err)
			}
			if !legal && !reflect.DeepEqual(*c, before) {
				t.Errorf("%s in %s is refused and changes %+v", name, s, c)
			}
		}
	}
	for name, m := range map[string]struct {
		do    func(*Record) error
		legal []PodState
	}{
		"begin stop":   {func(r *Record) error { return r.BeginStop(at(9), time.Second, true) }, []PodState{PodWaiting, PodRunning, PodFinishing, PodFinished}},
		"begin finish": {func(r *Record) error { _, err := r.BeginFinish(at(9)); return err }, []PodState{PodWaiting, PodRunning}},
	} {
		for _, s := range []PodState{PodWaiting, PodRunning, PodFinishing, PodFinished, PodStopping, PodGone} {
			r := podWith(corev1.PodSpec{})
			r.State = s
			if s == PodFinishing {
				r.Finish = &FinishRecord{}
			}
			err := m.do(r)
			if legal := slices.Contains(m.legal, s); legal != (err == nil) || !legal && (r.State != s || r.Stop != nil || r.Finish != nil && s != PodFinishing) {
				t.Errorf("%s in %s: %v, %s", name, s, err, r.State)
			}
		}
	}
}

// A pod whose containers begin anew: either all of them do, or the record says what it said.
func TestResetIsWholeOrNothing(t *testing.T) {
	r := podWith(corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}, {Name: "b"}}})
	r.Initialized, r.RestartAll = true, true
	r.Containers[0].State, r.Containers[1].State = ContainerCollected, ContainerExited
	if err := r.ResetContainers(); !errors.Is(err, ErrIllegalMove) {
		t.Errorf("while one has not been collected: %v", err)
	}
	if r.Containers[0].State != ContainerCollected || !r.Initialized || !r.RestartAll {
		t.Errorf("half of it was done: %s, initialized %t, restart all %t", r.Containers[0].State, r.Initialized, r.RestartAll)
	}
}

func TestContainerIDs(t *testing.T) {
	for _, tc := range []struct {
		uid     types.UID
		name    string
		attempt int
	}{{"u", "c", 0}, {"8e1c.with.dots", "main", 12}} {
		uid, name, attempt, ok := ParseContainerID(ContainerID(tc.uid, tc.name, tc.attempt))
		if !ok || uid != tc.uid || name != tc.name || attempt != tc.attempt {
			t.Errorf("%+v comes back as %s, %s, %d, %t", tc, uid, name, attempt, ok)
		}
	}
	for _, id := range []string{"", "u", "u.c", ".c.0", "u.c.", "u.c.x", "u.c.-1", "c.0"} {
		if uid, name, attempt, ok := ParseContainerID(id); ok {
			t.Errorf("%q is attempt %d of %s of pod %s", id, attempt, name, uid)
		}
	}
}

// The back-off of pulls is the kubelet's: 10 s, doubled up to five minutes, for each image anew; a registry may ask for more.
func TestPullBackoff(t *testing.T) {
	var p PullRecord
	now := at(100)
	for i, want := range []int{10, 20, 40, 80, 160, 300, 300} {
		p.Fail("app:1", ReasonImagePull, "no route", 0, now)
		if got := p.NotBefore.Sub(now.Mono); got != time.Duration(want)*time.Second || p.Reason != ReasonImagePull || p.Error != "no route" {
			t.Errorf("try %d: rests %s, %+v", i, got, p)
		}
	}
	if p.Fail("app:2", ReasonImagePull, "no route", 0, now); p.Backoff != 10*time.Second {
		t.Errorf("another image rests %s", p.Backoff)
	}
	if p.Fail("app:2", ReasonRegistry, "429", time.Hour, now); p.NotBefore != now.After(time.Hour) || p.Backoff != 20*time.Second {
		t.Errorf("the registry has asked for an hour: %s, then %s", p.NotBefore.Sub(now.Mono), p.Backoff)
	}
	if p.RetryNow(); p.NotBefore != 0 || p.Reason != ReasonRegistry {
		t.Errorf("what it depends on has changed: %+v", p)
	}
	if p.Succeed("app:2", 4); !p.Done || p.For != 4 || p.Reason != "" || p.Backoff != 0 {
		t.Errorf("after it has come: %+v", p)
	}
	c := ContainerRecord{Pull: &p}
	if !c.WasPulledFor(4) || c.WasPulledFor(5) || (&ContainerRecord{}).WasPulledFor(0) {
		t.Error("which attempt it was pulled for is not known")
	}
	for reason, is := range map[string][2]bool{
		ReasonImagePull: {true, true}, ReasonImageName: {true, true}, ReasonRegistry: {true, true}, ReasonSignature: {true, true},
		ReasonImageBackOff: {true, false}, ReasonImageNever: {true, false}, ReasonClock: {true, false}, ReasonImagePullWindow: {true, false},
		"CreateContainerError": {}, "CrashLoopBackOff": {}, "": {},
	} {
		if IsImageReason(reason) != is[0] || IsPullFailure(reason) != is[1] {
			t.Errorf("%q: of its image %t, a failure %t", reason, IsImageReason(reason), IsPullFailure(reason))
		}
	}
}

// An attempt that never became a container takes no number, and its restart is not counted.
func TestVoidAttempts(t *testing.T) {
	c := &ContainerRecord{State: ContainerCollected, Attempt: 0, Void: true}
	if c.NextAttempt() != 0 || c.ShownAttempt() != -1 {
		t.Errorf("next %d, shown %d", c.NextAttempt(), c.ShownAttempt())
	}
	if c.Uncount(); c.State != ContainerWaiting || c.Attempt != -1 || c.Void || c.NextAttempt() != 0 {
		t.Errorf("a container that never ran: %+v", c)
	}
	c = &ContainerRecord{State: ContainerCollected, Attempt: 3, Void: true, Ended: &Termination{}}
	if c.Uncount(); c.State != ContainerCollected || c.Attempt != 2 || c.NextAttempt() != 3 {
		t.Errorf("one that had run before: %+v", c)
	}
}

// What a status tells of while the next attempt is being made, or its postStart hook runs, is the attempt before: its number and
// its image.
func TestShownAttemptAndImage(t *testing.T) {
	one, two := &ImageRecord{"app:1", "id1"}, &ImageRecord{"app:2", "id2"}
	for _, tc := range []struct {
		name    string
		c       ContainerRecord
		attempt int
		image   ImageRecord
	}{
		{"never started", ContainerRecord{State: ContainerWaiting, Attempt: -1}, -1, ImageRecord{Ref: "now"}},
		{"first start", ContainerRecord{State: ContainerStarting, ImageID: "id1"}, -1, ImageRecord{Ref: "now"}},
		{"first hook", ContainerRecord{State: ContainerPostStart, Image: one}, -1, ImageRecord{Ref: "now"}},
		{"runs", ContainerRecord{State: ContainerRunning, Image: one}, 0, *one},
		{"second start", ContainerRecord{State: ContainerStarting, Attempt: 1, Image: one}, 0, *one},
		{"second hook", ContainerRecord{State: ContainerPostStart, Attempt: 1, Image: two, ImageBefore: one}, 0, *one},
		{"second runs", ContainerRecord{State: ContainerRunning, Attempt: 1, Image: two, ImageBefore: one}, 1, *two},
		{"void", ContainerRecord{State: ContainerExited, Attempt: 1, Void: true, Image: one}, 0, *one},
		{"of an older podd", ContainerRecord{State: ContainerRunning, ImageID: "id0"}, 0, ImageRecord{"now", "id0"}},
		{"another pod's attempts", ContainerRecord{State: ContainerWaiting, Attempt: 4, Base: 5, ImageID: "id0"}, 4, ImageRecord{Ref: "now"}},
	} {
		if got := tc.c.ShownAttempt(); got != tc.attempt {
			t.Errorf("%s: attempt %d is shown", tc.name, got)
		}
		if got := tc.c.ShownImage("now"); got != tc.image {
			t.Errorf("%s: image %+v is shown", tc.name, got)
		}
	}
}

// An edit of a container ends what runs of it, spares what has come through, and forgets its crashes and what it waited for.
func TestMarkChanged(t *testing.T) {
	for _, tc := range []struct {
		name           string
		c              ContainerRecord
		ends, backsOff bool
		waiting        string
	}{
		{"it runs", ContainerRecord{State: ContainerRunning}, true, false, ""},
		{"it starts", ContainerRecord{State: ContainerStarting}, true, false, ""},
		{"it ends already", ContainerRecord{State: ContainerStopping}, true, false, ""},
		{"it crashes", ContainerRecord{State: ContainerCollected, Backoff: time.Minute, NotBefore: 7}, false, false, ""},
		{"it waits for its image", ContainerRecord{State: ContainerWaiting, Waiting: &Waiting{Reason: ReasonImageBackOff}, Pull: &PullRecord{}}, false, false, ""},
		{"it waits for a ConfigMap", ContainerRecord{State: ContainerWaiting, Waiting: &Waiting{Reason: "CreateContainerConfigError"}}, false, false, "CreateContainerConfigError"},
		{"an init container that has come through", ContainerRecord{Kind: KindInit, Done: true, State: ContainerCollected, Backoff: 5, NotBefore: 7}, false, true, ""},
		{"a sidecar that has begun", ContainerRecord{Kind: KindSidecar, Done: true, State: ContainerRunning}, true, false, ""},
	} {
		c := tc.c
		c.MarkChanged("changed")
		waiting := ""
		if c.Waiting != nil {
			waiting = c.Waiting.Reason
		}
		if c.Changed != tc.ends || (c.EndReason == "changed") != tc.ends || (c.NotBefore != 0) != tc.backsOff || waiting != tc.waiting || waiting == "" && c.Pull != nil {
			t.Errorf("%s: %+v", tc.name, c)
		}
	}
}

// Readiness is a running container's, also while it ends with a pod that is removed: its Services may have nobody else. That of
// a pod that has failed, or of a container whose postStart hook has, is nobody's. KEP-1669
func TestServes(t *testing.T) {
	for _, s := range []ContainerState{ContainerWaiting, ContainerStarting, ContainerPostStart, ContainerExited, ContainerCollected} {
		if podWith(corev1.PodSpec{}).Serves(&ContainerRecord{State: s}) {
			t.Errorf("in %s", s)
		}
	}
	for _, s := range []ContainerState{ContainerRunning, ContainerPreStop, ContainerStopping} {
		for _, tc := range []struct {
			stop, finish bool
			why          string
			want         bool
		}{{false, false, "", true}, {true, false, "", true}, {false, true, "", false}, {true, true, "", true}, {false, false, EndReasonPostStart, false}, {false, false, "changed", true}} {
			r := podWith(corev1.PodSpec{})
			if tc.stop {
				r.Stop = &StopRecord{}
			}
			if tc.finish {
				r.Finish = &FinishRecord{}
			}
			if got := r.Serves(&ContainerRecord{State: s, EndReason: tc.why}); got != tc.want {
				t.Errorf("%s, %+v: %t", s, tc, got)
			}
		}
	}
}

func TestProbesAndReadiness(t *testing.T) {
	none, startup := &corev1.Container{}, &corev1.Container{StartupProbe: &corev1.Probe{}}
	both := &corev1.Container{StartupProbe: &corev1.Probe{}, ReadinessProbe: &corev1.Probe{}}
	started := at(1)
	for i, tc := range []struct {
		spec               *corev1.Container
		c                  ContainerRecord
		up, ready, running bool
	}{
		{none, ContainerRecord{State: ContainerRunning}, true, true, true},
		{startup, ContainerRecord{State: ContainerRunning}, false, false, false},
		{startup, ContainerRecord{State: ContainerRunning, StartedOK: true}, true, true, true},
		{both, ContainerRecord{State: ContainerRunning, StartedOK: true}, true, false, true},
		{both, ContainerRecord{State: ContainerRunning, StartedOK: true, Ready: true}, true, true, true},
		{both, ContainerRecord{State: ContainerRunning, Ready: true}, false, false, false},
		{none, ContainerRecord{State: ContainerPostStart}, true, true, false},
		{none, ContainerRecord{State: ContainerExited}, true, true, true},
		{none, ContainerRecord{State: ContainerExited, Reported: true}, true, true, false},
		{none, ContainerRecord{State: ContainerCollected}, true, true, false},
	} {
		c := tc.c
		c.Started = &started
		if c.StartedUp(tc.spec) != tc.up || c.IsReady(tc.spec) != tc.ready || c.HasStarted(tc.spec) != tc.running {
			t.Errorf("%d: up %t, ready %t, running %t", i, c.StartedUp(tc.spec), c.IsReady(tc.spec), c.HasStarted(tc.spec))
		}
	}
}

// A pod promises by a terminal phase that nothing of it runs.
func TestFailedAndAlive(t *testing.T) {
	started := at(1)
	for _, tc := range []struct {
		state ContainerState
		alive bool
	}{
		{ContainerWaiting, false},
		{ContainerStarting, true},
		{ContainerPostStart, true},
		{ContainerRunning, true},
		{ContainerPreStop, true},
		{ContainerStopping, true},
		{ContainerExited, true},
		{ContainerCollected, false},
	} {
		r := podWith(corev1.PodSpec{})
		r.Containers[0].State, r.Containers[0].Started = tc.state, &started
		if r.Failed() {
			t.Errorf("%s: nobody made it fail", tc.state)
		}
		r.Finish = &FinishRecord{Failed: true}
		if r.Alive() != tc.alive || r.Failed() != !tc.alive {
			t.Errorf("%s: alive %t, failed %t", tc.state, r.Alive(), r.Failed())
		}
	}
}

// activeDeadlineSeconds count from when the pod came onto the board; of an earlier boot nobody knows how much of them is over.
func TestDeadline(t *testing.T) {
	seconds, scheduled := int64(60), at(130)
	r := podWith(corev1.PodSpec{})
	if r.Deadline() != 0 {
		t.Error("a pod without one has a deadline")
	}
	r.Object.Spec.ActiveDeadlineSeconds = &seconds
	if r.Deadline() != at(160).Mono {
		t.Errorf("from its creation: %s", r.Deadline())
	}
	if r.Scheduled = &scheduled; r.Deadline() != at(190).Mono {
		t.Errorf("from when it was scheduled: %s", r.Deadline())
	}
	if r.toEarlierBoot(); r.Deadline() != 0 {
		t.Errorf("of an earlier boot: %s", r.Deadline())
	}
}

func TestReadySince(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	if _, ok := r.ReadySince(); ok {
		t.Error("a new pod is ready")
	}
	r.NoteConditions([]corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}, at(110))
	r.NoteConditions([]corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}, at(150))
	if since, ok := r.ReadySince(); !ok || since != at(110) {
		t.Errorf("since %v, %t", since, ok)
	}
	r.Containers[0].Changed = true
	if _, ok := r.ReadySince(); ok {
		t.Error("a pod is ready as it was before an edit, and counts as ready with it")
	}
	r.Containers[0].Changed, r.Stop = false, &StopRecord{}
	if _, ok := r.ReadySince(); ok {
		t.Error("a pod that ends is ready")
	}
	r.Stop, r.State = nil, PodFinished
	for code, want := range map[int]bool{0: true, 1: false} {
		r.Containers[0].Ended = &Termination{Code: code}
		if _, ok := r.ReadySince(); ok != want {
			t.Errorf("ended with %d: %t", code, ok)
		}
	}
}

// A condition keeps its moment as long as its status stays, and what is not published any more is forgotten.
func TestNoteConditions(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	note := func(second int, list ...string) {
		var conditions []corev1.PodCondition
		for _, c := range list {
			name, status, _ := strings.Cut(c, "=")
			conditions = append(conditions, corev1.PodCondition{Type: corev1.PodConditionType(name), Status: corev1.ConditionStatus(status)})
		}
		r.NoteConditions(conditions, at(second))
	}
	note(1, "A=True", "B=False")
	note(2, "A=True", "B=True", "C=True")
	note(3, "B=True", "C=False")
	note(4, "A=True", "B=True", "C=False")
	got := map[string]Instant{}
	for name, c := range r.Conditions {
		got[name] = c.Since
	}
	if want := map[string]Instant{"A": at(4), "B": at(2), "C": at(3)}; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Ephemeral containers come after all others, once each, and what a worker has of the record does not change by it.
func TestAddEphemeral(t *testing.T) {
	r := podWith(corev1.PodSpec{InitContainers: []corev1.Container{{Name: "i"}}})
	copied := r.Clone()
	debug := corev1.EphemeralContainer{TargetContainerName: "c", EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "tools"}}
	for range 2 {
		r.AddEphemeral([]corev1.EphemeralContainer{debug})
	}
	if len(r.Containers) != 3 || r.Containers[2].Kind != KindEphemeral || r.Target("debug") != "c" || r.Target("c") != "" || r.Spec("debug").Image != "tools" {
		t.Errorf("%+v", r.Containers)
	}
	if len(copied.Containers) != 2 || len(copied.Ephemeral) != 0 || copied.Spec("debug") != nil {
		t.Error("the copy has changed")
	}
	if r.Container("none") != nil || r.Spec("none") != nil {
		t.Error("there is a container of any name")
	}
}

func TestResizeIsDoneWithTheLastContainer(t *testing.T) {
	r := podWith(corev1.PodSpec{})
	r.MarkResized("c")
	r.Resize = &ResizeRecord{Before: map[string]corev1.ResourceRequirements{"a": {}, "b": {}}}
	if r.MarkResized("a"); r.Resize == nil || len(r.Resize.Before) != 1 {
		t.Errorf("%+v", r.Resize)
	}
	if r.MarkResized("b"); r.Resize != nil {
		t.Errorf("%+v", r.Resize)
	}
}

// A sandbox that was taken away keeps its addresses, which clients are told of; one that never was has none to tell.
func TestSandboxRemoved(t *testing.T) {
	ready := at(1)
	s := SandboxRecord{IP: "10.0.0.2", IP6: "fd00::2", Ready: &ready}
	s.MarkRemoved()
	s.MarkRemoved() // again, as the first time the daemon died
	if !s.Removed || s.Ready != nil || fmt.Sprint(s.PodIPs()) != "[{10.0.0.2} {fd00::2}]" {
		t.Errorf("%+v", s)
	}
	never := SandboxRecord{}
	if never.MarkRemoved(); never.Removed || never.PodIPs() != nil {
		t.Errorf("%+v", never)
	}
	if six := (&SandboxRecord{IP6: "fd00::2"}).PodIPs(); len(six) != 1 {
		t.Errorf("%v", six)
	}
}

// Layers stay as long as they may be mounted: those of before an image was pulled anew, too.
func TestVolumeLayers(t *testing.T) {
	var v VolumesRecord
	v.UseImage("v", []string{"a", "b"})
	before := v.Layers
	v.UseImage("v", []string{"b", "c"})
	v.UseImage("w", nil)
	if !slices.Equal(v.Layers["v"], []string{"a", "b", "c"}) || !slices.Equal(before["v"], []string{"a", "b"}) {
		t.Errorf("%v, before %v", v.Layers, before)
	}
	if first := v.Pull("v"); first != v.Pull("v") || first == v.Pull("w") {
		t.Error("each volume has one record of its pulls")
	}
}

func TestCrashLoops(t *testing.T) {
	ended := &Termination{Finished: at(10)}
	for _, tc := range []struct {
		c    ContainerRecord
		want bool
	}{
		{ContainerRecord{State: ContainerCollected, Ended: ended, Waiting: &Waiting{Reason: "RunContainerError"}, NotBefore: at(30).Mono}, true},
		{ContainerRecord{State: ContainerCollected, Ended: ended, Waiting: &Waiting{Reason: "RunContainerError"}, NotBefore: at(20).Mono}, false},
		{ContainerRecord{State: ContainerCollected, Ended: ended, Waiting: &Waiting{Reason: "ErrImagePull"}, NotBefore: at(30).Mono}, false},
		{ContainerRecord{State: ContainerExited, Ended: ended, Waiting: &Waiting{Reason: "RunContainerError"}, NotBefore: at(30).Mono}, false},
	} {
		if got := tc.c.CrashLoops(at(20)); got != tc.want {
			t.Errorf("%+v: %t", tc.c, got)
		}
	}
	if c := (&ContainerRecord{Ended: ended, NotBefore: at(10).Mono}); c.WasDelayed() {
		t.Error("a restart at once counts as delayed")
	}
	if c := (&ContainerRecord{Ended: &Termination{}, Unhealthy: true}); !c.HasFailed() {
		t.Error("a container that was ended for its probes has not failed, as it exited with 0")
	}
}

func TestHandlerText(t *testing.T) {
	file := "tight.json"
	h := &HandlerRecord{Name: "gpu", Handler: Handler{
		UserNamespaces: UsersRequired, CDIDevices: []string{"vendor.com/gpu=0"}, Sysctls: map[string]string{"net.b": "2", "net.a": "1"},
		SeccompProfile:  &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &file},
		AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault},
	}}
	want := "The pod is run by runtime handler gpu: CDI devices vendor.com/gpu=0, user namespaces required, seccomp profile Localhost/tight.json, " +
		"AppArmor profile RuntimeDefault, sysctls net.a=1 net.b=2"
	if got := h.Text(); got != want {
		t.Errorf("%s", got)
	}
	if got := (&HandlerRecord{Name: "plain"}).Text(); got != "The pod is run by runtime handler plain, as pods without a class" {
		t.Errorf("%s", got)
	}
}

// Times of the kernel are ticks since boot, which a clock that is set does not move.
func TestInstants(t *testing.T) {
	now := Instant{Wall: time.Unix(1_800_000_000, 0), Mono: BootTime(1000 * time.Second)}
	if got := SinceBootTicks(90_000, now); got.Mono != BootTime(900*time.Second) || !got.Wall.Equal(now.Wall.Add(-100*time.Second)) {
		t.Errorf("%+v", got)
	}
	if got := BootTime(1500 * time.Microsecond).Milliseconds(); got != 1 {
		t.Errorf("%d ms", got)
	}
	a, b := Now(), Now()
	if a.Mono <= 0 || b.Mono < a.Mono || a.Wall.IsZero() {
		t.Errorf("%v, then %v", a, b)
	}
}
