package board

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func forwarding(m *Machine) []Finding {
	if m.read("/proc/sys/net/ipv4/ip_forward") == "1" {
		return one("ip_forward", OK, "packets are forwarded", "")
	}
	return one("ip_forward", Warn, "net.ipv4.ip_forward is 0: podd sets it when it starts; if it is 0 while podd runs, something sets it back", "set net.ipv4.ip_forward = 1 in /etc/sysctl.d/podd.conf, and look for another file there that sets 0")
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
	texts := make([]string, 0, len(m.CIDRs))
	for _, c := range m.CIDRs {
		texts = append(texts, c.String())
	}
	return one("addresses", OK, "no other network has addresses of the pods' ("+strings.Join(texts, ", ")+")", "")
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
