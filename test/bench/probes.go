package main

import (
	"archive/tar"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/images/imagetest"
	"podd/test/lab"
)

const answererImage = "podd.bench/answerer:1"

// probes measures what asking containers how they are costs the daemon; the answers are the containers' own cost.
func (b *bench) probes() error {
	if err := b.loadAnswerer(); err != nil {
		return err
	}
	if err := b.httpProbes(30); err != nil {
		return err
	}
	return b.execProbes(10)
}

// httpProbes has pods with three HTTP probes each, every five seconds.
func (b *bench) httpProbes(pods int) error {
	const period, each = 5, 3
	remove, err := b.withPods(pods, func(name string) string { return httpProbed(name, period) })
	if err != nil {
		return err
	}
	rest, err := measureIdle(b.node.Pid(), b.flags.idle)
	if err != nil {
		return err
	}
	memory := parseRollup(readString(fmt.Sprintf("/proc/%d/smaps_rollup", b.node.Pid())))
	if err := remove(); err != nil {
		return err
	}
	share := 100 * float64(rest.cpu) / float64(b.flags.idle)
	count := float64(pods*each) * b.flags.idle.Seconds() / period
	one := time.Duration(float64(rest.cpu) / count)
	b.add(newRow(fmt.Sprintf("%d pods with %d http probes each every %d s, share of a core", pods, each, period), "%")).
		set("podd", fmt.Sprintf("%.2f", share)).judge(share < 1, "< 1")
	b.add(newRow("  CPU of the daemon for one http probe", "ms")).set("podd", fmt.Sprintf("%.3f", float64(one)/1e6)).judge(one <= 300*time.Microsecond, "<= 0.3")
	b.add(newRow(fmt.Sprintf("  context switches of the daemon in %s", b.flags.idle), "")).set("podd", fmt.Sprint(rest.switches))
	b.add(newRow("  written to disk by the daemon", "KiB")).set("podd", kib(rest.written)).judge(rest.written == 0, "0")
	b.add(newRow("  memory of the daemon, PSS / anonymous", "MiB")).set("podd", mib(memory.pss)+" / "+mib(memory.anonymous))
	return nil
}

// execProbes has pods with a command every second, and compares with libcontainer alone in one of these pods.
func (b *bench) execProbes(pods int) error {
	remove, err := b.withPods(pods, execProbed)
	if err != nil {
		return err
	}
	before, err := b.node.Cgroup().CPU()
	if err != nil {
		return err
	}
	const lasts = 20 * time.Second
	daemon, err := measureIdle(b.node.Pid(), lasts)
	if err != nil {
		return err
	}
	used, err := b.node.cpuSince(before)
	if err != nil {
		return err
	}
	count := float64(pods) * lasts.Seconds()
	one, own := time.Duration(float64(used)/count), time.Duration(float64(daemon.cpu)/count)
	if err := b.removeAll(pods, "probed-", 1); err != nil {
		return err
	}
	bare, err := b.bareExec("probed-0")
	if err != nil {
		return err
	}
	if err := remove(); err != nil {
		return err
	}
	b.add(newRow("exec probe that runs nothing, CPU of everything", "ms")).set("podd", ms(one)).
		judge(float64(one) <= 1.3*float64(bare), "<= 1.3 of libcontainer alone (%s)", ms(bare))
	b.add(newRow("  of which the daemon's", "ms")).set("podd", ms(own))
	return nil
}

// bareExec is the CPU of one command by libcontainer alone, in a pod that podd made and as often as
// the probes were made.
func (b *bench) bareExec(pod string) (time.Duration, error) {
	program := filepath.Join(b.dir, "bareexec")
	if output, err := exec.Command("go", "build", "-trimpath", "-o", program, "podd/test/bareexec").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cannot build bareexec: %w\n%s", err, output)
	}
	p, err := b.node.Pod(pod)
	if err != nil {
		return 0, err
	}
	id := strings.TrimPrefix(p.Status.ContainerStatuses[0].ContainerID, "podd://")
	output, err := b.node.In(program, filepath.Join(b.node.Run, "containers"), id, "100", "100ms", "/stamp", "x").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("bareexec: %w: %s", err, output)
	}
	var cpu int64
	_, err = fmt.Sscan(string(output), &cpu)
	return time.Duration(cpu), err
}

// withPods drops pods, waits until all are ready and everything has calmed down.
func (b *bench) withPods(pods int, manifest func(name string) string) (remove func() error, err error) {
	for i := range pods {
		name := fmt.Sprintf("probed-%d", i)
		if err := b.node.Drop(name+".yaml", manifest(name)); err != nil {
			return nil, err
		}
	}
	err = lab.Poll(patience, func() (bool, error) {
		list, err := b.node.Pods()
		ready := 0
		for i := range list {
			for _, c := range list[i].Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready == pods && err == nil, fmt.Errorf("%d of %d pods are ready", ready, pods)
	})
	if err != nil {
		return nil, fmt.Errorf("%w; podd said:\n%s", err, lastLines(b.node.Output(), 5))
	}
	time.Sleep(restBefore)
	return func() error { return b.removeAll(pods, "probed-", 0) }, nil
}

// removeAll removes the pods from a number on and waits until they are gone.
func (b *bench) removeAll(pods int, prefix string, from int) error {
	for i := from; i < pods; i++ {
		if err := b.node.Remove(fmt.Sprintf("%s%d.yaml", prefix, i)); err != nil {
			return err
		}
	}
	return lab.Poll(patience, func() (bool, error) {
		list, err := b.node.Pods()
		return err == nil && len(list) == from, fmt.Errorf("%d pods are left", len(list))
	})
}

func (b *bench) loadAnswerer() error {
	program := filepath.Join(b.dir, "answerer")
	command := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "podd/test/answerer")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the answerer: %w\n%s", err, output)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	archive, err := imagetest.DockerArchive(imagetest.Image{
		Names: []string{answererImage}, Config: imagetest.Config{Cmd: []string{"/answerer"}},
		Layers: []imagetest.Layer{{Files: []imagetest.File{
			imagetest.Dir("dev/"), imagetest.Dir("etc/"), imagetest.Dir("proc/"), imagetest.Dir("sys/"), imagetest.Dir("run/"), imagetest.Dir("tmp/"),
			{Header: tar.Header{Name: "answerer", Mode: 0o755}, Data: data},
		}}},
	})
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "answerer.tar")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		return err
	}
	if output, err := b.node.Podd("images", "load", file).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot load the answerer: %w: %s", err, output)
	}
	return nil
}

// httpProbed is a pod of two containers that are probed three times.
func httpProbed(name string, period int) string {
	probe := fmt.Sprintf("{httpGet: {path: /healthz, port: 8080}, periodSeconds: %d}", period)
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: server, image: %q, imagePullPolicy: Never, readinessProbe: %[3]s, livenessProbe: %[3]s}
  - {name: other, image: %[4]q, imagePullPolicy: Never, command: [/stamp], readinessProbe: %[3]s}
`, name, answererImage, probe, image)
}

func execProbed(name string) string {
	// manifest writes its container on one line.
	return strings.TrimSuffix(manifest(name, 1), "}\n") + ", readinessProbe: {exec: {command: [/stamp, x]}, periodSeconds: 1}}\n"
}
