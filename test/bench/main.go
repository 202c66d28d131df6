// Command bench measures podd beside podman, crun and runc, those of them that are on PATH, and prints one table with the
// project's targets beside each row. All runs of one row are interleaved and the medians are shown, so that a busy
// machine slows all alike. It works in namespaces and a cgroup of its own and leaves nothing behind. Needs root.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"podd/test/lab"
)

type flags struct {
	podd, rows string
	repeat     int
	idle       time.Duration
	pods       string
	features   string
}

func main() {
	var f flags
	flag.StringVar(&f.podd, "podd", "bin/podd", "the `binary` to measure")
	flag.StringVar(&f.rows, "rows", strings.Join(rowNames(), ","), "which rows to measure")
	flag.IntVar(&f.repeat, "repeat", 9, "runs of each contender for the rows about one pod")
	flag.DurationVar(&f.idle, "idle", 60*time.Second, "how long the daemon is left alone for the idle row")
	flag.StringVar(&f.pods, "pods", "1,10,30,100", "numbers of pods for the rows about many")
	flag.StringVar(&f.features, "features", "", "of the ext4 file system for what is written to a disk: mkfs.ext4 -O")
	flag.Parse()
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "bench: needs root for namespaces, cgroups and mounts")
		os.Exit(1)
	}
	group := lab.Isolate(func(code int) int { return code })
	if err := run(f, group); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// group of rows that are measured together.
type measurement struct {
	name string
	run  func(*bench) error
}

func measurements() []measurement {
	return []measurement{
		{"first", (*bench).first},
		{"two", (*bench).two},
		{"stop", (*bench).stop},
		{"exec", (*bench).exec},
		{"userns", (*bench).userns},
		{"confined", (*bench).confined},
		{"many", (*bench).many},
		{"replicas", (*bench).replicas},
		{"memory", (*bench).memory},
		{"idle", (*bench).idle},
		{"probes", (*bench).probes},
		{"disk", (*bench).disk},
		{"network", (*bench).network},
		{"dns", (*bench).dns},
		{"volumes", (*bench).volumes},
		{"names", (*bench).dnsDeath},
		{"load", (*bench).load},
		{"pull", (*bench).pull},
		{"gigabyte", (*bench).pullGigabyte},
		{"pullprobes", (*bench).pullProbes},
		{"size", (*bench).size},
	}
}

func rowNames() []string {
	var names []string
	for _, m := range measurements() {
		names = append(names, m.name)
	}
	return names
}

func run(f flags, group *lab.Cgroup) error {
	dir, err := os.MkdirTemp("/var/tmp", "podd-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if f.podd, err = filepath.Abs(f.podd); err != nil {
		return err
	}
	b := &bench{flags: f, dir: dir, group: group}
	defer b.close()
	if err := b.prepare(); err != nil {
		return err
	}
	wanted := strings.Split(f.rows, ",")
	for _, m := range measurements() {
		if !slices.Contains(wanted, m.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s …\n", m.name)
		if err := m.run(b); err != nil {
			b.notes = append(b.notes, fmt.Sprintf("%s was not measured: %v", m.name, err))
		}
	}
	if err := print(os.Stdout, b.rows); err != nil {
		return err
	}
	for _, note := range b.notes {
		fmt.Println("note:", note)
	}
	return nil
}
