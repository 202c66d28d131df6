package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/board"
	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
	"podd/netns/diagnose"
	"podd/runtime/sandbox"
)

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
