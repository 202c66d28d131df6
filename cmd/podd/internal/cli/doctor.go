package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/board"
	"podd/cmd/podd/internal/cli/security"
	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
	"podd/internal/escape"
	"podd/netns/diagnose"
	"podd/runtime/sandbox"
)

func newDoctorCommand(o *options) *cobra.Command {
	var output string
	var defaults config.Config
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Say whether this machine can run pods, what is missing, and what to do about it",
		Example: "  podd doctor\n  podd doctor -o json",
		Long: `Look at the kernel, the cgroups, the folders, the clock, the network and the firewall of this
machine, with the daemon's configuration and without the daemon. Exit code 1 if some pods,
or all of them, cannot run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, findings, err := doctorConfig(cmd, output)
			if err != nil {
				return err
			}
			m := c.Machine(board.ReadSynced())
			findings = slices.Concat(findings, m.Programs(), diagnose.Examine(&m), c.Findings())
			return printFindings(formatOutput(cmd, output), findings, output)
		},
	}
	defaults.AddFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	cmd.AddCommand(newDoctorNetworkCommand(o), newDoctorSecurityCommand(o))
	return cmd
}

// doctorConfig is the configuration that the daemon would use, and what is to be said about it.
func doctorConfig(cmd *cobra.Command, output string) (c config.Config, findings []board.Finding, err error) {
	if output != "" && output != "json" {
		return c, nil, fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json", output)
	}
	source, err := config.NewSource(cmd.Flags())
	if err != nil {
		return c, nil, err
	}
	c, _, problem, err := source.Start()
	return c, configuration(problem), err
}

// configuration is the finding about the configuration file.
func configuration(problem error) []board.Finding {
	if problem == nil {
		return nil
	}
	return []board.Finding{{Check: "configuration", Verdict: board.Warn, Reason: problem.Error(), Remedy: "correct the file; podd run reads it again at SIGHUP"}}
}

// printFindings prints a line for each finding and its remedy below it.
func printFindings(out io.Writer, list []board.Finding, format string) error {
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"verdict": board.Worst(list), "findings": list}); err != nil {
			return err
		}
	} else {
		for _, f := range list {
			fmt.Fprintf(out, "%-4s  %-16s  %s\n", f.Verdict, f.Check, escape.Line(f.Reason))
			if f.Remedy != "" {
				fmt.Fprintf(out, "%24s-> %s\n", "", escape.Line(f.Remedy))
			}
		}
	}
	if board.Worst(list) == board.Fail {
		return exitError(exitFailed)
	}
	return nil
}

func newDoctorSecurityCommand(o *options) *cobra.Command {
	var output, pod, namespace string
	cmd := &cobra.Command{
		Use:     "security",
		Short:   "Say what confines each container that runs, and what would confine it more",
		Example: "  podd doctor security --pod web",
		Long: `Read from the kernel what confines each container that runs: its user namespace, its
capabilities, seccomp, AppArmor, no_new_privs, its root, what is masked, which of the
machine's namespaces it is in, its devices and its mounts. Below "tighter" is what its
manifest could say. It changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json", output)
			}
			if os.Geteuid() != 0 {
				return errors.New("podd doctor security needs root: it looks at the containers' processes")
			}
			var pods corev1.PodList
			if err := o.client().Object(cmd.Context(), "/api/v1/pods", nil, client.AcceptObject, &pods); err != nil {
				return err
			}
			list, err := security.Of(&pods, namespace, pod)
			if err != nil {
				return err
			}
			return security.Print(formatOutput(cmd, output), list, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	cmd.Flags().StringVar(&pod, "pod", "", "`name` of the pod to look at, else all")
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "its namespace, else all")
	return cmd
}

