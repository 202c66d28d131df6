package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// loads is how many images are loaded.
const loads = 5

// load measures how an archive gets into a store. All is on one new file system, each image is another one, and nothing is
// removed meanwhile: ext4 does not use an inode again for a minute after its file was removed, or for five if that is not on
// the disk yet, and looks at all of these for each file that is made (recently_deleted of fs/ext4/ialloc.c). What was measured
// was who came after whom.
func (b *bench) load() (err error) {
	d, err := newDisk(b.dir, b.flags.features)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	node, err := b.nodeOn(d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	var peer *podman
	if b.podman != nil {
		if peer, err = b.podmanOn(d); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, peer.close()) }()
	}
	results := map[string][]cost{}
	for i := range loads {
		archive := filepath.Join(b.dir, fmt.Sprintf("load-%d.tar", i))
		if err := writeBig(archive, i); err != nil {
			return err
		}
		if err := loadOnce(archive, filepath.Join(d.dir, fmt.Sprintf("tar-%d", i)), node, peer, results); err != nil {
			return err
		}
		if err := os.Remove(archive); err != nil {
			return err
		}
	}
	wall := b.addCosts("load of a 110 MB image of 3 layers", results)
	ours := median(walls(results["podd"]))
	wall.atMostOf(ours, median(walls(results["tar and sync"])), 1.15, "<= 1.15 x tar x and sync")
	if list := results["podman"]; len(list) > 0 {
		wall.atMostOf(ours, median(walls(list)), 1, "<= podman")
	}
	for _, name := range []string{"tar", "tar and sync"} {
		list := results[name]
		b.notes = append(b.notes, fmt.Sprintf("load: %s takes %s ms, %s ms of CPU", name, ms(median(walls(list))), ms(median(cpus(list)))))
	}
	return nil
}

// loadOnce lets each contender load an image. Nothing of what one wrote is left for the next one to put on the disk.
func loadOnce(archive, target string, node *podd, peer *podman, results map[string][]cost) error {
	contenders := []struct {
		name string
		load func() (cost, error)
	}{
		{"podd", func() (cost, error) { return loadWithPodd(node, archive) }},
		{"tar", func() (cost, error) { return loadWithTar(target, archive, "") }},
		{"tar and sync", func() (cost, error) { return loadWithTar(target+"-sync", archive, "&& sync -f .") }},
	}
	if peer != nil {
		contenders = slices.Insert(contenders, 1, struct {
			name string
			load func() (cost, error)
		}{"podman", func() (cost, error) { return peer.run("load", "-i", archive) }})
	}
	for _, who := range contenders {
		if output, err := exec.Command("sync").CombinedOutput(); err != nil {
			return fmt.Errorf("sync: %w: %s", err, output)
		}
		c, err := who.load()
		if err != nil {
			return err
		}
		results[who.name] = append(results[who.name], c)
	}
	return nil
}

func loadWithPodd(p *podd, archive string) (cost, error) {
	before, err := p.Cgroup().CPU()
	if err != nil {
		return cost{}, err
	}
	c, err := timed(p.Podd("images", "load", archive))
	if err != nil {
		return cost{}, err
	}
	daemon, err := p.cpuSince(before)
	return cost{wall: c.wall, cpu: c.cpu + daemon}, err
}

// loadWithTar is the floor: the archive unpacked, and the layers in it.
func loadWithTar(target, archive, then string) (cost, error) {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return cost{}, err
	}
	unpack := exec.Command("sh", "-c", `tar -xf "$0" && mkdir root && for layer in *.tar; do tar -xf "$layer" -C root || exit; done `+then, archive)
	unpack.Dir = target
	return timed(unpack)
}
