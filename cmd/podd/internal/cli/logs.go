package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/client"
	"podd/runtime/api"
)

// logs is one `podd logs`.
type logs struct {
	*options
	namespace, container, sinceTime string
	follow, previous, timestamps    bool
	all, prefix                     bool
	tail, limit                     int64
	since                           time.Duration
}

func newLogsCommand(o *options) *cobra.Command {
	l := &logs{options: o}
	cmd := &cobra.Command{
		Use:     "logs [-f] [-p] POD [CONTAINER]",
		Short:   "Print what a container has written",
		Example: "  podd logs -f web\n  podd logs web -c app --since 10m --timestamps\n  podd logs -p web",
		Args:    named("name a pod", cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				if l.container != "" {
					return errors.New("only one of -c or an inline [CONTAINER] arg is allowed")
				}
				l.container = args[1]
			}
			return l.run(cmd, args[0])
		},
		ValidArgsFunction: completePod(o),
	}
	addNamespace(cmd, &l.namespace)
	f := cmd.Flags()
	f.StringVarP(&l.container, "container", "c", "", "container to print the log of")
	f.BoolVarP(&l.follow, "follow", "f", false, "go on printing what is written")
	f.BoolVarP(&l.previous, "previous", "p", false, "print the log of the attempt before the present one")
	f.BoolVar(&l.timestamps, "timestamps", false, "begin each line with its time")
	f.BoolVar(&l.all, "all-containers", false, "print the logs of all containers")
	f.BoolVar(&l.prefix, "prefix", false, "begin each line with the pod and container")
	f.Int64Var(&l.tail, "tail", -1, "print only so many of the last lines")
	f.Int64Var(&l.limit, "limit-bytes", 0, "print at most so many bytes")
	f.DurationVar(&l.since, "since", 0, "print only lines newer than this, as 5s, 2m or 3h")
	f.StringVar(&l.sinceTime, "since-time", "", "print only lines after this time (RFC 3339)")
	mustComplete(cmd, "container", completeContainer(o))
	return cmd
}

func (l *logs) run(cmd *cobra.Command, arg string) error {
	name, err := podName(arg)
	if err != nil {
		return err
	}
	q, err := l.query(cmd)
	if err != nil {
		return err
	}
	var p corev1.Pod
	if err := l.client().Object(cmd.Context(), client.PodPath(l.namespace, name), nil, client.AcceptObject, &p); err != nil {
		return err
	}
	containers := []string{l.container}
	switch {
	case l.all && l.container != "":
		return errors.New("--all-containers=true should not be specified with container name " + l.container)
	case l.all:
		containers = append(containerNames(p.Spec.InitContainers), containerNames(p.Spec.Containers)...)
		if len(containers) == 0 {
			containers = []string{""} // the daemon says why there are none
		}
	case l.container == "":
		containers[0] = defaultContainer(cmd.ErrOrStderr(), &p)
	}
	out, _ := rawOutput(cmd)
	return l.print(cmd.Context(), out, &p, containers, q)
}

// defaultContainer is the one that the pod's annotation names, or the first; when there was
// a choice it is said, in kubectl's words.
func defaultContainer(w io.Writer, p *corev1.Pod) string {
	names := containerNames(p.Spec.Containers)
	if name := p.Annotations["kubectl.kubernetes.io/default-container"]; name != "" {
		return name
	}
	if len(names) == 0 {
		return ""
	}
	if all := append(names, containerNames(p.Spec.InitContainers)...); len(all) > 1 {
		printDefaulted(w, names[0], api.DescribeContainers(p))
	}
	return names[0]
}

func printDefaulted(w io.Writer, name, all string) {
	fmt.Fprintf(w, "Defaulted container %q out of: %s\n", name, all)
}

func (l *logs) query(cmd *cobra.Command) (url.Values, error) {
	q := url.Values{}
	for name, set := range map[string]bool{"follow": l.follow, "previous": l.previous, "timestamps": l.timestamps} {
		if set {
			q.Set(name, "true")
		}
	}
	switch {
	case l.since != 0 && l.sinceTime != "":
		return nil, errors.New("only one of --since-time / --since may be used")
	case l.since < 0:
		return nil, errors.New("--since must be greater than 0")
	case l.since > 0:
		q.Set("sinceSeconds", strconv.FormatInt(int64((l.since+time.Second-1)/time.Second), 10))
	case l.sinceTime != "":
		if _, err := time.Parse(time.RFC3339, l.sinceTime); err != nil {
			return nil, fmt.Errorf("--since-time %q is not a time as 2006-01-02T15:04:05Z", l.sinceTime)
		}
		q.Set("sinceTime", l.sinceTime)
	}
	switch {
	case l.tail < -1:
		return nil, errors.New("--tail must be greater than or equal to -1")
	case l.tail >= 0:
		q.Set("tailLines", strconv.FormatInt(l.tail, 10))
	}
	if cmd.Flags().Changed("limit-bytes") {
		if l.limit <= 0 {
			return nil, errors.New("--limit-bytes must be greater than 0")
		}
		q.Set("limitBytes", strconv.FormatInt(l.limit, 10))
	}
	return q, nil
}

// stream copies the log of one container to w.
func (l *logs) stream(ctx context.Context, w io.Writer, p *corev1.Pod, container string, q url.Values) error {
	q.Set("container", container)
	resp, err := l.client().Get(ctx, client.PodPath(p.Namespace, p.Name)+"/log", q, "*/*")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	switch {
	case ctx.Err() != nil:
		return context.Canceled
	case err != nil:
		return fmt.Errorf("the log of container %q ended early: %w", container, err)
	}
	return nil
}

// print prints the logs one after the other, or, when it follows several, as lines come.
func (l *logs) print(ctx context.Context, out io.Writer, p *corev1.Pod, containers []string, q url.Values) error {
	shared := &printers.LineOutput{W: out}
	stream := func(container string, q url.Values) error {
		w := &printers.LineWriter{Out: shared}
		if l.prefix {
			w.Prefix = fmt.Sprintf("[pod/%s/%s] ", p.Name, container)
		}
		if !l.prefix && len(containers) == 1 {
			return l.stream(ctx, out, p, container, q) // bytes as they come
		}
		return errors.Join(l.stream(ctx, w, p, container, q), w.Flush())
	}
	errs := make([]error, len(containers))
	if !l.follow {
		for i, c := range containers {
			errs[i] = stream(c, q)
		}
		return errors.Join(errs...)
	}
	var wg sync.WaitGroup
	for i, c := range containers {
		wg.Go(func() { errs[i] = stream(c, maps.Clone(q)) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
