package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/client"
	"podd/runtime/api/apitest"
)

func TestReboot(t *testing.T) {
	important := func(p *corev1.Pod) { p.Spec.Priority = new(int32(2_000_000_000)) }
	done := func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
	scratch := func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	}
	const cordoned, uncordoned = "node/board cordoned\n", "node/board uncordoned\n"
	const evicting = "evicting pod default/scratch\nevicting pod default/web\npod/scratch evicted\npod/web evicted\nevicting pod default/first\npod/first evicted\n"
	const late = "not all pods have gone within 1ms"
	for _, c := range []struct {
		args, pods, asked, out, err string
		before, after               bool // whether the board is cordoned
		fails, without              bool // logind refuses; there is none
	}{
		{args: "reboot", asked: "evict scratch,evict web,evict first,Reboot", out: cordoned + evicting + "node/board is rebooting\n", after: true},
		{args: "poweroff board --grace-period=3", asked: "evict scratch 3,evict web 3,evict first 3,PowerOff", out: cordoned + evicting + "node/board is going off\n", after: true},
		{args: "reboot", asked: "evict scratch,evict web,evict first,Reboot", out: evicting + "node/board is rebooting\n", before: true, after: true},
		{args: "reboot", pods: "kept", out: cordoned + uncordoned, err: late + ", and the board stays up: --force lets it go down all the same"},
		{args: "reboot", pods: "kept", err: late + ", and the board stays up: --force lets it go down all the same", before: true, after: true},
		{args: "reboot --force", pods: "kept", asked: "Reboot", out: cordoned + "Warning: " + late + ": those that are left end with the board\nnode/board is rebooting\n", after: true},
		{args: "reboot", asked: "evict scratch,evict web,evict first,Reboot", out: cordoned + evicting + uncordoned, err: "not now", fails: true},
		{args: "reboot", err: "podd has nobody to ask for a reboot: no bus; podd drain makes the board ready, then reboot it as you are used to", without: true},
		{args: "reboot --dry-run=client", out: "node/board cordoned (dry run)\nevicting pod default/scratch (dry run)\nevicting pod default/web (dry run)\n" +
			"evicting pod default/first (dry run)\nnode/board is rebooting (dry run)\n"},
		{args: "reboot other", err: `nodes "other" not found`},
		{args: "reboot --grace-period=-2", err: "--grace-period must be greater than or equal to -1"},
	} {
		e := &evictions{Fake: apitest.New(apitest.Pod("static"), made("daemon", "DaemonSet"), made("first", "ReplicaSet", important), made("web", "ReplicaSet"),
			made("scratch", "StatefulSet", scratch), made("done", "Job", done))}
		args := strings.Fields(c.args)
		if c.pods != "" {
			e.Put(made(c.pods, "ReplicaSet"))
			args = append(args, "--timeout=1ms")
		}
		if c.before {
			if err := e.SetUnschedulable(t.Context(), true, false); err != nil {
				t.Fatal(err)
			}
		}
		socket := apitest.Serve(t, e)
		var out bytes.Buffer
		root := &cobra.Command{Use: "podd", SilenceErrors: true, SilenceUsage: true}
		root.AddCommand(Commands(&Options{
			Client: func() *client.Client { return client.New(socket, io.Discard) },
			Answers: func(context.Context) error {
				if c.without {
					return errors.New("no bus")
				}
				return nil
			},
			GoDown: func(_ context.Context, way string) error {
				e.add(way)
				if c.fails {
					return errors.New("not now")
				}
				return nil
			},
		})...)
		root.SetArgs(args)
		root.SetOut(&out)
		root.SetErr(&out)
		said := ""
		if err := root.ExecuteContext(t.Context()); err != nil {
			said = err.Error()
		}
		got, asked := out.String(), strings.Join(e.said(), ",")
		if c.pods != "" { // which pods were asked to go in that time depends on the machine
			got, asked = withoutEvictions(got), strings.Join(withoutPods(e.said()), ",")
		}
		if got != c.out || said != c.err || asked != c.asked {
			t.Errorf("podd %s:\n%s%s, asked %q, want\n%s%s, %q", c.args, got, said, asked, c.out, c.err, c.asked)
		}
		n := e.Node()
		if n.Spec.Unschedulable != c.after || (n.Annotations[untilBoot] == "true") != (c.after && !c.before) {
			t.Errorf("podd %s: the board is cordoned: %v, %v", c.args, n.Spec.Unschedulable, n.Annotations)
		}
	}
}

func withoutEvictions(out string) string {
	var kept strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "evicting pod") && !strings.HasPrefix(line, "pod/") && !strings.HasPrefix(line, "error when evicting") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func withoutPods(asked []string) (verbs []string) {
	for _, a := range asked {
		if !strings.HasPrefix(a, "evict ") {
			verbs = append(verbs, a)
		}
	}
	return verbs
}
