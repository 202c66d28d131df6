package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const probeWindow = 20 * time.Second

// pullBesideProbes measures whether probes keep their moments beside pulls: 30 pods are probed each second, and say when they
// were. The noise is how far the others are off without a pull. What any program that is busy does to them is measured, too.
func (b *bench) pullBesideProbes() error {
	const pods = 30
	if err := b.loadAnswerer(); err != nil {
		return err
	}
	remove, err := b.withPods(pods, func(name string) string { return httpProbed(name, 1) })
	if err != nil {
		return err
	}
	var off [4]lateness
	for i, busy := range []func() error{nil, nil, b.unpackWithTar, b.pullAndRemove} {
		if off[i], err = b.probesBeside(pods, busy); err != nil {
			return err
		}
	}
	if err := remove(); err != nil {
		return err
	}
	first, second, tar, pull := off[0], off[1], off[2], off[3]
	quiet := max(first.most, second.most)
	title := fmt.Sprintf("probes of %d pods beside pulls: off their moment", pods)
	b.add(newRow(title+", half of them", "ms")).set("podd", ms(pull.half)).
		judge(pull.half <= max(first.half, second.half)+quiet, "<= without a pull (%s, %s) and its noise", ms(first.half), ms(second.half))
	b.add(newRow(title+", 99 of 100", "ms")).set("podd", ms(pull.most)).
		judge(pull.most <= 2*quiet-min(first.most, second.most), "<= without a pull (%s, %s) and its noise", ms(first.most), ms(second.most))
	b.notes = append(b.notes, fmt.Sprintf("beside tar x of the same image, again and again, half of the probes are off by at most %s ms, 99 of 100 by %s", ms(tar.half), ms(tar.most)))
	return nil
}

// probesBeside watches the probes while something is done again and again; nil: nothing is.
func (b *bench) probesBeside(pods int, busy func() error) (lateness, error) {
	end, done := make(chan struct{}), make(chan error, 1)
	from := monotonic()
	go func() {
		for {
			select {
			case <-end:
				done <- nil
				return
			default:
			}
			if busy == nil {
				<-end
			} else if err := busy(); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(probeWindow)
	to := monotonic()
	close(end)
	if err := <-done; err != nil {
		return lateness{}, err
	}
	return b.late(pods, from, to)
}

func (b *bench) unpackWithTar() error {
	dir := filepath.Join(b.dir, "busy")
	_, err := loadWithTar(dir, b.workload.big, "")
	return errors.Join(err, os.RemoveAll(dir))
}

func (b *bench) pullAndRemove() error {
	for _, args := range [][]string{{"images", "pull", "--progress=plain", pulledImage}, {"images", "rm", pulledImage}} {
		if _, err := timed(b.node.Podd(args...)); err != nil {
			return err
		}
	}
	return nil
}

// lateness is by how much the time between two probes of a container was another than their period, of half of them and of
// 99 of 100.
type lateness struct{ half, most time.Duration }

func (b *bench) late(pods int, from, to time.Duration) (lateness, error) {
	var off []time.Duration
	for i := range pods {
		output, err := b.node.Podd("exec", fmt.Sprintf("probed-%d", i), "-c", "server", "--", "/answerer", "moments").CombinedOutput()
		if err != nil {
			return lateness{}, fmt.Errorf("cannot ask for the moments of probes: %w: %s", err, output)
		}
		// Three probes have the same period: the moments of each are a second apart, and so every third is.
		var moments []time.Duration
		for word := range strings.FieldsSeq(string(output)) {
			n, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return lateness{}, err
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
		return lateness{}, fmt.Errorf("nobody was probed")
	}
	slices.Sort(off)
	return lateness{off[len(off)/2], off[len(off)*99/100]}, nil
}
