package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/apitest"
)

// evictions keeps what it is asked for, and lets a pod named kept stay.
type evictions struct {
	*apitest.Fake

	mu    sync.Mutex // what was asked for in time may still be on its way when a command has ended
	asked []string
}

// said is what it was asked for so far.
func (e *evictions) said() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

func (e *evictions) add(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, what)
}

func (e *evictions) EvictPod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	e.note("evict", name, o)
	if name == "kept" {
		return apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
	}
	return e.Fake.EvictPod(ctx, namespace, name, o)
}

func (e *evictions) DeletePod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	e.note("delete", name, o)
	return e.Fake.DeletePod(ctx, namespace, name, o)
}

func (e *evictions) note(what, name string, o *metav1.DeleteOptions) {
	if o.GracePeriodSeconds != nil {
		name += fmt.Sprint(" ", *o.GracePeriodSeconds)
	}
	e.add(what + " " + name)
}

func made(name, kind string, edit ...func(*corev1.Pod)) *corev1.Pod {
	return apitest.Pod(name, append(edit, func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: "of", UID: "of", Controller: new(true)}}
		p.Labels = map[string]string{"name": name}
		p.Spec.NodeName = "board"
	})...)
}

func TestDrain(t *testing.T) {
	scratch := func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	}
	const cordoned, stay = "node/board cordoned\n", "Warning: pods of the folder stay: default/static\n"
	for _, c := range []struct {
		args, asked string
		want        result
	}{
		{"", "", result{cordoned, `unable to drain node "board": cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/daemon, ` +
			"cannot delete Pods with local storage (use --delete-emptydir-data to override): default/scratch"}},
		{"--ignore-daemonsets --pod-selector name!=scratch,name!=kept", "evict web", result{
			cordoned + "Warning: ignoring DaemonSet-managed Pods: default/daemon\n" + stay + "evicting pod default/web\npod/web evicted\nnode/board drained\n", "",
		}},
		{"--ignore-daemonsets --delete-emptydir-data --grace-period 7 --pod-selector name!=kept", "evict scratch 7,evict web 7", result{
			cordoned + "Warning: ignoring DaemonSet-managed Pods: default/daemon\n" + stay +
				"evicting pod default/scratch\nevicting pod default/web\npod/scratch evicted\npod/web evicted\nnode/board drained\n", "",
		}},
		{"--disable-eviction --pod-selector name=kept", "delete kept", result{cordoned + "evicting pod default/kept\npod/kept deleted\nnode/board drained\n", ""}},
		{"--dry-run=client --pod-selector name=web", "", result{"node/board cordoned (dry run)\nevicting pod default/web (dry run)\nnode/board drained (dry run)\n", ""}},
		{"--timeout 1ms --pod-selector name=kept", "evict kept", result{"", "drain did not complete within 1ms"}},
		{"--grace-period -2", "", result{"", "--grace-period must be greater than or equal to -1"}},
		{"other", "", result{"", `nodes "other" not found`}},
	} {
		e := &evictions{Fake: apitest.New(apitest.Pod("static"), made("daemon", "DaemonSet"), made("web", "ReplicaSet"), made("kept", "ReplicaSet"),
			made("scratch", "ReplicaSet", scratch), made("waits", "ReplicaSet", func(p *corev1.Pod) { p.Spec.NodeName = "" }))}
		e.Remove("default", "waits")
		waits := made("waits", "ReplicaSet")
		waits.Spec.NodeName = ""
		e.Put(waits)
		got := podd(t, apitest.Serve(t, e), append([]string{"drain"}, strings.Fields(c.args)...)...)
		asked := e.said()
		if strings.HasPrefix(c.args, "--timeout") {
			got.out, asked = "", asked[:min(len(asked), 1)]
			if len(asked) == 0 { // it was too late already
				asked = []string{"evict kept"}
			}
			if strings.Contains(got.err, "deadline exceeded") {
				got.err = c.want.err
			}
		}
		if got != c.want || strings.Join(asked, ",") != c.asked {
			t.Errorf("podd drain %s:\n%+v, asked %q, want\n%+v, %q", c.args, got, asked, c.want, c.asked)
		}
	}
}
