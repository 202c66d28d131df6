package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"podd/test/lab"
)

// settle is how long after the last stamp the CPU is read: what is still going on for a pod then counts too.
const settle = 200 * time.Millisecond

const patience = 2 * time.Minute

// podd is a node with the binary under test.
type podd struct {
	*lab.Node
	binary string
	serial int
}

func newPodd(binary string, group *lab.Cgroup, w *workload) (*podd, error) {
	node, err := lab.NewNode(lab.Options{Podd: binary, Cgroup: group, Name: "podd"})
	if err != nil {
		return nil, err
	}
	p := &podd{Node: node, binary: binary}
	if err := p.boot(); err != nil {
		return nil, err
	}
	if output, err := p.Podd("images", "load", w.archive).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot load the image: %w: %s", err, output)
	}
	// A machine whose disk is full would lose it between two runs.
	if output, err := p.Podd("images", "pin", image).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot keep the image: %w: %s", err, output)
	}
	return p, nil
}

func (p *podd) boot() error { return errors.Join(p.Start(), p.Ready(patience)) }

func (p *podd) logPattern(pod string) string {
	return filepath.Join(p.Logs, "default_"+pod+"_*", "*", "0.log")
}

// cpuSince is what everything on the node has used since then.
func (p *podd) cpuSince(before time.Duration) (time.Duration, error) {
	now, err := p.Cgroup().CPU()
	return now - before, err
}

// first drops one pod and measures up to the first instruction of the last of its containers.
func (p *podd) first(containers int) (cost, error) {
	return p.firstOf(containers, manifest)
}

// firstOf is first for pods of another kind.
func (p *podd) firstOf(containers int, manifest func(name string, containers int) string) (cost, error) {
	p.serial++
	name := fmt.Sprintf("first-%d", p.serial)
	before, err := p.Cgroup().CPU()
	if err != nil {
		return cost{}, err
	}
	start := monotonic()
	if err := p.Drop(name+".yaml", manifest(name, containers)); err != nil {
		return cost{}, err
	}
	stamp, err := awaitStamps(p.logPattern(name), containers, patience)
	if err != nil {
		return cost{}, fmt.Errorf("%w; podd said:\n%s", err, lastLines(p.Output(), 5))
	}
	time.Sleep(settle)
	cpu, err := p.cpuSince(before)
	return cost{wall: stamp - start, cpu: cpu}, err
}

// removeLast removes the pod that first made and measures up to the watch event that says that it is gone.
func (p *podd) removeLast() (cost, error) {
	name := fmt.Sprintf("first-%d", p.serial)
	gone, err := p.watchGone(name)
	if err != nil {
		return cost{}, err
	}
	before, err := p.Cgroup().CPU()
	if err != nil {
		return cost{}, err
	}
	start := monotonic()
	if err := p.Remove(name + ".yaml"); err != nil {
		return cost{}, err
	}
	select {
	case err = <-gone:
	case <-time.After(patience):
		err = errors.New("the watch does not tell that the pod is gone")
	}
	wall := monotonic() - start
	if err != nil {
		return cost{}, err
	}
	time.Sleep(settle)
	cpu, err := p.cpuSince(before)
	return cost{wall: wall, cpu: cpu}, err
}

// watchGone watches the pods; the channel gets a value when the named one has been deleted.
func (p *podd) watchGone(name string) (<-chan error, error) {
	response, err := p.Stream("/api/v1/namespaces/default/pods?watch=true")
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("watch: %s", response.Status)
	}
	gone := make(chan error, 1)
	go func() {
		defer response.Body.Close()
		decoder := json.NewDecoder(response.Body)
		for {
			var event struct {
				Type   string
				Object struct{ Metadata struct{ Name string } }
			}
			if err := decoder.Decode(&event); err != nil {
				gone <- err
				return
			}
			if event.Type == "DELETED" && event.Object.Metadata.Name == name {
				gone <- nil
				return
			}
		}
	}()
	return gone, nil
}

// exec runs a program that does nothing in the pod that first made.
func (p *podd) exec() (cost, error) {
	command := p.Podd("exec", fmt.Sprintf("first-%d", p.serial), "--", "/stamp", "x")
	before, err := p.Cgroup().CPU()
	if err != nil {
		return cost{}, err
	}
	start := monotonic()
	output, err := command.CombinedOutput()
	wall := monotonic() - start
	if err != nil {
		return cost{}, fmt.Errorf("podd exec: %w: %s", err, output)
	}
	cpu, err := p.cpuSince(before)
	// The client is a child of the bench and not in the node's cgroup.
	return cost{wall: wall, cpu: cpu + ownCPU(command.ProcessState)}, err
}

// many starts the daemon with so many manifests and measures up to the first instruction of the last pod, then what
// stopping the daemon with all its pods takes.
func (p *podd) many(count int, while func() error) (start, stop cost, err error) {
	if err := p.Stop(patience); err != nil {
		return start, stop, err
	}
	prefix := fmt.Sprintf("many-%d-", p.serial)
	p.serial++
	files := map[string]string{}
	for i := range count {
		name := fmt.Sprintf("%s%d", prefix, i)
		files[name+".yaml"] = manifest(name, 1)
	}
	return p.folder(files, prefix, count, while)
}

// replicas does the same with one Deployment.
func (p *podd) replicas(count int) (start cost, err error) {
	if err := p.Stop(patience); err != nil {
		return start, err
	}
	name := fmt.Sprintf("many-%d", p.serial)
	p.serial++
	start, _, err = p.folder(map[string]string{name + ".yaml": deployment(name, count)}, name+"-", count, nil)
	return start, err
}

// folder starts the daemon in front of files from which count pods come whose names begin with prefix, and stops it with them.
func (p *podd) folder(files map[string]string, prefix string, count int, while func() error) (start, stop cost, err error) {
	for name, text := range files {
		if err := p.Drop(name, text); err != nil {
			return start, stop, err
		}
	}
	before, err := p.Cgroup().CPU()
	if err != nil {
		return start, stop, err
	}
	began := monotonic()
	if err := p.Start(); err != nil {
		return start, stop, err
	}
	stamp, err := awaitStamps(p.logPattern(prefix+"*"), count, patience)
	if err != nil {
		return start, stop, fmt.Errorf("%w; podd said:\n%s", err, lastLines(p.Output(), 5))
	}
	time.Sleep(settle)
	cpu, err := p.cpuSince(before)
	if err != nil {
		return start, stop, err
	}
	start = cost{wall: max(0, stamp-began), cpu: cpu}
	if while != nil {
		if err := while(); err != nil {
			return start, stop, err
		}
	}
	stop, err = p.stopAll()
	if err != nil {
		return start, stop, err
	}
	for name := range files {
		if err := p.Remove(name); err != nil {
			return start, stop, err
		}
	}
	return start, stop, p.boot()
}

func (p *podd) stopAll() (cost, error) {
	before, err := p.Cgroup().CPU()
	if err != nil {
		return cost{}, err
	}
	began := monotonic()
	if err := p.Stop(patience); err != nil {
		return cost{}, err
	}
	wall := monotonic() - began
	cpu, err := p.cpuSince(before)
	return cost{wall: wall, cpu: cpu}, err
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
