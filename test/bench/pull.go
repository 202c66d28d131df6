package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"podd/test/lab"
)

const (
	benchRegistry = "127.0.0.1:5555"
	pulledImage   = benchRegistry + "/podd.bench/big:1"
)

// pull measures how an image comes from a registry on loopback: Debian's docker-registry, which skopeo has filled. podd has a
// network of its own, and so there is one registry there and one here, over the same data.
func (b *bench) pull() (err error) {
	for _, program := range []string{"docker-registry", "skopeo"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	dir := filepath.Join(b.dir, "registry")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %q}\n", dir, benchRegistry)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	for _, serve := range []*exec.Cmd{exec.Command("docker-registry", "serve", config), b.node.In("docker-registry", "serve", config)} {
		if err := serve.Start(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ended(serve)) }()
	}
	if err := lab.Poll(patience, func() (bool, error) {
		conn, err := net.Dial("tcp", benchRegistry)
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	}); err != nil {
		return err
	}
	policy := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(policy, []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o600); err != nil {
		return err
	}
	skopeo := func(args ...string) (cost, error) {
		return timed(exec.Command("skopeo", append([]string{"--policy", policy, "copy"}, args...)...))
	}
	if _, err := skopeo("--dest-tls-verify=false", "docker-archive:"+b.workload.big, "docker://"+pulledImage); err != nil {
		return err
	}
	results := map[string][]cost{}
	for range 3 {
		if err := b.pullOnce(dir, skopeo, results); err != nil {
			return err
		}
	}
	wall := b.add(newRow("pull of a 110 MB image of 3 layers, wall", "ms"))
	cpu := b.add(newRow("  CPU", "ms"))
	for _, name := range []string{"podd", "podman"} {
		if list := results[name]; len(list) > 0 {
			wall.set(name, ms(median(walls(list))))
			cpu.set(name, ms(median(cpus(list))))
		}
	}
	wall.atMostOf(median(walls(results["podd"])), median(walls(results["tar"])), 1.15, "<= 1.15 x tar x")
	for _, name := range []string{"tar", "skopeo"} {
		b.notes = append(b.notes, fmt.Sprintf("pull: %s takes %s ms, %s ms of CPU", map[string]string{
			"tar": "tar x of the same layers", "skopeo": "skopeo copy, which unpacks nothing,",
		}[name], ms(median(walls(results[name]))), ms(median(cpus(results[name])))))
	}
	return nil
}

// pullOnce lets each contender pull, and removes what has come.
func (b *bench) pullOnce(dir string, skopeo func(args ...string) (cost, error), results map[string][]cost) error {
	before, err := b.node.Cgroup().CPU()
	if err != nil {
		return err
	}
	c, err := timed(b.node.Podd("images", "pull", "--progress=plain", pulledImage))
	if err != nil {
		return err
	}
	daemon, err := b.node.cpuSince(before)
	if err != nil {
		return err
	}
	c.cpu += daemon
	results["podd"] = append(results["podd"], c)
	if _, err := timed(b.node.Podd("images", "rm", pulledImage)); err != nil {
		return err
	}
	// The blobs of the copy are what tar unpacks.
	copied := filepath.Join(dir, "copied")
	if c, err = skopeo("--src-tls-verify=false", "docker://"+pulledImage, "dir:"+copied); err != nil {
		return err
	}
	results["skopeo"] = append(results["skopeo"], c)
	defer os.RemoveAll(copied)
	blobs, err := gzipped(copied)
	if err != nil {
		return err
	}
	script := `mkdir root && for blob; do tar -xzf "$blob" -C root || exit; done; sync -f .`
	unpack := exec.Command("sh", append([]string{"-c", script, "sh"}, blobs...)...)
	unpack.Dir = copied
	if c, err = timed(unpack); err != nil {
		return err
	}
	results["tar"] = append(results["tar"], c)
	if b.podman == nil {
		return nil
	}
	if c, err = b.podman.run("pull", "--tls-verify=false", pulledImage); err != nil {
		return err
	}
	results["podman"] = append(results["podman"], c)
	_, err = b.podman.run("rmi", pulledImage)
	return err
}

// gzipped lists the layers in what skopeo has copied.
func gzipped(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, errors.New("skopeo has copied no layer that gzip has packed")
	}
	return names, nil
}

// timed runs a command to its end.
func timed(command *exec.Cmd) (cost, error) {
	start := monotonic()
	output, err := command.CombinedOutput()
	wall := monotonic() - start
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", command.Args, err, output)
	}
	return cost{wall: wall, cpu: ownCPU(command.ProcessState)}, nil
}

// ended ends a server.
func ended(serve *exec.Cmd) error {
	if err := serve.Process.Kill(); err != nil {
		return err
	}
	_ = serve.Wait() // it was killed
	return nil
}