func newDoctorNetworkCommand(o *options) *cobra.Command {
	var output, pod, namespace string
	var defaults config.Config
	cmd := &cobra.Command{
		Use:     "network",
		Short:   "Say which hop fails on the way from a pod to the world",
		Example: "  podd doctor network\n  podd doctor network --pod web -n shop",
		Long: `Follow a pod's packets: its link, the node, forwarding, the firewall, masquerading, the
uplink, its gateway, the machine's name servers and podd's own. It sends some packets
itself and changes nothing. The first line that says fail is what to put right.
Exit code 1 if there is one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, findings, err := doctorConfig(cmd, output)
			if err != nil {
				return err
			}
			if os.Geteuid() != 0 {
				return errors.New("podd doctor network needs root: it looks from within a pod")
			}
			// The flag is the daemon's here; what all client commands go by is its default.
			if c.Socket == config.DefaultSocket {
				c.Socket = o.socket
			}
			var p board.Path
			from, err := viewpointOf(cmd.Context(), client.New(c.Socket, o.warnings), &c, namespace, pod, &p)
			if err != nil {
				return err
			}
			network := c.Network()
			if !c.PodCIDR6.IsValid() {
				network.CIDR6 = from.Network6(network.CIDR6)
			}
			if err := diagnose.Walk(&p, from, diagnose.Options{Network: network, Servers: hostServers(&c), ClusterDomain: c.ClusterDomain}); err != nil {
				return err
			}
			return printFindings(formatOutput(cmd, output), append(findings, p.Trace()...), output)
		},
	}
	defaults.AddFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	cmd.Flags().StringVar(&pod, "pod", "", "`name` of the pod to look from, else any that runs")
	cmd.Flags().StringVarP(&namespace, "namespace", "n", corev1.NamespaceDefault, "its namespace")
	return cmd
}

// viewpointOf finds the pod to look from: the one that is asked for, or any that runs in a network of its own.
func viewpointOf(ctx context.Context, daemon *client.Client, c *config.Config, namespace, pod string, p *board.Path) (diagnose.Viewpoint, error) {
	path := "/api/v1/pods"
	if pod != "" {
		path = "/api/v1/namespaces/" + url.PathEscape(namespace) + "/pods"
	}
	var list corev1.PodList
	if err := daemon.Object(ctx, path, nil, client.AcceptObject, &list); err != nil {
		if pod != "" {
			return diagnose.Viewpoint{}, err
		}
		p.Daemon = err
		v, found := diagnose.Leased(c.Network().LeaseDir, func(uid string) string { return namespaceOf(c, uid) })
		if !found {
			p.NoPod = "no pod runs"
		}
		return v, nil
	}
	for i := range list.Items {
		candidate := &list.Items[i]
		if pod != "" && candidate.Name != pod {
			continue
		}
		v := diagnose.Viewpoint{Name: candidate.Namespace + "/" + candidate.Name, Netns: namespaceOf(c, string(candidate.UID))}
		for _, ip := range candidate.Status.PodIPs {
			if a, err := netip.ParseAddr(ip.IP); err == nil {
				v.Addrs = append(v.Addrs, a)
			}
		}
		if _, err := os.Stat(v.Netns); err == nil && len(v.Addrs) > 0 && !candidate.Spec.HostNetwork {
			return v, nil
		}
		if pod != "" {
			return diagnose.Viewpoint{}, fmt.Errorf("pod %q has no network of its own to look from", v.Name)
		}
	}
	if pod != "" {
		return diagnose.Viewpoint{}, fmt.Errorf("pods %q not found in namespace %q", pod, namespace)
	}
	p.NoPod = "no pod runs in a network of its own"
	return diagnose.Viewpoint{}, nil
}

func namespaceOf(c *config.Config, uid string) string {
	return filepath.Join(c.RunDir, "ns", uid, "net")
}

// hostServers are the machine's name servers.
func hostServers(c *config.Config) []netip.Addr {
	text, err := os.ReadFile(c.ResolvConfFile())
	if err != nil {
		return nil
	}
	return sandbox.ServersOf(string(text))
}
