package lifecycle

import (
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	"podd/test/harness"
	"podd/test/lab"
)

// Two boards, each on a network of its own, and an uplink between them that routes. Pods reach the world and the other board's host
// ports with their board's address, in both families; one board moves to another network, its firewall is flushed again
// and again, its daemon dies, and the connections of its pods among themselves go on.
//
// e2e: Networking :: should provide Internet connection for containers
func TestTwoBoards(t *testing.T) {
	t.Parallel()
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("nft is not here to flush the firewall")
	}
	first, second := harness.NewBoard(t), harness.NewBoard(t, func(o *lab.Options) { o.Name += "-second" }) // no two daemons own one cgroup
	uplink := first.Neighbour()
	first.Shell(uplink, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	first.Shell(second.Netns(), "ip link add lan0 type veth peer name eth1 netns "+uplink+`
		ip addr add 198.51.100.1/24 dev lan0; ip addr add 2001:db8:2::1/64 dev lan0 nodad; ip link set lan0 up`)
	first.Shell(uplink, "ip addr add 198.51.100.2/24 dev eth1; ip addr add 2001:db8:2::2/64 dev eth1 nodad; ip link set eth1 up")
	first.Shell(second.Netns(), "ip route add default via 198.51.100.2; ip route add default via 2001:db8:2::2")
	first.Answer(uplink, "uplink", 9000)
	var pods []string
	for _, b := range []*harness.Board{first, second} {
		b.MustDrop("web", harness.PortPod("web", "{containerPort: 8080, hostPort: 54328}"))
		b.MustDrop("other", harness.OnePod("other", harness.Forever))
		pods = append(pods, b.NetnsOf("web"))
	}
	other := first.NetnsOf("other")
	web := first.Running("web")
	sees := func(netns, addr, want string) {
		t.Helper()
		first.Must(lab.Poll(harness.Limit, func() (bool, error) {
			who, from, err := harness.Asked(netns, "tcp", addr)
			return who == "uplink" && from == want, fmt.Errorf("%s is answered by %q, which sees %q, %w; want %s", addr, who, from, orNothing(err), want)
		}))
	}
	reaches := func(netns, addr string) {
		t.Helper()
		first.Must(lab.Poll(harness.Limit, func() (bool, error) {
			said := harness.AnswersTo(netns, addr)
			return said == "web", fmt.Errorf("%s says %q", addr, said)
		}))
	}
	sees(pods[0], harness.OtherAddr+":9000", harness.BoardAddr)
	sees(pods[0], "["+harness.OtherAddr6+"]:9000", harness.BoardAddr6)
	sees(pods[1], "198.51.100.2:9000", "198.51.100.1")
	reaches(pods[0], "198.51.100.1:54328")
	reaches(pods[0], "[2001:db8:2::1]:54328")
	reaches(pods[1], harness.BoardAddr+":54328")

	streams := []*harness.Echoes{
		dialFrom(t, first, other, web.Status.PodIP+":8081"), dialFrom(t, first, other, "["+web.Status.PodIPs[1].IP+"]:8081"), first.Connect(web.Status.PodIP + ":8081"),
	}
	goOn := func(when string) {
		t.Helper()
		for _, s := range streams {
			s.Exchange(t, when)
		}
	}
	goOn("at first")
	first.Shell(uplink, "ip addr flush dev eth0 scope global; ip addr add 203.0.113.2/24 dev eth0; ip addr add 2001:db8:3::2/64 dev eth0 nodad")
	first.Shell(first.Netns(), `ip addr flush dev lan0 scope global; ip addr add 203.0.113.1/24 dev lan0; ip addr add 2001:db8:3::1/64 dev lan0 nodad
		ip route replace default via 203.0.113.2; ip route replace default via 2001:db8:3::2`)
	goOn("after a move to another network")
	sees(pods[0], "203.0.113.2:9000", "203.0.113.1")
	sees(pods[0], "[2001:db8:3::2]:9000", "2001:db8:3::1")
	reaches(pods[1], "203.0.113.1:54328")
	first.Must(lab.Poll(harness.Limit, func() (bool, error) {
		pod := first.MustPod("web")
		return pod.Status.HostIP == "203.0.113.1", fmt.Errorf("the pod's hostIP is %s", pod.Status.HostIP)
	}))
	for round := range 10 {
		if round == 4 {
			first.MustKill9()
		}
		if round == 7 {
			first.MustStart()
		}
		first.Must(first.In(nft, "flush", "ruleset").Run())
		goOn(fmt.Sprint("flush ", round))
	}
	reaches(pods[1], "203.0.113.1:54328")
	second.MustRemove("other")
	second.Gone("other")
	reaches(pods[0], "198.51.100.1:54328")
}

// dialFrom connects from a network namespace to a server that sends back what it gets.
func dialFrom(t *testing.T, b *harness.Board, netns, addr string) *harness.Echoes {
	t.Helper()
	var c net.Conn
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		err := lab.InNetns(netns, func() (err error) {
			c, err = (&net.Dialer{Timeout: time.Second, FallbackDelay: -1}).Dial("tcp", addr)
			return err
		})
		return err == nil, err
	}))
	t.Cleanup(func() { c.Close() })
	return &harness.Echoes{Conn: c}
}

// orNothing is an error that can be wrapped in any case.
func orNothing(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	return err
}
