package main

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed testdata/stamp.c
var stampSource string

// workload is what all contenders run: one static program in an otherwise empty root.
type workload struct {
	dir     string // of everything below
	root    string // an unpacked root with /stamp and /true
	archive string // the same as an image named image
	big     string // an image archive of about 110 MB in three layers
}

const image = "podd.bench/stamp:1"

func newWorkload(dir string) (*workload, error) {
	w := &workload{
		dir: dir, root: filepath.Join(dir, "root"),
		archive: filepath.Join(dir, "stamp.tar"), big: filepath.Join(dir, "big.tar"),
	}
	if err := os.MkdirAll(w.root, 0o755); err != nil {
		return nil, err
	}
	source := filepath.Join(dir, "stamp.c")
	if err := os.WriteFile(source, []byte(stampSource), 0o600); err != nil {
		return nil, err
	}
	binary := filepath.Join(w.root, "stamp")
	if output, err := exec.Command("gcc", "-O2", "-static", "-s", "-o", binary, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot compile the workload: %w\n%s", err, output)
	}
	return w, w.writeArchives()
}

// manifest is a pod with the given number of containers that run the workload.
func manifest(name string, containers int) string {
	text := &strings.Builder{}
	fmt.Fprintf(text, "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  terminationGracePeriodSeconds: 5\n  containers:\n", name)
	for i := range containers {
		fmt.Fprintf(text, "  - {name: c%d, image: %q, imagePullPolicy: Never, command: [/stamp]}\n", i, image)
	}
	return text.String()
}

// readOnly is such a pod whose containers cannot write to their root file systems.
func readOnly(name string, containers int) string {
	return strings.ReplaceAll(manifest(name, containers), "command: [/stamp]", "command: [/stamp], securityContext: {readOnlyRootFilesystem: true}")
}

// deployment is a Deployment of as many pods as manifest makes.
func deployment(name string, replicas int) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - {name: c0, image: %[3]q, imagePullPolicy: Never, command: [/stamp]}
`, name, replicas, image)
}

// awaitStamps waits until count log files match the pattern and hold a stamp, and returns the latest one.
func awaitStamps(pattern string, count int, limit time.Duration) (time.Duration, error) {
	if count == 0 {
		return 0, nil
	}
	stamps := map[string]time.Duration{}
	for deadline := time.Now().Add(limit); len(stamps) < count; {
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d of %d containers have written to %s within %s", len(stamps), count, pattern, limit)
		}
		// Rarely: the bench must not take the processor from what it measures. The stamps say when, not the bench.
		time.Sleep(20 * time.Millisecond)
		files, err := filepath.Glob(pattern)
		if err != nil {
			return 0, err
		}
		for _, file := range files {
			if _, known := stamps[file]; known {
				continue
			}
			if stamp, ok := readStamp(file); ok {
				stamps[file] = stamp
			}
		}
	}
	return slices.Max(slices.Collect(maps.Values(stamps))), nil
}

// readStamp reads the last word of a log's first line, whatever the log format puts before it.
func readStamp(file string) (time.Duration, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	line, _, whole := strings.Cut(string(data), "\n")
	fields := strings.Fields(line)
	if !whole || len(fields) == 0 {
		return 0, false
	}
	ns, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
	return time.Duration(ns), err == nil
}
