package cli

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/apitest"
)

// deletions keeps what it is asked to delete.
type deletions struct {
	*apitest.Fake
	asked string
}

func (d *deletions) DeletePod(ctx context.Context, namespace, name string, o *metav1.DeleteOptions) error {
	d.asked += namespace + "/" + name
	if o.GracePeriodSeconds != nil {
		d.asked += fmt.Sprint(" ", *o.GracePeriodSeconds)
	}
	return d.Fake.DeletePod(ctx, namespace, name, o)
}

func TestDelete(t *testing.T) {
	const warning = "Warning: its manifest stays, so that the pod starts anew; remove the file to end it for good\n"
	const together = "error: --force and --grace-period greater than 0 cannot be specified together\n"
	tests := []struct {
		args, asked string
		want        result
	}{
		{"pod a", "default/a", result{"pod \"a\" deleted\n", warning, 0}},
		{"pod/a", "default/a", result{"pod \"a\" deleted\n", warning, 0}},
		{"pods b -n kiosk", "kiosk/b", result{"pod \"b\" deleted\n", warning, 0}},
		{"pod a --grace-period 5", "default/a 5", result{"pod \"a\" deleted\n", warning, 0}},
		{"pod a --grace-period 0", "default/a 1", result{"pod \"a\" deleted\n", warning, 0}},
		{"pod a --now", "default/a 1", result{"pod \"a\" deleted\n", warning, 0}},
		{"pod a --force", "default/a 0", result{"pod \"a\" force deleted\n", warning, 0}},
		{"pod a --force --grace-period 0", "default/a 0", result{"pod \"a\" force deleted\n", warning, 0}},
		{"pod going", "default/going", result{"pod \"going\" deleted\n", "", 0}}, // its manifest is gone
		{"pod none a", "default/a", result{"pod \"a\" deleted\n", warning + "Error from server (NotFound): pods \"none\" not found\n", 1}},
		{"pod bad", "", result{"", "Error from server (BadRequest): pod bad has no containers: its manifest was refused: bad.yaml: no\n", 1}},
		{"pod a --now --grace-period 5", "", result{"", "error: --now and --grace-period cannot be specified together\n", 1}},
		{"pod a --force --grace-period 5", "", result{"", together, 1}},
		{"pod a --force --now", "", result{"", together, 1}},
		{"pod a --grace-period -2", "", result{"", "error: --grace-period must be greater than or equal to -1\n", 1}},
		{"node board", "", result{"", "error: only pods and persistentvolumeclaims can be deleted, not nodes\n", 1}},
		{"pod", "", result{"", "error: name a pod to delete, as in podd delete pod NAME\n", 1}},
		{"", "", result{"", "error: name a pod to delete, as in podd delete pod NAME\n", 1}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			d := &deletions{Fake: apitest.New(
				apitest.Pod("a"), apitest.Refused("bad", "bad.yaml: no"),
				apitest.Pod("b", func(p *corev1.Pod) { p.Namespace = "kiosk" }),
				apitest.Pod("going", func(p *corev1.Pod) { p.DeletionTimestamp = new(apitest.Ago(0)) }),
			)}
			got := podd(t, nil, append(append([]string{"delete"}, words(tt.args)...), "--socket", apitest.Serve(t, d))...)
			if got != tt.want || d.asked != tt.asked {
				t.Errorf("got  %+v, asked %q\nwant %+v, asked %q", got, d.asked, tt.want, tt.asked)
			}
		})
	}
}
