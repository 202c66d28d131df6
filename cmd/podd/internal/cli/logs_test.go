package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/apitest"
)

func logsFake() *apitest.Fake {
	f := apitest.New(apitest.Pod("a"), apitest.Pod("two", func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Name: "one"}, {Name: "app"}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{apitest.Running("one"), apitest.Running("app")}
	}))
	f.Put(apitest.Refused("bad", "bad.yaml: no"))
	f.OnLogs = func(_ context.Context, _ string, o *corev1.PodLogOptions, w io.Writer) error {
		said := "log of " + o.Container
		if o.Timestamps {
			said += " timestamps"
		}
		if o.TailLines != nil {
			said += fmt.Sprint(" tail=", *o.TailLines)
		}
		if o.SinceSeconds != nil {
			said += fmt.Sprint(" since=", *o.SinceSeconds)
		}
		if o.SinceTime != nil {
			said += " since=" + o.SinceTime.Format("15:04")
		}
		if o.LimitBytes != nil {
			said += fmt.Sprint(" limit=", *o.LimitBytes)
		}
		_, err := fmt.Fprint(w, said+"\nmore\nend")
		return err
	}
	return f
}

func TestLogs(t *testing.T) {
	socket := apitest.Serve(t, logsFake())
	tests := []struct {
		args string
		want result
	}{
		{"logs a", result{"log of app\nmore\nend", "", 0}},
		{"logs -f a", result{"log of app\nmore\nend", "", 0}},
		{"logs pod/a app", result{"log of app\nmore\nend", "", 0}},
		{"logs two", result{"log of one\nmore\nend", "Defaulted container \"one\" out of: one, app\n", 0}},
		{"logs two -c app", result{"log of app\nmore\nend", "", 0}},
		{"logs two --all-containers", result{"log of one\nmore\nendlog of app\nmore\nend", "", 0}},
		{"logs a --prefix", result{"[pod/a/app] log of app\n[pod/a/app] more\n[pod/a/app] end", "", 0}},
		{"logs a --tail 0 --timestamps", result{"log of app timestamps tail=0\nmore\nend", "", 0}},
		{"logs a --tail -1", result{"log of app\nmore\nend", "", 0}},
		{"logs a --since 1500ms", result{"log of app since=2\nmore\nend", "", 0}},
		{"logs a --since-time 2026-05-01T09:30:00Z --limit-bytes 10", result{"log of app since=09:30 limit=10\nmore\nend", "", 0}},
		{"logs bad", result{"", "Warning: bad.yaml: no\nError from server (BadRequest): pod bad has no containers: its manifest was refused: bad.yaml: no\n", 1}},
		{"logs bad --all-containers", result{"", "Warning: bad.yaml: no\nError from server (BadRequest): pod bad has no containers: its manifest was refused: bad.yaml: no\n", 1}},
		{"logs a -p", result{"", "Error from server (BadRequest): previous terminated container \"app\" in pod \"a\" not found\n", 1}},
		{"logs a -c x", result{"", "Error from server (BadRequest): container x is not valid for pod a\n", 1}},
		{"logs b", result{"", "Error from server (NotFound): pods \"b\" not found\n", 1}},
		{"logs a app -c app", result{"", "error: only one of -c or an inline [CONTAINER] arg is allowed\n", 1}},
		{"logs a --tail -2", result{"", "error: --tail must be greater than or equal to -1\n", 1}},
		{"logs a --since 1s --since-time 2026-05-01T09:30:00Z", result{"", "error: only one of --since-time / --since may be used\n", 1}},
		{"logs a --since-time yesterday", result{"", "error: --since-time \"yesterday\" is not a time as 2006-01-02T15:04:05Z\n", 1}},
		{"logs a --limit-bytes 0", result{"", "error: --limit-bytes must be greater than 0\n", 1}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			if got := podd(t, nil, append(words(tt.args), "--socket", socket)...); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// Lines of several containers that are followed at once do not mix within a line.
func TestLogsFollowAll(t *testing.T) {
	f := logsFake()
	f.OnLogs = func(_ context.Context, _ string, o *corev1.PodLogOptions, w io.Writer) error {
		for range 200 {
			for _, part := range []string{"begin ", o.Container, " end\n"} {
				if _, err := io.WriteString(w, part); err != nil {
					return err
				}
			}
		}
		return nil
	}
	got := podd(t, nil, "logs", "-f", "two", "--all-containers", "--prefix", "--socket", apitest.Serve(t, f))
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	if len(lines) != 400 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if l != "[pod/two/one] begin one end" && l != "[pod/two/app] begin app end" {
			t.Fatalf("got line %q", l)
		}
	}
}

func TestLogsInterrupted(t *testing.T) {
	f := logsFake()
	started := make(chan struct{})
	f.OnLogs = func(ctx context.Context, _ string, _ *corev1.PodLogOptions, w io.Writer) error {
		io.WriteString(w, "line\n")
		close(started)
		<-ctx.Done()
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if got := poddContext(t, ctx, new(buffer), nil, "logs", "-f", "a", "--socket", apitest.Serve(t, f)); got.code != exitInterrupted || got.stderr != "" {
		t.Errorf("got %+v", got)
	}
}
