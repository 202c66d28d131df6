package plan

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// TestPlanOfALife states what the parts of a pod's life beyond start and restart ask for.
func TestPlanOfALife(t *testing.T) {
	const now = 100 * second
	type list = []ContainerView
	wait := func(name string, kind state.ContainerKind) ContainerView {
		return ContainerView{Name: name, Kind: kind, State: state.ContainerWaiting, Attempt: -1, Image: true}
	}
	in := func(name string, kind state.ContainerKind, state state.ContainerState) ContainerView {
		return ContainerView{Name: name, Kind: kind, State: state, Image: true}
	}
	with := func(c ContainerView, change func(*ContainerView)) ContainerView { change(&c); return c }
	failed := func(c *ContainerView) { c.Failed = true }
	done := func(c *ContainerView) { c.Done = true }
	hook := func(c *ContainerView) { c.PreStop = true }
	post := func(c *ContainerView) { c.PostStart = true }
	ending := func(c *ContainerView) { c.Ending = true }
	run := func(v View) View { v.State, v.Wanted = state.PodRunning, true; return v }
	stop := func(by state.BootTime, containers list) View {
		return View{State: state.PodStopping, StopBy: by, Containers: containers}
	}
	const init, side, main = state.KindInit, state.KindSidecar, state.KindMain
	for _, tc := range []struct {
		name string
		v    View
		want string
		wake state.BootTime
	}{
		// Init containers: one after another, each to success.
		{"the first init container alone", View{State: state.PodWaiting, Wanted: true, Containers: list{wait("i", init), wait("j", init), wait("c", main)}}, "[ensure sandbox start i#0]", 0},
		{"the next follows its success", run(View{Containers: list{with(in("i", init, state.ContainerExited), done), wait("j", init), wait("c", main)}}), "[collect i#0 start j#0]", 0},
		{"one that runs is waited for", run(View{Containers: list{in("i", init, state.ContainerRunning), wait("c", main)}}), "[]", 0},
		{"main containers follow the last", run(View{Containers: list{with(in("i", init, state.ContainerCollected), done), wait("c", main), wait("d", main)}}), "[start c#0 start d#0]", 0},
		{"a failed one is tried again under always", run(View{Containers: list{with(in("i", init, state.ContainerExited), failed), wait("c", main)}}), "[collect i#0 start i#1]", 0},
		{"a failed one waits out its back-off", run(View{Containers: list{with(in("i", init, state.ContainerCollected), func(c *ContainerView) { c.Failed, c.NotBefore = true, 110*second }), wait("c", main)}}), "[]", 110 * second},
		{"a failed one under never fails the pod", run(View{RestartPolicy: never, Containers: list{with(in("i", init, state.ContainerExited), failed), wait("c", main)}}), "[begin finish collect i#0 remove sandbox finish]", 0},
		{"and ends the sidecars", run(View{RestartPolicy: never, Containers: list{with(in("s", side, state.ContainerRunning), done), with(in("i", init, state.ContainerExited), failed), wait("c", main)}}), "[begin finish collect i#0 stop s]", 0},
		{"none runs again in an initialized pod", run(View{Initialized: true, Containers: list{in("i", init, state.ContainerCollected), in("c", main, state.ContainerRunning)}}), "[]", 0},

		// Sidecars gate those after them by having been started, and restart for the pod's whole life.
		{"what follows a sidecar waits for it", run(View{Containers: list{in("s", side, state.ContainerRunning), wait("c", main)}}), "[]", 0},
		{"a started sidecar lets the next begin", run(View{Containers: list{with(in("s", side, state.ContainerRunning), done), wait("i", init), wait("c", main)}}), "[start i#0]", 0},
		{"a sidecar that ended restarts beside the init container", run(View{RestartPolicy: never, Containers: list{with(in("s", side, state.ContainerExited), done), in("i", init, state.ContainerRunning), wait("c", main)}}), "[collect s#0 start s#1]", 0},
		{"a sidecar restarts whatever the policy", run(View{RestartPolicy: never, Initialized: true, Containers: list{in("s", side, state.ContainerExited), in("c", main, state.ContainerRunning)}}), "[collect s#0 start s#1]", 0},
		{"a sidecar does not hold up the end", run(View{RestartPolicy: never, Initialized: true, Containers: list{with(in("s", side, state.ContainerRunning), done), in("c", main, state.ContainerExited)}}), "[begin finish collect c#0 stop s]", 0},
		{"the pod has finished after it", View{State: state.PodFinishing, Wanted: true, StopBy: 130 * second, Containers: list{in("s", side, state.ContainerExited), in("c", main, state.ContainerCollected)}}, "[collect s#0 remove sandbox finish]", 0},

		// The end of a pod: hooks at once, signals in order.
		{"hooks come first, all at once", View{State: state.PodRunning, Containers: list{with(in("s", side, state.ContainerRunning), hook), with(in("c", main, state.ContainerRunning), hook), in("d", main, state.ContainerRunning)}}, "[begin stop pre-stop c stop d pre-stop s]", 0},
		{"a pod that connections are led to hears nothing yet, its hook runs", View{State: state.PodStopping, StopBy: 130 * second, DrainedAt: 101 * second, Containers: list{in("s", side, state.ContainerRunning), with(in("c", main, state.ContainerRunning), hook), in("d", main, state.ContainerRunning)}}, "[pre-stop c]", 101 * second},
		{"nor after its hook", View{State: state.PodStopping, StopBy: 130 * second, DrainedAt: 101 * second, Containers: list{with(in("c", main, state.ContainerPreStop), func(c *ContainerView) { c.Hooked = true })}}, "[]", 101 * second},
		{"it does when nobody is led to it", View{State: state.PodStopping, StopBy: 130 * second, DrainedAt: now, Containers: list{in("d", main, state.ContainerRunning)}}, "[stop d]", 0},
		{"or when its grace is over", View{State: state.PodStopping, StopBy: now, DrainedAt: 101 * second, Containers: list{in("d", main, state.ContainerRunning)}}, "[stop d]", 101 * second},
		{"a hook that runs is waited for", stop(130*second, list{with(in("c", main, state.ContainerPreStop), func(c *ContainerView) { c.Hooking = true })}), "[]", 130 * second},
		{"its end is followed by the signal", stop(130*second, list{with(in("c", main, state.ContainerPreStop), func(c *ContainerView) { c.Hooked = true })}), "[stop c]", 0},
		{"the end of the grace too", stop(now, list{with(in("c", main, state.ContainerPreStop), func(c *ContainerView) { c.Hooking = true })}), "[stop c]", 0},
		{"a hook that died with the daemon runs again", stop(130*second, list{in("c", main, state.ContainerPreStop)}), "[pre-stop c]", 130 * second},
		{"a sidecar waits for the main containers", stop(130*second, list{in("s", side, state.ContainerRunning), in("c", main, state.ContainerStopping)}), "[kill c]", 130 * second},
		{"sidecars go in reverse order", stop(130*second, list{in("s", side, state.ContainerRunning), in("t", side, state.ContainerRunning), in("c", main, state.ContainerCollected)}), "[stop t]", 130 * second},
		{"a sidecar's turn comes with the end of the grace at the latest", stop(now, list{in("s", side, state.ContainerRunning), with(in("c", main, state.ContainerStopping), func(c *ContainerView) { c.Killed = true })}), "[stop s]", 0},
		{"a hooked sidecar waits for its turn", stop(130*second, list{with(in("s", side, state.ContainerPreStop), func(c *ContainerView) { c.Hooked = true }), with(in("c", main, state.ContainerStopping), func(c *ContainerView) { c.Killed = true })}), "[]", 130 * second},

		// A container that ends alone.
		{"an unhealthy container ends", run(View{Initialized: true, Containers: list{with(in("c", main, state.ContainerRunning), ending), in("d", main, state.ContainerRunning)}}), "[stop c]", 0},
		{"its hook first", run(View{Initialized: true, Containers: list{with(with(in("c", main, state.ContainerRunning), ending), hook)}}), "[pre-stop c]", 0},
		{"a failed postStart hook ends it", run(View{Initialized: true, Containers: list{with(in("c", main, state.ContainerPostStart), func(c *ContainerView) { c.Ending, c.Hooked = true, true })}}), "[stop c]", 0},
		{"a changed one starts again under Never", run(View{RestartPolicy: never, Initialized: true, Containers: list{with(in("c", main, state.ContainerCollected), func(c *ContainerView) { c.Changed = true })}}), "[start c#1]", 0},

		// postStart hooks hold up the next container's start, not its life.
		{"what follows a hook waits", View{State: state.PodWaiting, Wanted: true, Containers: list{with(wait("c", main), post), wait("d", main)}}, "[ensure sandbox start c#0]", 0},
		{"while it runs", run(View{Initialized: true, Containers: list{with(in("c", main, state.ContainerPostStart), func(c *ContainerView) { c.Hooking = true }), wait("d", main)}}), "[]", 0},
		{"a hook that died with the daemon runs again", run(View{Initialized: true, Containers: list{in("c", main, state.ContainerPostStart), wait("d", main)}}), "[post-start c]", 0},

		{"one that is removed while it finishes", View{State: state.PodFinishing, StopBy: 130 * second, Containers: list{in("s", side, state.ContainerStopping)}}, "[begin stop kill s]", 0},

		// Own policies and rules.
		{"a container's own policy", run(View{RestartPolicy: never, Initialized: true, Containers: list{with(in("c", main, state.ContainerExited), func(c *ContainerView) { c.RestartPolicy = always })}}), "[collect c#0 start c#1]", 0},
		{"a rule restarts", run(View{RestartPolicy: never, Initialized: true, Containers: list{with(in("c", main, state.ContainerExited), func(c *ContainerView) { c.Rule = corev1.ContainerRestartRuleActionRestart })}}), "[collect c#0 start c#1]", 0},
		{"a rule restarts all: the others are killed", run(View{RestartAll: true, Initialized: true, Containers: list{with(in("s", side, state.ContainerRunning), hook), in("c", main, state.ContainerExited)}}), "[kill s collect c#0]", 0},
		{"a sandbox that is made anew ends all", run(View{Remake: true, Initialized: true, Containers: list{in("e", state.KindEphemeral, state.ContainerRunning), in("c", main, state.ContainerExited)}}), "[kill e collect c#0]", 0},
		{"then comes the sandbox", run(View{Remake: true, Initialized: true, Containers: list{in("e", state.KindEphemeral, state.ContainerCollected), in("c", main, state.ContainerCollected)}}), "[reset containers ensure sandbox]", 0},
		{"which may wait", run(View{Remake: true, SandboxAfter: 130 * second, Containers: list{in("c", main, state.ContainerCollected)}}), "[]", 130 * second},
		{"and all begin anew", run(View{RestartAll: true, Initialized: true, Containers: list{with(in("i", init, state.ContainerCollected), done), in("c", main, state.ContainerCollected)}}), "[reset containers start i#1]", 0},

		// Deadlines.
		{"a deadline is waited for", run(View{Deadline: 120 * second, Initialized: true, Containers: list{in("c", main, state.ContainerRunning)}}), "[]", 120 * second},
		{"and ends the pod", run(View{Deadline: now, Initialized: true, Containers: list{in("c", main, state.ContainerRunning)}}), "[begin finish stop c]", 0},
		{"also one that never started", View{State: state.PodWaiting, Wanted: true, Deadline: now, Containers: list{wait("c", main)}}, "[begin finish remove sandbox finish]", 0},
		{"an evicted pod ends", run(View{Terminal: true, Initialized: true, Containers: list{in("c", main, state.ContainerRunning)}}), "[begin finish stop c]", 0},
	} {
		t.Run(tc.name, func(t *testing.T) { checkPlan(t, tc.v, now, tc.want, tc.wake) })
	}
}
