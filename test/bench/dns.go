package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"podd/test/lab"
)

// resolverAddress is where the pods' name server is with podd's defaults.
const resolverAddress = "10.210.0.1:53"

// dns measures podd's name server on a node of its own, with an upstream on the node's loopback that knows everything.
func (b *bench) dns() (err error) {
	config, resolv := filepath.Join(b.dir, "dns.yaml"), filepath.Join(b.dir, "resolv.conf")
	err = errors.Join(os.WriteFile(resolv, []byte("nameserver 127.0.0.1\n"), 0o600), os.WriteFile(config, []byte("resolvConf: "+resolv+"\n"), 0o600))
	if err != nil {
		return err
	}
	node, err := lab.NewNode(lab.Options{Podd: b.flags.podd, Cgroup: b.group, Name: "names", Args: []string{"--config", config}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	var upstream *net.UDPConn
	if err := lab.InNetns(node.Netns(), func() (err error) {
		upstream, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 53})
		return err
	}); err != nil {
		return err
	}
	defer upstream.Close()
	go answerAll(upstream)
	if err := errors.Join(node.Start(), node.Ready(patience)); err != nil {
		return err
	}
	time.Sleep(restBefore)
	return b.dnsRows(node)
}

func (b *bench) dnsRows(node *lab.Node) error {
	const questions, names = 200_000, 20_000
	before := daemonMemory(node)
	own, err := askMany(node, questions, func(int) string { return "dns-version.cluster.local" })
	if err != nil {
		return err
	}
	if _, err := askMany(node, names, func(i int) string { return fmt.Sprintf("host-%d.example.com", i) }); err != nil {
		return err
	}
	kept, err := askMany(node, questions, func(int) string { return "www.example.com" })
	if err != nil {
		return err
	}
	time.Sleep(restBefore) // memory is given back at rest
	after := daemonMemory(node)
	b.perSecond("name server: names of its own, a second of one core", own)
	b.perSecond("name server: names from its cache, a second of one core", kept)
	more := after.anonymous - before.anonymous
	b.add(newRow(fmt.Sprintf("  more memory of the daemon with a full cache, after %d other names", names), "MiB")).
		set("podd", mib(more)).judge(more < 3<<20, "< 3")
	return nil
}

func (b *bench) perSecond(name string, answers float64) {
	b.add(newRow(name, "")).set("podd", fmt.Sprintf("%.0f", answers)).judge(answers >= 20_000, ">= 20000")
}

func daemonMemory(node *lab.Node) memory {
	return parseRollup(readString(fmt.Sprintf("/proc/%d/smaps_rollup", node.Pid())))
}

// askMany asks n questions, several at a time, and returns how many the daemon answers in a second of its CPU.
func askMany(node *lab.Node, n int, name func(int) string) (perSecond float64, err error) {
	const clients = 16
	before, err := readIdleness(node.Pid())
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	errs := make([]error, clients)
	var all sync.WaitGroup
	for c := range clients {
		var conn net.Conn
		if err := lab.InNetns(node.Netns(), func() (err error) { conn, err = net.Dial("udp", resolverAddress); return err }); err != nil {
			return 0, err
		}
		defer conn.Close()
		all.Go(func() {
			for i := int(next.Add(1)); i <= n && errs[c] == nil; i = int(next.Add(1)) {
				errs[c] = askOne(conn, uint16(i), name(i))
			}
		})
	}
	all.Wait()
	after, err := readIdleness(node.Pid())
	return float64(n) / (after.cpu - before.cpu).Seconds(), errors.Join(append(errs, err)...)
}

func askOne(conn net.Conn, id uint16, name string) error {
	request := binary.BigEndian.AppendUint16(nil, id)
	request = append(request, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	from := 0
	for i := 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '.' {
			request = append(append(request, byte(i-from)), name[from:i]...)
			from = i + 1
		}
	}
	request = append(request, 0, 0, 255, 0, 1)
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer := make([]byte, 512)
	got, err := conn.Read(answer)
	if err != nil {
		return fmt.Errorf("no answer for %s: %w", name, err)
	}
	if got < 12 || binary.BigEndian.Uint16(answer) != id || answer[3]&0xf != 0 || answer[7] == 0 {
		return fmt.Errorf("a wrong answer for %s: %x", name, answer[:got])
	}
	return nil
}

// answerAll answers every question with one text.
func answerAll(conn *net.UDPConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		end := 12
		for end < n && buf[end] != 0 {
			end += 1 + int(buf[end])
		}
		end += 5
		if end > n {
			continue
		}
		out := append([]byte(nil), buf[:end]...)
		copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0})
		out = append(out, 0xc0, 12, 0, 16, 0, 1, 0, 0, 14, 16, 0, 5, 4, 't', 'e', 'x', 't')
		_, _ = conn.WriteToUDPAddrPort(out, from)
	}
}
