package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"

	"podd/runtime/state"
)

// TestOrderOfInputsDoesNotMatter: what the planner asks of a container does not depend on where in its pod other
// containers of the same kind stand, as long as none of them has a hook that holds up those after it.
func TestOrderOfInputsDoesNotMatter(t *testing.T) {
	const now = 100 * second
	sorted := func(p Plan) []string {
		var list []string
		for _, a := range p.Actions {
			list = append(list, a.String())
		}
		slices.Sort(list)
		return list
	}
	holds := func(seed uint64) bool {
		v := randomView(seed)
		first := slices.IndexFunc(v.Containers, func(c ContainerView) bool { return c.Kind == state.KindMain })
		for i := range v.Containers {
			v.Containers[i].PostStart = false
			if v.Containers[i].State == state.ContainerPostStart {
				v.Containers[i].State = state.ContainerRunning
			}
		}
		want := Compute(v, now)
		shuffled := v
		shuffled.Containers = slices.Clone(v.Containers)
		mains := shuffled.Containers[first:]
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(mains), func(i, j int) { mains[i], mains[j] = mains[j], mains[i] })
		got := Compute(shuffled, now)
		if !slices.Equal(sorted(got), sorted(want)) || got.Wake != want.Wake {
			t.Logf("view %+v: %v in another order %v", v, want, got)
			return false
		}
		return true
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 20000}); err != nil {
		t.Error(err)
	}
}

// TestOrderOfMessagesDoesNotMatter: the ends of containers that come in one round lead to one plan in whatever order
// they are told.
func TestOrderOfMessagesDoesNotMatter(t *testing.T) {
	base := View{State: state.PodRunning, Wanted: true, Initialized: true, RestartPolicy: onFailure}
	for i := range 4 {
		base.Containers = append(base.Containers, ContainerView{Name: fmt.Sprint(i), State: state.ContainerRunning, Image: true})
	}
	ends := func(v View, order []int) View {
		v.Containers = slices.Clone(v.Containers)
		for _, i := range order {
			v.Containers[i].State, v.Containers[i].Failed = state.ContainerExited, i%2 == 0
		}
		return v
	}
	want := fmt.Sprint(Compute(ends(base, []int{0, 1, 2, 3}), second).Actions)
	for seed := range uint64(24) {
		order := rand.New(rand.NewPCG(seed, 2)).Perm(4)
		if got := fmt.Sprint(Compute(ends(base, order), second).Actions); got != want {
			t.Errorf("told as %v: %s, want %s", order, got, want)
		}
	}
}
