package test

import (
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

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
	first, second := newBoard(t), newBoard(t, func(o *lab.Options) { o.Name += "-second" }) // no two daemons own one cgroup
	uplink := first.neighbour()
	first.shell(uplink, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	first.shell(second.Netns(), "ip link add lan0 type veth peer name eth1 netns "+uplink+`
		ip addr add 198.51.100.1/24 dev lan0; ip addr add 2001:db8:2::1/64 dev lan0 nodad; ip link set lan0 up`)
	first.shell(uplink, "ip addr add 198.51.100.2/24 dev eth1; ip addr add 2001:db8:2::2/64 dev eth1 nodad; ip link set eth1 up")
	first.shell(second.Netns(), "ip route add default via 198.51.100.2; ip route add default via 2001:db8:2::2")
	first.answer(uplink, "uplink", 9000)
	var pods []string
	for _, b := range []*Board{first, second} {
		b.drop("web", portPod("web", "{containerPort: 8080, hostPort: 54328}"))
		b.drop("other", onePod("other", forever))
		pods = append(pods, b.netnsOf("web"))
	}
	other := first.netnsOf("other")
	web := first.running("web")
	sees := func(netns, addr, want string) {
		t.Helper()
		first.must(lab.Poll(limit, func() (bool, error) {
			who, from, err := asked(netns, "tcp", addr)
			return who == "uplink" && from == want, fmt.Errorf("%s is answered by %q, which sees %q, %w; want %s", addr, who, from, orNothing(err), want)
		}))
	}
	reaches := func(netns, addr string) {
		t.Helper()
		first.must(lab.Poll(limit, func() (bool, error) {
			said := answersTo(netns, addr)
			return said == "web", fmt.Errorf("%s says %q", addr, said)
		}))
	}
	sees(pods[0], otherAddr+":9000", boardAddr)
	sees(pods[0], "["+otherAddr6+"]:9000", boardAddr6)
	sees(pods[1], "198.51.100.2:9000", "198.51.100.1")
	reaches(pods[0], "198.51.100.1:54328")
	reaches(pods[0], "[2001:db8:2::1]:54328")
	reaches(pods[1], boardAddr+":54328")

	streams := []*echoes{
		dialFrom(t, first, other, web.Status.PodIP+":8081"), dialFrom(t, first, other, "["+web.Status.PodIPs[1].IP+"]:8081"), first.connect(web.Status.PodIP + ":8081"),
	}
	goOn := func(when string) {
		t.Helper()
		for _, s := range streams {
			s.exchange(t, when)
		}
	}
	goOn("at first")
	first.shell(uplink, "ip addr flush dev eth0 scope global; ip addr add 203.0.113.2/24 dev eth0; ip addr add 2001:db8:3::2/64 dev eth0 nodad")
	first.shell(first.Netns(), `ip addr flush dev lan0 scope global; ip addr add 203.0.113.1/24 dev lan0; ip addr add 2001:db8:3::1/64 dev lan0 nodad
		ip route replace default via 203.0.113.2; ip route replace default via 2001:db8:3::2`)
	goOn("after a move to another network")
	sees(pods[0], "203.0.113.2:9000", "203.0.113.1")
	sees(pods[0], "[2001:db8:3::2]:9000", "2001:db8:3::1")
	reaches(pods[1], "203.0.113.1:54328")
	first.must(lab.Poll(limit, func() (bool, error) {
		pod := first.pod("web")
		return pod.Status.HostIP == "203.0.113.1", fmt.Errorf("the pod's hostIP is %s", pod.Status.HostIP)
	}))
	for round := range 10 {
		if round == 4 {
			first.kill9()
		}
		if round == 7 {
			first.start()
		}
		first.must(first.In(nft, "flush", "ruleset").Run())
		goOn(fmt.Sprint("flush ", round))
	}
	reaches(pods[1], "203.0.113.1:54328")
	second.remove("other")
	second.gone("other")
	reaches(pods[0], "198.51.100.1:54328")
}

// dialFrom connects from a network namespace to a server that sends back what it gets.
func dialFrom(t *testing.T, b *Board, netns, addr string) *echoes {
	t.Helper()
	var c net.Conn
	b.must(lab.Poll(limit, func() (bool, error) {
		err := lab.InNetns(netns, func() (err error) {
			c, err = (&net.Dialer{Timeout: time.Second, FallbackDelay: -1}).Dial("tcp", addr)
			return err
		})
		return err == nil, err
	}))
	t.Cleanup(func() { c.Close() })
	return &echoes{Conn: c}
}

// orNothing is an error that can be wrapped in any case.
func orNothing(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	return err
}
