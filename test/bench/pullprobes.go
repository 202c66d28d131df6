package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const probeWindow = 20 * time.Second

// pullBesideProbes measures whether probes keep their moments beside pulls: 30 pods are probed each second, and say when they
// were. The noise is what two windows without a pull differ by.
func (b *bench) pullBesideProbes() error {
	const pods = 30
	if err := b.loadAnswerer(); err != nil {
		return err
	}
	remove, err := b.withPods(pods, func(name string) string { return httpProbed(name, 1) })
	if err != nil {
		return err
	}
	var windows [3]time.Duration
	for i := range windows {
		end, done := make(chan struct{}), make(chan error, 1)
		from := monotonic()
		if i < 2 {
			close(done)
		} else {
			go func() { done <- b.pullUntil(end) }()
		}
		time.Sleep(probeWindow)
		to := monotonic()
		close(end)
		if err := <-done; err != nil {
			return err
		}
		if windows[i], err = b.late(pods, from, to); err != nil {
			return err
		}
	}
	if err := remove(); err != nil {
		return err
	}
	quiet := max(windows[0], windows[1])
	noise := max(quiet-min(windows[0], windows[1]), time.Millisecond)
	b.add(newRow(fmt.Sprintf("probes of %d pods beside pulls: off their moment, 99 of 100", pods), "ms")).set("podd", ms(windows[2])).
		judge(windows[2] <= quiet+noise, "<= without a pull (%s, %s) and its noise", ms(windows[0]), ms(windows[1]))
	return nil
}

// pullUntil pulls and removes the image again and again.
func (b *bench) pullUntil(end <-chan struct{}) error {
	for {
		select {
		case <-end:
			return nil
		default:
		}
		for _, args := range [][]string{{"images", "pull", "--progress=plain", pulledImage}, {"images", "rm", pulledImage}} {
			if _, err := timed(b.node.Podd(args...)); err != nil {
				return err
			}
		}
	}
}

// late is by how much the time between two probes of a container was another than their period, of 99 of 100.
func (b *bench) late(pods int, from, to time.Duration) (time.Duration, error) {
	var off []time.Duration
	for i := range pods {
		output, err := b.node.Podd("exec", fmt.Sprintf("probed-%d", i), "-c", "server", "--", "/answerer", "moments").CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("cannot ask for the moments of probes: %w: %s", err, output)
		}
		// Three probes have the same period: the moments of each are a second apart, and so every third is.
		var moments []time.Duration
		for word := range strings.FieldsSeq(string(output)) {
			n, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return 0, err
			}
			if at := time.Duration(n); at >= from && at <= to {
				moments = append(moments, at)
			}
		}
		for i := 3; i < len(moments); i++ {
			off = append(off, (moments[i] - moments[i-3] - time.Second).Abs())
		}
	}
	if len(off) == 0 {
		return 0, fmt.Errorf("nobody was probed")
	}
	slices.Sort(off)
	return off[len(off)*99/100], nil
}
