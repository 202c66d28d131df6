package board

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// forwardingForPods is what podd turns forwarding on with, where it was off (package netns).
const forwardingForPods = "2"

// forwarding says for each family who has made the machine forward packets, and whose.
func forwarding(m *Machine) []Finding {
	list := m.forwarding("ip_forward", "net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward")
	if slices.ContainsFunc(m.CIDRs, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		list = append(list, m.forwarding("IPv6 forwarding", "net.ipv6.conf.all.forwarding", "/proc/sys/net/ipv6/conf/all/forwarding")...)
	}
	return list
}

func (m *Machine) forwarding(check, name, file string) []Finding {
	value := m.read(file)
	switch {
	case value == "":
		return nil // a kernel without the family
	case value == "0" && m.running():
		return one(check, Warn, name+" is 0, although podd has set it: something sets it back", "remove "+name+" = 0 from /etc/sysctl.conf and /etc/sysctl.d")
	case value == "0":
		return one(check, OK, "podd turns forwarding on when it starts, for pods alone", "")
	case value == forwardingForPods && m.Router:
		return one(check, OK, "podd has turned forwarding on, and the machine routes between its other networks, as router: true has it", "")
	case value == forwardingForPods:
		return one(check, OK, "podd has turned forwarding on, for pods alone: what is neither from nor to pods is dropped, unless router: true is in the configuration", "")
	}
	return one(check, OK, fmt.Sprintf("the machine routes between its other networks, too: %s is %s, which is not podd's doing", name, value), "")
}

// running says whether podd's rules are in force.
func (m *Machine) running() bool {
	return slices.ContainsFunc(m.Chains, func(c Chain) bool { return c.Table == m.Table && c.Family == "inet" })
}

// outside says who reaches pods from there.
func outside(m *Machine) []Finding {
	text := "what pods publish (host ports, node ports, load balancers) is open to " + nets(m.PortSources, "everybody")
	if len(m.PortInterfaces) > 0 {
		text += " through " + strings.Join(m.PortInterfaces, " and ")
	}
	direct := "nobody but"
	if len(m.PodIPSources) > 0 {
		direct = nets(m.PodIPSources, "") + " and"
	}
	return one("outside", OK, text+"; pods' own addresses to "+direct+" whom their NetworkPolicies admit", "")
}

func nets(list []netip.Prefix, none string) string {
	if len(list) == 0 {
		return none
	}
	texts := make([]string, 0, len(list))
	for _, p := range list {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ", ")
}

// addresses looks for networks of the machine that have addresses of the pods'.
func addresses(m *Machine) []Finding {
	if err := m.Errors["routes"]; err != nil {
		return one("addresses", Warn, "the routes cannot be read: "+err.Error(), "")
	}
	var list []Finding
	for _, cidr := range m.CIDRs {
		for _, r := range m.Routes {
			if r.Link == "" || r.Link == "lo" || r.Link == m.Bridge || strings.HasPrefix(r.Link, "podd") || r.To.Bits() == 0 || !r.To.Overlaps(cidr) || special(r.To) {
				continue
			}
			list = append(list, Finding{"addresses", Fail, fmt.Sprintf("the pods' network %s overlaps %s, which is reached through %s", cidr, r.To, r.Link), fmt.Sprintf("give the pods another network: %s in /etc/podd/config.yaml", setting(cidr))})
		}
	}
	if len(list) > 0 {
		return list
	}
	return one("addresses", OK, "no other network has addresses of the pods' ("+nets(m.CIDRs, "none")+")", "")
}

// special are networks of which every machine has routes: link-local and multicast.
func special(p netip.Prefix) bool { return p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast() }

func setting(cidr netip.Prefix) string {
	if cidr.Addr().Is6() {
		return "podCIDR6"
	}
	return "podCIDR"
}

// engines looks for firewalls of others that drop what pods send.
func engines(m *Machine) []Finding {
	var list []Finding
	owners := map[string]bool{}
	for _, c := range m.Chains {
		if c.Table == m.Table {
			continue
		}
		if name := owner(c); name != "" {
			owners[name] = true
		}
		if c.Hook == "forward" && c.Drop {
			list = append(list, Finding{
				"firewall", Warn, fmt.Sprintf("chain %s of table %s %s drops what it does not know, and pods' packets are among it%s", c.Name, c.Family, c.Table, by(owner(c))),
				fmt.Sprintf("let the pods pass: nft insert rule %s %s %s iifname \"podd*\" accept, and the same with oifname; or turn that firewall off", c.Family, c.Table, c.Name),
			})
		}
	}
	if len(list) > 0 {
		return list
	}
	if len(owners) > 0 {
		names := make([]string, 0, len(owners))
		for name := range owners {
			names = append(names, name)
		}
		slices.Sort(names)
		return one("firewall", OK, "rules of "+strings.Join(names, " and ")+" are there, and drop nothing of the pods'", "")
	}
	return one("firewall", OK, "nobody else filters what pods send", "")
}

func by(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

// owner guesses who made a chain.
func owner(c Chain) string {
	text := strings.ToLower(c.Table + " " + c.Name)
	for _, k := range []struct{ part, name string }{
		{"firewalld", "firewalld"}, {"docker", "Docker"}, {"netavark", "podman"}, {"cni", "CNI plugins"}, {"kube", "Kubernetes"}, {"libvirt", "libvirt"}, {"ufw", "ufw"},
	} {
		if strings.Contains(text, k.part) {
			return k.name
		}
	}
	if (c.Family == "ip" || c.Family == "ip6") && c.Table == "filter" {
		return "iptables, as Docker and ufw use it"
	}
	return ""
}

func watches(m *Machine) []Finding {
	const least = 128
	if n := number(m.read("/proc/sys/fs/inotify/max_user_instances")); n >= 0 && n < least {
		return one("inotify", Warn, fmt.Sprintf("fs.inotify.max_user_instances is %d: pods that watch files will run out of it", n), "set fs.inotify.max_user_instances = 512 in /etc/sysctl.d")
	}
	if n := number(m.read("/proc/sys/kernel/pid_max")); n >= 0 && n < 4096 {
		return one("processes", Warn, fmt.Sprintf("kernel.pid_max is %d", n), "set kernel.pid_max = 32768 in /etc/sysctl.d")
	}
	return one("limits", OK, "inotify and process numbers suffice", "")
}

// number is −1 for what is not one.
func number(s string) int {
	n := 0
	if s == "" {
		return -1
	}
	for _, c := range s {
		if c < '0' || c > '9' || n > 1<<24 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
