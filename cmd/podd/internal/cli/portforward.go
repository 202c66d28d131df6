package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"podd/cmd/podd/internal/client"
)

// forward is one `podd port-forward`.
type forward struct {
	client      *client.Client
	namespace   string
	addresses   []string
	out, errOut io.Writer
}

// portPair is one pair of ports.
type portPair struct {
	local  string // "": any
	remote string // a number or a name
}

func newPortForwardCommand(o *options) *cobra.Command {
	f := &forward{}
	cmd := &cobra.Command{
		Use:     "port-forward (POD|svc/NAME) [LOCAL:]REMOTE...",
		Short:   "Reach ports of a pod from this machine",
		Example: "  podd port-forward web 8080:80\n  podd port-forward svc/front :80",
		Long: `Listen here and pass each connection on to a port on the pod's localhost, until
interrupted. LOCAL is REMOTE if it is left out, and any free port if it is empty (:80).
REMOTE is a number or the name of a port. Of a Service, REMOTE is the Service's port,
and one ready pod behind it is taken.`,
		Args: named("name a pod or svc/NAME, and at least one port", cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.client, f.out, f.errOut = o.client(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return f.run(cmd.Context(), args[0], args[1:])
		},
	}
	addNamespace(cmd, &f.namespace)
	cmd.Flags().StringSliceVar(&f.addresses, "address", []string{"localhost"}, "addresses to listen on: IP addresses, or localhost")
	return cmd
}

func (f *forward) run(ctx context.Context, arg string, ports []string) error {
	var mappings []portPair
	for _, p := range ports {
		m, err := parsePortPair(p)
		if err != nil {
			return err
		}
		mappings = append(mappings, m)
	}
	addresses, err := parseAddresses(f.addresses)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	var listeners []net.Listener
	closeAll := sync.OnceFunc(func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	})
	defer closeAll()
	for _, m := range mappings {
		pod, remote, err := f.target(ctx, arg, m.remote)
		if err != nil {
			return err
		}
		opened, err := f.listen(addresses, m, remote)
		listeners = append(listeners, opened...)
		if err != nil {
			return err
		}
		for _, l := range opened {
			all.Go(func() { f.serve(ctx, l, pod, remote) })
		}
	}
	defer context.AfterFunc(ctx, closeAll)()
	all.Wait()
	return nil
}

func parsePortPair(s string) (portPair, error) {
	local, remote, both := strings.Cut(s, ":")
	if !both {
		remote = local
		if _, err := strconv.ParseUint(remote, 10, 16); err != nil {
			local = "" // a name: its number is known later
		}
	}
	if local != "" {
		if n, err := strconv.ParseUint(local, 10, 16); err != nil || n == 0 {
			return portPair{}, fmt.Errorf("%q is not a port: it must be between 1 and 65535", local)
		}
	}
	if n, err := strconv.ParseInt(remote, 10, 64); remote == "" || err == nil && (n < 1 || n > 65535) {
		return portPair{}, fmt.Errorf("%q is not a port: it must be between 1 and 65535, or a name", remote)
	}
	return portPair{local, remote}, nil
}

// parseAddresses turns localhost into the addresses of both families, of which one may be missing.
func parseAddresses(list []string) ([]string, error) {
	var out []string
	for _, a := range list {
		switch {
		case a == "localhost":
			out = append(out, "127.0.0.1", "::1")
		case net.ParseIP(a) != nil:
			out = append(out, a)
		default:
			return nil, fmt.Errorf("%q is not an address to listen on: give an IP address or localhost", a)
		}
	}
	return out, nil
}

// listen opens a port on all addresses. It is an error if none can be opened.
func (f *forward) listen(addresses []string, m portPair, remote int) ([]net.Listener, error) {
	var opened []net.Listener
	var errs []error
	local := m.local
	if local == "" {
		local = "0"
	}
	for _, a := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(a, local))
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot listen on %s: %w", net.JoinHostPort(a, local), err))
			continue
		}
		_, local, _ = net.SplitHostPort(l.Addr().String())
		fmt.Fprintf(f.out, "Forwarding from %s -> %d\n", l.Addr(), remote)
		opened = append(opened, l)
	}
	if len(opened) == 0 {
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

func (f *forward) serve(ctx context.Context, l net.Listener, pod string, remote int) {
	_, local, _ := net.SplitHostPort(l.Addr().String())
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		fmt.Fprintf(f.out, "Handling connection for %s\n", local)
		go func() {
			defer conn.Close()
			if err := f.client.Forward(ctx, conn, f.podPath(pod), remote); err != nil {
				fmt.Fprintf(f.errOut, "error: %v\n", err)
			}
		}()
	}
}

// target finds the pod and its port that an argument means.
func (f *forward) target(ctx context.Context, arg, port string) (pod string, number int, err error) {
	kind, name, ok := strings.Cut(arg, "/")
	if ok {
		r, err := parseResource(kind)
		if err != nil {
			return "", 0, err
		}
		switch r.plural {
		case "services":
			return f.behind(ctx, name, port)
		case "pods":
			arg = name
		default:
			return "", 0, fmt.Errorf("%q is neither a pod nor a Service", arg)
		}
	}
	var p corev1.Pod
	if err := f.client.Object(ctx, f.podPath(arg), nil, client.AcceptObject, &p); err != nil {
		return "", 0, err
	}
	if n, err := strconv.Atoi(port); err == nil {
		return arg, n, nil
	}
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.Name == port {
				return arg, int(cp.ContainerPort), nil
			}
		}
	}
	return "", 0, fmt.Errorf("pod %q has no port named %q", arg, port)
}

// behind finds a ready pod behind a Service, and where it serves the Service's port.
func (f *forward) behind(ctx context.Context, name, port string) (pod string, number int, err error) {
	namespace := "namespaces/" + url.PathEscape(f.namespace) + "/"
	var s corev1.Service
	if err := f.client.Object(ctx, "/api/v1/"+namespace+"services/"+url.PathEscape(name), nil, client.AcceptObject, &s); err != nil {
		return "", 0, err
	}
	var wanted *corev1.ServicePort
	for i := range s.Spec.Ports {
		if p := &s.Spec.Ports[i]; p.Name == port || strconv.Itoa(int(p.Port)) == port {
			wanted = p
		}
	}
	if wanted == nil {
		return "", 0, fmt.Errorf("the Service %q has no port %s", name, port)
	}
	var slices discoveryv1.EndpointSliceList
	q := url.Values{"labelSelector": {discoveryv1.LabelServiceName + "=" + name}}
	if err := f.client.Object(ctx, "/apis/discovery.k8s.io/v1/"+namespace+"endpointslices", q, client.AcceptObject, &slices); err != nil {
		return "", 0, err
	}
	for _, slice := range slices.Items {
		for _, p := range slice.Ports {
			if p.Name == nil || *p.Name != wanted.Name || p.Port == nil {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.TargetRef != nil && e.TargetRef.Kind == "Pod" && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
					return e.TargetRef.Name, int(*p.Port), nil
				}
			}
		}
	}
	return "", 0, fmt.Errorf("no ready pod is behind port %s of Service %q", port, name)
}

func (f *forward) podPath(pod string) string {
	return "/api/v1/namespaces/" + url.PathEscape(f.namespace) + "/pods/" + url.PathEscape(pod)
}
