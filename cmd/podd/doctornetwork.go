package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/board"
	"podd/netns"
	"podd/runtime/sandbox"
)

// networkPatience is how long an answer may take that the network gives at once when it works.
const networkPatience = 1500 * time.Millisecond

func newDoctorNetworkCommand(o *options) *cobra.Command {
	var output, pod, namespace string
	var defaults Config
	cmd := &cobra.Command{
		Use:   "network",
		Short: "Say which hop fails on the way from a pod to the world",
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
			if c.Socket == defaultSocket {
				c.Socket = o.socket
			}
			p, err := walk(cmd.Context(), newClient(c.Socket, o.warnings), &c, namespace, pod)
			if err != nil {
				return err
			}
			return printFindings(formatOutput(cmd, output), append(findings, p.Trace()...), output)
		},
	}
	defaults.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	cmd.Flags().StringVar(&pod, "pod", "", "`name` of the pod to look from, else any that runs")
	cmd.Flags().StringVarP(&namespace, "namespace", "n", corev1.NamespaceDefault, "its namespace")
	return cmd
}

// viewpoint is the pod from which the network is looked at.
type viewpoint struct {
	name  string
	netns string
	addrs []netip.Addr
}

// walk looks at every hop.
func walk(ctx context.Context, client *client, c *Config, namespace, pod string) (*board.Path, error) {
	p := &board.Path{Table: "podd"}
	from, err := viewpointOf(ctx, client, c, namespace, pod, p)
	if err != nil {
		return nil, err
	}
	p.Pod = from.name
	if p.Chains, err = baseChains(); err != nil {
		return nil, err
	}
	p.Masquerade, p.MasqueradeErr = netns.Rules(p.Table, "postrouting")
	network := c.network()
	servers := hostServers(c)
	var all sync.WaitGroup
	for _, cidr := range []netip.Prefix{network.CIDR, network.CIDR6} {
		if !cidr.IsValid() || cidr.Addr().Is6() && !hasIPv6(c.Bridge) {
			continue
		}
		p.Ways = append(p.Ways, board.Way{Family: "IPv4", Node: cidr.Masked().Addr().Next()})
		if cidr.Addr().Is6() {
			p.Ways[len(p.Ways)-1].Family = "IPv6"
		}
	}
	for i := range p.Ways {
		all.Go(func() { lookAlong(&p.Ways[i], from, servers) })
	}
	if from.name != "" {
		p.OwnAddr = network.CIDR.Masked().Addr().Next()
		all.Go(func() {
			p.Own = from.inside(func() error { return question(p.OwnAddr, "dns-version."+c.ClusterDomain) })
		})
		all.Go(func() { p.Outside = from.inside(func() error { return question(p.OwnAddr, "") }) })
	}
	all.Wait()
	return p, nil
}

// hasIPv6 says whether the machine lets the pods' bridge, or the one that is to be made, have IPv6.
func hasIPv6(bridge string) bool {
	for _, name := range []string{bridge, "default"} {
		text, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6")
		if err == nil {
			return strings.TrimSpace(string(text)) == "0"
		}
	}
	return false
}

// viewpointOf finds the pod to look from: the one that is asked for, or any that runs in a network of its own.
func viewpointOf(ctx context.Context, client *client, c *Config, namespace, pod string, p *board.Path) (viewpoint, error) {
	path := "/api/v1/pods"
	if pod != "" {
		path = "/api/v1/namespaces/" + url.PathEscape(namespace) + "/pods"
	}
	var list corev1.PodList
	if err := client.object(ctx, path, nil, acceptObject, &list); err != nil {
		if pod != "" {
			return viewpoint{}, err
		}
		p.Daemon = err
		return withoutDaemon(c, p), nil
	}
	for i := range list.Items {
		candidate := &list.Items[i]
		if pod != "" && candidate.Name != pod {
			continue
		}
		v := viewpoint{name: candidate.Namespace + "/" + candidate.Name, netns: namespaceOf(c, string(candidate.UID))}
		for _, ip := range candidate.Status.PodIPs {
			if a, err := netip.ParseAddr(ip.IP); err == nil {
				v.addrs = append(v.addrs, a)
			}
		}
		if _, err := os.Stat(v.netns); err == nil && len(v.addrs) > 0 && !candidate.Spec.HostNetwork {
			return v, nil
		}
		if pod != "" {
			return viewpoint{}, fmt.Errorf("pod %q has no network of its own to look from", v.name)
		}
	}
	if pod != "" {
		return viewpoint{}, fmt.Errorf("pods %q not found in namespace %q", pod, namespace)
	}
	p.NoPod = "no pod runs in a network of its own"
	return viewpoint{}, nil
}

func namespaceOf(c *Config, uid string) string { return filepath.Join(c.RunDir, "ns", uid, "net") }

// withoutDaemon takes a pod that a dead daemon has left running, by its lease.
func withoutDaemon(c *Config, p *board.Path) viewpoint {
	network := c.network()
	leases, _ := os.ReadDir(network.LeaseDir)
	for _, lease := range leases {
		addr, err := netip.ParseAddr(lease.Name())
		uid, _ := os.Readlink(filepath.Join(network.LeaseDir, lease.Name()))
		if err != nil || uid == "" {
			continue
		}
		v := viewpoint{name: uid, netns: namespaceOf(c, uid), addrs: []netip.Addr{addr}}
		if _, err := os.Stat(v.netns); err == nil {
			v.addOthers()
			return v
		}
	}
	p.NoPod = "no pod runs"
	return viewpoint{}
}

// addOthers adds the addresses that the pod has beside the one that its lease is of.
func (v *viewpoint) addOthers() {
	_ = v.inside(func() error {
		list, err := netns.HostIPs()
		for _, a := range list {
			if !slices.Contains(v.addrs, a) {
				v.addrs = append(v.addrs, a)
			}
		}
		return err
	})
}

// inside runs fn in the pod's network.
func (v *viewpoint) inside(fn func() error) error { return netns.Do(v.netns, fn) }

// hostServers are the machine's name servers.
func hostServers(c *Config) []netip.Addr {
	text, err := os.ReadFile(c.resolvConf())
	if err != nil {
		return nil
	}
	return sandbox.ServersOf(string(text))
}
