package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"podd/test/lab"
)

// dnsDeath measures how long names are out when the daemon of 30 pods is killed and started again at once.
func (b *bench) dnsDeath() error {
	var gaps []time.Duration
	_, _, err := b.node.many(30, func() error {
		for range 5 {
			gap, err := b.node.withoutNames()
			if err != nil {
				return err
			}
			gaps = append(gaps, gap)
		}
		return nil
	})
	if err != nil {
		return err
	}
	longest := time.Duration(0)
	for _, g := range gaps {
		longest = max(longest, g)
	}
	b.add(newRow("names out over kill -9 and a new daemon of 30 pods, asked every 10 ms, longest of 5", "ms")).
		set("podd", ms(longest)).atMost(longest, time.Second)
	return nil
}

// withoutNames kills the daemon, starts the next one and says how long after the kill a question was answered again.
func (p *podd) withoutNames() (time.Duration, error) {
	killed := time.Now()
	if err := errors.Join(p.Kill9(), p.Start()); err != nil {
		return 0, err
	}
	for id := uint16(1); time.Since(killed) < patience; id++ {
		var conn net.Conn
		if err := lab.InNetns(p.Netns(), func() (err error) { conn, err = net.Dial("udp", resolverAddress); return err }); err != nil {
			return 0, err
		}
		err := askOne(conn, id, "dns-version.cluster.local")
		conn.Close()
		if err == nil {
			return time.Since(killed), p.Ready(patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 0, fmt.Errorf("no answer within %v", patience)
}
