package logs

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkDrain is a flood of short lines from pipe to log.
func BenchmarkDrain(b *testing.B) {
	l := newLab(b)
	l.c.MaxSize, l.c.MaxFiles = 10<<20, 5
	l.open()
	text := bytes.Repeat([]byte("2026-05-01 INFO request served in 12 ms path=/\n"), chunk/47)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if _, err := unix.Write(l.wr[Stdout], text); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		l.drain(Stdout)
	}
	b.StopTimer()
	l.c.shop.squeezers.Wait()
}

// BenchmarkIdleContainers is one line at a time from more containers than have
// descriptors.
func BenchmarkIdleContainers(b *testing.B) {
	shop := &workshop{}
	labs := make([]*lab, 100)
	for i := range labs {
		labs[i] = newLab(b)
		labs[i].c.shop = shop
		labs[i].open()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l := labs[i%len(labs)]
		l.say(Stdout, "GET / 200\n")
		l.drain(Stdout)
		i++
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	b.ReportMetric(float64(len(entries)-4*len(labs)), "fds")
}
