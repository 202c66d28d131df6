package plan

import (
	"fmt"
	"slices"
	"testing"
	"testing/quick"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// dice makes choices out of a seed.
type dice uint64

func (d *dice) pick(n uint64) uint64 {
	v := uint64(*d) % n
	*d = dice(uint64(*d)/n*6364136223846793005 + 1442695040888963407)
	return v
}

func (d *dice) flip() bool { return d.pick(2) == 0 }

func (d *dice) moment() state.BootTime { return state.BootTime(d.pick(200)) * second }

// randomView makes a view of any kind out of a seed.
func randomView(seed uint64) View {
	d := dice(seed)
	states := []state.PodState{state.PodWaiting, state.PodRunning, state.PodFinishing, state.PodStopping, state.PodFinished}
	policies := []corev1.RestartPolicy{always, onFailure, never}
	v := View{
		State: states[d.pick(5)], Wanted: d.flip(), Blocked: d.pick(4) == 0, RestartPolicy: policies[d.pick(3)],
		Initialized: d.flip(), Terminal: d.pick(8) == 0,
	}
	if d.pick(4) == 0 {
		v.Deadline = d.moment()
	}
	if v.State == state.PodWaiting || v.State == state.PodRunning {
		v.NeedVolumes, v.VolumesAfter = d.pick(4) == 0, d.moment()
	}
	ready := !v.NeedVolumes && v.State != state.PodWaiting // what is refreshed and measured has been made in a sandbox
	v.Refresh = ready && d.flip()
	v.Measure, v.MeasureAt = ready && d.flip(), d.moment()
	if v.State == state.PodFinishing || v.State == state.PodStopping {
		v.StopBy = 1 + d.moment()
	}
	for i := range d.pick(3) {
		v.Containers = append(v.Containers, randomContainer(&d, fmt.Sprint("i", i), []state.ContainerKind{state.KindInit, state.KindSidecar}[d.pick(2)], v.State))
	}
	for i := range 1 + d.pick(2) {
		v.Containers = append(v.Containers, randomContainer(&d, fmt.Sprint("c", i), state.KindMain, v.State))
	}
	return v
}

func randomContainer(d *dice, name string, kind state.ContainerKind, pod state.PodState) ContainerView {
	states := []state.ContainerState{state.ContainerWaiting, state.ContainerPostStart, state.ContainerRunning, state.ContainerPreStop, state.ContainerStopping, state.ContainerExited, state.ContainerCollected}
	c := ContainerView{
		Name: name, Kind: kind, State: states[d.pick(7)], Attempt: int(d.pick(4)), Failed: d.flip(), Image: d.flip(), Awaited: d.flip(),
		NotBefore: d.moment(), KillAt: d.moment(), Killed: d.flip(), PreStop: d.flip(), PostStart: d.flip(), Hooking: d.flip(), Hooked: d.flip(),
		Ending: d.flip(),
	}
	if kind == state.KindMain && d.pick(4) == 0 {
		c.RestartPolicy = onFailure
	}
	if c.State == state.ContainerPreStop || c.State == state.ContainerStopping {
		c.StopBy = 1 + d.moment()
	}
	switch pod {
	case state.PodWaiting:
		c.State, c.Done = state.ContainerWaiting, false
	case state.PodFinished:
		c.State = state.ContainerCollected
	case state.PodRunning, state.PodFinishing, state.PodStopping, state.PodGone:
		c.Done = kind == state.KindInit && !c.Failed && (c.State == state.ContainerExited || c.State == state.ContainerCollected)
	}
	return c
}

// model is a pod in which everything works.
type model struct {
	View
	now state.BootTime
}

func (m *model) at(name string) *ContainerView {
	i := slices.IndexFunc(m.Containers, func(c ContainerView) bool { return c.Name == name })
	return &m.Containers[i]
}

// apply does what a plan says.
func apply(v View, p Plan, now state.BootTime) View {
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
		m.State = state.PodRunning
	case BeginStop:
		m.State, m.StopBy = state.PodStopping, m.now+60*second
	case BeginFinish:
		m.State, m.StopBy = state.PodFinishing, m.now+60*second
	case Finish:
		m.State = state.PodFinished
	case Forget:
		m.State = state.PodGone
	case EnsureVolumes:
		m.NeedVolumes = false
	case RefreshVolumes:
		m.Refresh = false
	case MeasureVolumes:
		m.MeasureAt = m.now + 60*second
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
		*c = ContainerView{Name: c.Name, Kind: c.Kind, State: state.ContainerRunning, Attempt: a.Attempt, PostStart: c.PostStart, PreStop: c.PreStop}
		if c.PostStart {
			c.State, c.Hooking = state.ContainerPostStart, true
		}
		m.Initialized = m.Initialized || c.Kind == state.KindMain
	case RunPostStart:
		m.at(a.Name).Hooking = true
	case AwaitImage:
		if a.Volume == "" {
			m.at(a.Name).Awaited = true
		}
		for i := range m.VolumeImages {
			m.VolumeImages[i].Awaited = m.VolumeImages[i].Awaited || m.VolumeImages[i].Volume == a.Volume
		}
	case RunPreStop:
		c := m.at(a.Name)
		c.State, c.Hooking, c.Hooked = state.ContainerPreStop, true, false
		c.StopBy = max(c.StopBy, m.now+60*second)
	case StopContainer:
		c := m.at(a.Name)
		c.State, c.KillAt, c.Killed = state.ContainerStopping, m.now+60*second, false
	case KillContainer:
		m.at(a.Name).Killed = true
	case CollectContainer:
		m.at(a.Name).State = state.ContainerCollected
	}
}

// TestPlanSettles: after a plan was carried out, planning again at the same moment yields nothing.
func TestPlanSettles(t *testing.T) {
	const now = 100 * second
	settles := func(seed uint64) bool {
		v := randomView(seed)
		first := Compute(v, now)
		after := apply(v, first, now)
		if v.State == state.PodRunning && slices.Contains(first.Actions, Action(EnsureVolumes{})) { // containers wait for the outcome
			first = Compute(after, now)
			after = apply(after, first, now)
		}
		again := Compute(after, now)
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
		v.State, v.NeedVolumes = state.PodRunning, true
		for _, a := range Compute(v, 100*second).Actions {
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
		if v.Wanted && (v.State == state.PodRunning || v.State == state.PodWaiting) {
			return true
		}
		for _, a := range Compute(v, 100*second).Actions {
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
