package runtime

import (
	"fmt"
	"slices"
	"testing"
	"testing/quick"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// dice makes choices out of a seed.
type dice uint64

func (d *dice) pick(n uint64) uint64 {
	v := uint64(*d) % n
	*d = dice(uint64(*d)/n*6364136223846793005 + 1442695040888963407)
	return v
}

func (d *dice) flip() bool { return d.pick(2) == 0 }

func (d *dice) moment() time.Duration { return time.Duration(d.pick(200)) * time.Second }

// randomView makes a view of any kind out of a seed.
func randomView(seed uint64) View {
	d := dice(seed)
	states := []PodState{PodWaiting, PodRunning, PodFinishing, PodStopping, PodFinished}
	policies := []corev1.RestartPolicy{always, onFailure, never}
	v := View{
		State: states[d.pick(5)], Wanted: d.flip(), Blocked: d.pick(4) == 0, RestartPolicy: policies[d.pick(3)],
		Initialized: d.flip(), Condemned: d.pick(8) == 0,
	}
	if d.pick(4) == 0 {
		v.Deadline = d.moment()
	}
	if v.State == PodWaiting || v.State == PodRunning {
		v.NeedVolumes, v.VolumesAfter = d.pick(4) == 0, d.moment()
	}
	ready := !v.NeedVolumes && v.State != PodWaiting // what is refreshed and measured has been made in a sandbox
	v.Refresh = ready && d.flip()
	v.Measure, v.MeasureAt = ready && d.flip(), d.moment()
	if v.State == PodFinishing || v.State == PodStopping {
		v.StopBy = 1 + d.moment()
	}
	for i := range d.pick(3) {
		v.Containers = append(v.Containers, randomContainer(&d, fmt.Sprint("i", i), []ContainerKind{KindInit, KindSidecar}[d.pick(2)], v.State))
	}
	for i := range 1 + d.pick(2) {
		v.Containers = append(v.Containers, randomContainer(&d, fmt.Sprint("c", i), KindMain, v.State))
	}
	return v
}

func randomContainer(d *dice, name string, kind ContainerKind, pod PodState) ContainerView {
	states := []ContainerState{ContainerWaiting, ContainerPostStart, ContainerRunning, ContainerPreStop, ContainerStopping, ContainerExited, ContainerCollected}
	c := ContainerView{
		Name: name, Kind: kind, State: states[d.pick(7)], Attempt: int(d.pick(4)), Failed: d.flip(), Image: d.flip(), Awaited: d.flip(),
		NotBefore: d.moment(), KillAt: d.moment(), Killed: d.flip(), PreStop: d.flip(), PostStart: d.flip(), Hooking: d.flip(), Hooked: d.flip(),
		Ending: d.flip(),
	}
	if kind == KindMain && d.pick(4) == 0 {
		c.RestartPolicy = onFailure
	}
	if c.State == ContainerPreStop || c.State == ContainerStopping {
		c.StopBy = 1 + d.moment()
	}
	switch pod {
	case PodWaiting:
		c.State, c.Done = ContainerWaiting, false
	case PodFinished:
		c.State = ContainerCollected
	case PodRunning, PodFinishing, PodStopping, PodGone:
		c.Done = kind == KindInit && !c.Failed && (c.State == ContainerExited || c.State == ContainerCollected)
	}
	return c
}

// model is a pod in which everything works.
type model struct {
	View
	now time.Duration
}

func (m *model) at(name string) *ContainerView {
	i := slices.IndexFunc(m.Containers, func(c ContainerView) bool { return c.Name == name })
	return &m.Containers[i]
}

// apply does what a plan says.
func apply(v View, p Plan, now time.Duration) View {
	v.Containers = slices.Clone(v.Containers)
	m := model{v, now}
	for _, a := range p.Actions {
		if !m.applyPod(a) {
			m.applyContainer(a)
		}
	}
	return m.View
}

func (m *model) applyPod(a Action) bool {
	switch a.(type) {
	case EnsureSandbox:
		m.State = PodRunning
	case BeginStop:
		m.State, m.StopBy = PodStopping, m.now+time.Minute
	case BeginFinish:
		m.State, m.StopBy = PodFinishing, m.now+time.Minute
	case Finish:
		m.State = PodFinished
	case Forget:
		m.State = PodGone
	case EnsureVolumes:
		m.NeedVolumes = false
	case RefreshVolumes:
		m.Refresh = false
	case MeasureVolumes:
		m.MeasureAt = m.now + time.Minute
	case RemoveSandbox:
	default:
		return false
	}
	return true
}

func (m *model) applyContainer(a Action) {
	switch a := a.(type) {
	case StartContainer:
		c := m.at(a.Name)
		*c = ContainerView{Name: c.Name, Kind: c.Kind, State: ContainerRunning, Attempt: a.Attempt, PostStart: c.PostStart, PreStop: c.PreStop}
		if c.PostStart {
			c.State, c.Hooking = ContainerPostStart, true
		}
		m.Initialized = m.Initialized || c.Kind == KindMain
	case RunPostStart:
		m.at(a.Name).Hooking = true
	case AwaitImage:
		m.at(a.Name).Awaited = true
	case RunPreStop:
		c := m.at(a.Name)
		c.State, c.Hooking, c.Hooked = ContainerPreStop, true, false
		c.StopBy = max(c.StopBy, m.now+time.Minute)
	case StopContainer:
		c := m.at(a.Name)
		c.State, c.KillAt, c.Killed = ContainerStopping, m.now+time.Minute, false
	case KillContainer:
		m.at(a.Name).Killed = true
	case CollectContainer:
		m.at(a.Name).State = ContainerCollected
	}
}

// TestPlanSettles: after a plan was carried out, planning again at the same moment yields nothing.
func TestPlanSettles(t *testing.T) {
	const now = 100 * time.Second
	settles := func(seed uint64) bool {
		v := randomView(seed)
		first := plan(v, now)
		after := apply(v, first, now)
		if v.State == PodRunning && slices.Contains(first.Actions, Action(EnsureVolumes{})) { // containers wait for the outcome
			first = plan(after, now)
			after = apply(after, first, now)
		}
		again := plan(after, now)
		if len(again.Actions) != 0 {
			t.Logf("view %+v\nfirst %v\nafter %+v\nagain %v", v, first.Actions, after, again.Actions)
		}
		return len(again.Actions) == 0
	}
	if err := quick.Check(settles, &quick.Config{MaxCount: 50000}); err != nil {
		t.Error(err)
	}
}

// TestPlanStartsNothingWithoutVolumes: in a sandbox that stands, containers wait until the volumes have been made.
func TestPlanStartsNothingWithoutVolumes(t *testing.T) {
	holds := func(seed uint64) bool {
		v := randomView(seed)
		v.State, v.NeedVolumes = PodRunning, true
		for _, a := range plan(v, 100*time.Second).Actions {
			if _, starts := a.(StartContainer); starts {
				t.Logf("view %+v", v)
				return false
			}
		}
		return true
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 20000}); err != nil {
		t.Error(err)
	}
}

// TestPlanNeverStartsWhatEnds: a pod that is not wanted, or has ended, starts nothing.
func TestPlanNeverStartsWhatEnds(t *testing.T) {
	holds := func(seed uint64) bool {
		v := randomView(seed)
		if v.Wanted && (v.State == PodRunning || v.State == PodWaiting) {
			return true
		}
		for _, a := range plan(v, 100*time.Second).Actions {
			if _, starts := a.(StartContainer); starts {
				t.Logf("view %+v", v)
				return false
			}
		}
		return true
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 20000}); err != nil {
		t.Error(err)
	}
}
