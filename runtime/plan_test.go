package runtime

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	always    = corev1.RestartPolicyAlways
	onFailure = corev1.RestartPolicyOnFailure
	never     = corev1.RestartPolicyNever
)

func one(c ContainerView) []ContainerView {
	c.Name = "c"
	return []ContainerView{c}
}

// TestPlan states every decision as a row: what is seen, what is done, when to look again.
func TestPlan(t *testing.T) {
	const now = 100 * time.Second
	ready := ContainerView{State: ContainerWaiting, Attempt: -1, Image: true}
	for _, tc := range []struct {
		name string
		v    View
		want string
		wake time.Duration
	}{
		{"new pod", View{State: PodWaiting, Wanted: true, RestartPolicy: always, Containers: one(ready)}, "[ensure sandbox start c#0]", 0},
		{
			"two containers start in their order",
			View{State: PodWaiting, Wanted: true, Containers: []ContainerView{{Name: "a", State: ContainerWaiting, Attempt: -1, Image: true}, {Name: "b", State: ContainerWaiting, Attempt: -1, Image: true}}},
			"[ensure sandbox start a#0 start b#0]", 0,
		},
		{"waits for the old pod of its name", View{State: PodWaiting, Wanted: true, Blocked: true, Containers: one(ready)}, "[]", 0},
		{"sandbox back-off", View{State: PodWaiting, Wanted: true, SandboxAfter: 120 * time.Second, Containers: one(ready)}, "[]", 120 * time.Second},
		{"missing image is said", View{State: PodWaiting, Wanted: true, Containers: one(ContainerView{State: ContainerWaiting, Attempt: -1})}, "[ensure sandbox await image of c]", 0},
		{"missing image is said once", View{State: PodRunning, Wanted: true, Containers: one(ContainerView{State: ContainerWaiting, Attempt: -1, Awaited: true})}, "[]", 0},
		{"image has come", View{State: PodRunning, Wanted: true, Containers: one(ContainerView{State: ContainerWaiting, Attempt: -1, Awaited: true, Image: true})}, "[start c#0]", 0},
		{"removed before it began", View{State: PodWaiting, Containers: one(ready)}, "[begin stop remove sandbox forget]", 0},
		{"all is well", View{State: PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: ContainerRunning})}, "[]", 0},
		{"Always restarts a success", View{State: PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: ContainerExited, Attempt: 3, Image: true})}, "[collect c#3 start c#4]", 0},
		{
			"Always in back-off",
			View{State: PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: ContainerExited, Attempt: 3, Failed: true, Image: true, NotBefore: 110 * time.Second})},
			"[collect c#3]", 110 * time.Second,
		},
		{
			"back-off over",
			View{State: PodRunning, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: ContainerCollected, Attempt: 3, Failed: true, Image: true, NotBefore: now})},
			"[start c#4]", 0,
		},
		{"OnFailure restarts a failure", View{State: PodRunning, Wanted: true, RestartPolicy: onFailure, Containers: one(ContainerView{State: ContainerExited, Failed: true, Image: true})}, "[collect c#0 start c#1]", 0},
		{"OnFailure leaves a success", View{State: PodRunning, Wanted: true, RestartPolicy: onFailure, Containers: one(ContainerView{State: ContainerExited, Image: true})}, "[begin finish collect c#0 remove sandbox finish]", 0},
		{"Never tries a void start again", View{State: PodRunning, Wanted: true, RestartPolicy: never, Containers: one(ContainerView{State: ContainerExited, Void: true, Failed: true, Image: true, NotBefore: 110 * time.Second})}, "[collect c#0]", 110 * time.Second},
		{"Never leaves a failure", View{State: PodRunning, Wanted: true, RestartPolicy: never, Containers: one(ContainerView{State: ContainerExited, Failed: true, Image: true})}, "[begin finish collect c#0 remove sandbox finish]", 0},
		{
			"one of two has ended for good",
			View{State: PodRunning, Wanted: true, RestartPolicy: never, Containers: []ContainerView{{Name: "a", State: ContainerExited}, {Name: "b", State: ContainerRunning}}},
			"[collect a#0]", 0,
		},
		{"removed", View{State: PodRunning, Containers: one(ContainerView{State: ContainerRunning})}, "[begin stop stop c]", 0},
		{"grace goes on", View{State: PodStopping, Containers: one(ContainerView{State: ContainerStopping, KillAt: 130 * time.Second})}, "[]", 130 * time.Second},
		{"grace is over", View{State: PodStopping, Containers: one(ContainerView{State: ContainerStopping, KillAt: now})}, "[kill c]", 0},
		{"killed, not dead yet", View{State: PodStopping, Containers: one(ContainerView{State: ContainerStopping, KillAt: now, Killed: true})}, "[]", 0},
		{"ended", View{State: PodStopping, Containers: one(ContainerView{State: ContainerExited, Attempt: 2})}, "[collect c#2 remove sandbox forget]", 0},
		{"wanted again while it ends", View{State: PodStopping, Wanted: true, RestartPolicy: always, Containers: one(ContainerView{State: ContainerStopping, KillAt: 130 * time.Second})}, "[]", 130 * time.Second},
		{"no restart while it ends", View{State: PodStopping, RestartPolicy: always, Containers: one(ContainerView{State: ContainerCollected, Failed: true, Image: true})}, "[remove sandbox forget]", 0},
		{"finished and wanted", View{State: PodFinished, Wanted: true, RestartPolicy: never, Containers: one(ContainerView{State: ContainerCollected})}, "[]", 0},
		{"finished and removed", View{State: PodFinished, RestartPolicy: never, Containers: one(ContainerView{State: ContainerCollected})}, "[begin stop remove sandbox forget]", 0},
	} {
		t.Run(tc.name, func(t *testing.T) { checkPlan(t, tc.v, now, tc.want, tc.wake) })
	}
}

func checkPlan(t *testing.T, v View, now time.Duration, want string, wake time.Duration) {
	t.Helper()
	got := plan(v, now)
	if fmt.Sprint(got.Actions) != want || got.Wake != wake {
		t.Errorf("got %v, wake %v; want %s, wake %v", got.Actions, got.Wake, want, wake)
	}
}
