package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"podd/test/lab"
)

// volumes measures what pods mount: what that adds to their start, how soon a change reaches them, what it costs a card.
func (b *bench) volumes() error {
	if err := b.node.Drop("volumes.yaml", configOf("big", "first", 0)+"---\n"+secretOf("first")); err != nil {
		return err
	}
	defer func() { _ = b.node.Remove("volumes.yaml") }()
	if err := b.tenVolumes(); err != nil {
		return err
	}
	if err := b.bigConfigMap(20); err != nil {
		return err
	}
	return b.diskOfVolumes(5)
}

// tenVolumes starts pods with and without volumes in turn.
func (b *bench) tenVolumes() error {
	var none, ten []cost
	for i := range 2*b.repeat + 1 {
		for _, kind := range []struct {
			manifest func(string, int) string
			into     *[]cost
		}{{manifest, &none}, {mountingTen, &ten}} {
			c, err := b.node.firstOf(1, kind.manifest)
			if err != nil {
				return err
			}
			if _, err := b.node.removeLast(); err != nil {
				return err
			}
			if i > 0 {
				*kind.into = append(*kind.into, c)
			}
		}
	}
	plain, with := median(walls(none)), median(walls(ten))
	b.add(newRow("pod with ten volumes: dropped to first instruction, wall", "ms")).set("podd", ms(with)).
		atMostOf(with, plain, 1.5, "<= 1.5 of a pod with none")
	b.add(newRow("  CPU", "ms")).set("podd", ms(median(cpus(ten))))
	return nil
}

// bigConfigMap changes a ConfigMap of 1 MiB that pods mount.
func (b *bench) bigConfigMap(pods int) error {
	remove, err := b.withPods(pods, mountingConfig)
	if err != nil {
		return err
	}
	var list []cost
	for i := range 5 {
		text := fmt.Sprint("version-", i)
		before, err := b.node.Cgroup().CPU()
		if err != nil {
			return err
		}
		began := monotonic()
		if err := b.node.Drop("volumes.yaml", configOf("big", text, 1<<20-4096)+"---\n"+secretOf("first")); err != nil {
			return err
		}
		wall, err := b.reaches(filepath.Join(b.node.Run, "volumes", "*", "config", "stamp"), text, pods, began)
		if err != nil {
			return err
		}
		time.Sleep(settle)
		cpu, err := b.node.cpuSince(before)
		if err != nil {
			return err
		}
		list = append(list, cost{wall, cpu})
	}
	b.add(newRow(fmt.Sprintf("a ConfigMap of 1 MiB changes: in all of %d pods, wall", pods), "ms")).set("podd", ms(median(walls(list)))).
		atMost(median(walls(list)), time.Second)
	b.add(newRow("  CPU", "ms")).set("podd", ms(median(cpus(list))))
	return remove()
}

// reaches waits until so many files that match a pattern have a text, and says how long that took.
func (b *bench) reaches(pattern, text string, files int, began time.Duration) (time.Duration, error) {
	done := map[string]bool{}
	var at time.Duration
	for deadline := time.Now().Add(patience); len(done) < files; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%q has reached %d of %d files", text, len(done), files)
		}
		names, err := filepath.Glob(pattern)
		if err != nil {
			return 0, err
		}
		for _, name := range names {
			if done[name] {
				continue
			}
			if data, err := os.ReadFile(name); err == nil && string(data) == text {
				done[name], at = true, monotonic()
			}
		}
	}
	return at - began, nil
}

// diskOfVolumes counts what reaches a card when Secrets and projections change under running pods, and when the folder is
// read again and says nothing new.
func (b *bench) diskOfVolumes(pods int) (err error) {
	d, err := newDisk(b.dir, b.flags.features)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	node, err := lab.NewNode(lab.Options{
		Podd: b.flags.podd, Cgroup: b.group, Name: "podd-volumes",
		Args: []string{"--root", filepath.Join(d.dir, "lib"), "--log-dir", filepath.Join(d.dir, "log")},
	})
	if err != nil {
		return err
	}
	defer func() { _ = node.Close() }()
	node.Logs = filepath.Join(d.dir, "log")
	p := &podd{Node: node, binary: b.flags.podd}
	if err := p.boot(); err != nil {
		return err
	}
	if output, err := p.Podd("images", "load", b.workload.archive).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot load the image: %w: %s", err, output)
	}
	objects := func(text string) error {
		return p.Drop("volumes.yaml", configOf("big", text, 0)+"---\n"+secretOf(text))
	}
	if err := objects("first"); err != nil {
		return err
	}
	for range pods {
		if _, err := p.firstOf(1, mountingTen); err != nil {
			return err
		}
	}
	time.Sleep(restBefore)
	arrives := func(text string) error {
		_, err := b.reaches(filepath.Join(p.Run, "volumes", "*", "v*", "stamp"), text, 8*pods, monotonic())
		return err
	}
	changed, err := d.during(func() error {
		for i := range 10 {
			text := fmt.Sprint("version-", i)
			if err := errors.Join(objects(text), arrives(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	same, err := d.during(func() error {
		for range 10 {
			if err := objects("version-9"); err != nil {
				return err
			}
			time.Sleep(settle)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.add(newRow(fmt.Sprintf("written to disk for 10 changes of a Secret and a ConfigMap in %d pods", pods), "KiB")).set("podd", kib(changed)).judge(changed == 0, "0")
	b.add(newRow("  for 10 writes of manifests that change nothing", "KiB")).set("podd", kib(same)).judge(same == 0, "0")
	return nil
}

func configOf(name, stamp string, size int) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {stamp: %s, rest: %q}\n", name, stamp, strings.Repeat("x", size))
}

func secretOf(stamp string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {stamp: %s}\n", stamp)
}

// mountingTen is a pod of one container with ten volumes: eight that follow objects, one on disk, one in memory.
func mountingTen(name string, _ int) string {
	volumes, mounts := &strings.Builder{}, &strings.Builder{}
	add := func(volume, source string) {
		fmt.Fprintf(volumes, "  - {name: %s, %s}\n", volume, source)
		fmt.Fprintf(mounts, "{name: %s, mountPath: /%[1]s}, ", volume)
	}
	for i := range 4 {
		add(fmt.Sprint("v-config-", i), "configMap: {name: big}")
	}
	for i := range 2 {
		add(fmt.Sprint("v-secret-", i), "secret: {secretName: keys}")
		add(fmt.Sprint("v-both-", i), "projected: {sources: [{secret: {name: keys}}, {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}")
	}
	add("disk", "emptyDir: {}")
	add("memory", "emptyDir: {medium: Memory}")
	text := strings.TrimSuffix(manifest(name, 1), "}\n")
	return text + ", volumeMounts: [" + strings.TrimSuffix(mounts.String(), ", ") + "]}\n  volumes:\n" + volumes.String()
}

func mountingConfig(name string) string {
	return strings.TrimSuffix(manifest(name, 1), "}\n") + ", volumeMounts: [{name: config, mountPath: /config}]}\n  volumes: [{name: config, configMap: {name: big}}]\n"
}
