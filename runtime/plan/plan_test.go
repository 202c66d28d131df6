package plan

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

const (
	always    = corev1.RestartPolicyAlways
	onFailure = corev1.RestartPolicyOnFailure
	never     = corev1.RestartPolicyNever
)

// second is one on the clock since boot.
const second = state.BootTime(time.Second)

func one(c ContainerView) []ContainerView {
	c.Name = "c"
	return []ContainerView{c}
}

// TestPlan states every decision as a row: what is seen, what is done, when to look again.
func TestPlan(t *testing.T) {
	const now = 100 * second
	ready := ContainerView{State: state.ContainerWaiting, Attempt: -1, Image: true}
	for _, tc := range []struct {
		name string
		v    View
		want string
		wake state.BootTime
	}{
		{"new pod", View{State: state.PodWaiting, Wanted: true, RestartPolicy: always, Containers: one(ready)}, "[ensure sandbox start c#0]", 0},
		{
			"two containers start in their order",
			View{State: state.PodWaiting, Wanted: true, Containers: []ContainerView{{Name: "a", State: state.ContainerWaiting, Attempt: -1, Image: true}, {Name: "b", State: state.ContainerWaiting, Attempt: -1, Image: true}}},
			"[ensure sandbox start a#0 start b#0]", 0,
		},
		{"waits for the old pod of its name", View{State: state.PodWaiting, Wanted: true, Blocked: true, Containers: one(ready)}, "[]", 0},
		{"sandbox back-off", View{State: state.PodWaiting, Wanted: true, SandboxAfter: 120 * second, Containers: one(ready)}, "[]", 120 * second},
		{"missing image is said", View{State: state.PodWaiting, Wanted: true, Containers: one(ContainerView{State: state.ContainerWaiting, Attempt: -1})}, "[ensure sandbox await image of c]", 0},
		{"missing image is said once", View{State: state.PodRunning, Wanted: true, Containers: one(ContainerView{State: state.ContainerWaiting, Attempt: -1, Awaited: true})}, "[]", 0},
		{"image has come", View{State: state.PodRunning, Wanted: true, Containers: one(ContainerView{State: state.ContainerWaiting, Attempt: -1, Awaited: true, Image: true})}, "[start c#0]", 0},
		{"removed before it began", View{State: state.PodWaiting, Containers: one(ready)}, "[begin stop remove sandbox forget]", 0},
		{"all is well", View{State: state.PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: state.ContainerRunning})}, "[]", 0},
		{"always restarts a success", View{State: state.PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: state.ContainerExited, Attempt: 3, Image: true})}, "[collect c#3 start c#4]", 0},
		{
			"always in back-off",
			View{State: state.PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: state.ContainerExited, Attempt: 3, Failed: true, Image: true, NotBefore: 110 * second})},
			"[collect c#3]", 110 * second,
		},
		{
			"back-off over",
			View{State: state.PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: state.ContainerCollected, Attempt: 3, Failed: true, Image: true, NotBefore: now})},
			"[start c#4]", 0,
		},
		{"OnFailure restarts a failure", View{State: state.PodRunning, Wanted: true, RestartPolicy: onFailure, Containers: one(ContainerView{State: state.ContainerExited, Failed: true, Image: true})}, "[collect c#0 start c#1]", 0},
		{"OnFailure leaves a success", View{State: state.PodRunning, Wanted: true, RestartPolicy: onFailure, Containers: one(ContainerView{State: state.ContainerExited, Image: true})}, "[begin finish collect c#0 remove sandbox finish]", 0},
		{"Never tries a void start again", View{State: state.PodRunning, Wanted: true, RestartPolicy: never, Containers: one(ContainerView{State: state.ContainerExited, Void: true, Failed: true, Image: true, NotBefore: 110 * second})}, "[collect c#0]", 110 * second},
		{"Never leaves a failure", View{State: state.PodRunning, Wanted: true, RestartPolicy: never, Containers: one(ContainerView{State: state.ContainerExited, Failed: true, Image: true})}, "[begin finish collect c#0 remove sandbox finish]", 0},
		{
			"one of two has ended for good",
			View{State: state.PodRunning, Wanted: true, RestartPolicy: never, Containers: []ContainerView{{Name: "a", State: state.ContainerExited}, {Name: "b", State: state.ContainerRunning}}},
			"[collect a#0]", 0,
		},
		{"removed", View{State: state.PodRunning, Containers: one(ContainerView{State: state.ContainerRunning})}, "[begin stop stop c]", 0},
		{"grace goes on", View{State: state.PodStopping, Containers: one(ContainerView{State: state.ContainerStopping, KillAt: 130 * second})}, "[]", 130 * second},
		{"grace is over", View{State: state.PodStopping, Containers: one(ContainerView{State: state.ContainerStopping, KillAt: now})}, "[kill c]", 0},
		{"killed, not dead yet", View{State: state.PodStopping, Containers: one(ContainerView{State: state.ContainerStopping, KillAt: now, Killed: true})}, "[]", 0},
		{"ended", View{State: state.PodStopping, Containers: one(ContainerView{State: state.ContainerExited, Attempt: 2})}, "[collect c#2 remove sandbox forget]", 0},
		{"wanted again while it ends", View{State: state.PodStopping, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: state.ContainerStopping, KillAt: 130 * second})}, "[]", 130 * second},
		{"no restart while it ends", View{State: state.PodStopping, RestartPolicy: always, Containers: one(ContainerView{State: state.ContainerCollected, Failed: true, Image: true})}, "[remove sandbox forget]", 0},
		{"finished and wanted", View{State: state.PodFinished, Wanted: true, RestartPolicy: never, Containers: one(ContainerView{State: state.ContainerCollected})}, "[]", 0},
		{"finished and removed", View{State: state.PodFinished, RestartPolicy: never, Containers: one(ContainerView{State: state.ContainerCollected})}, "[begin stop remove sandbox forget]", 0},
	} {
		t.Run(tc.name, func(t *testing.T) { checkPlan(t, tc.v, now, tc.want, tc.wake) })
	}
}

func checkPlan(t *testing.T, v View, now state.BootTime, want string, wake state.BootTime) {
	t.Helper()
	got := Compute(v, now)
	if fmt.Sprint(got.Actions) != want || got.Wake != wake {
		t.Errorf("got %v, wake %v; want %s, wake %v", got.Actions, got.Wake, want, wake)
	}
}
