package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

const (
	benchRegistry = "127.0.0.1:5555"
	pulledImage   = benchRegistry + "/podd.bench/big:1"
)

// copier runs skopeo copy.
type copier func(args ...string) (cost, error)

// withRegistry serves from loopback what skopeo puts in: Debian's docker-registry. podd has a network of its own, and so there
// is one registry there and one here, over the same data.
func (b *bench) withRegistry(do func(dir string, skopeo copier) error) (err error) {
	for _, program := range []string{"docker-registry", "skopeo"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	dir := filepath.Join(b.dir, "registry")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
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
	return do(dir, func(args ...string) (cost, error) {
		return timed(exec.Command("skopeo", append([]string{"--policy", policy, "copy"}, args...)...))
	})
}

// pull measures how an image comes from a registry.
func (b *bench) pull() error {
	return b.withRegistry(func(dir string, skopeo copier) error {
		return b.pullImage(dir, skopeo, b.workload.big, 3, "110 MB image of 3 layers")
	})
}

// pullProbes measures what pulls do to probes.
func (b *bench) pullProbes() error {
	return b.withRegistry(func(_ string, skopeo copier) error {
		if err := push(skopeo, b.workload.big); err != nil {
			return err
		}
		return b.pullBesideProbes()
	})
}

// push puts the image of an archive into the registry.
func push(skopeo copier, file string) error {
	_, err := skopeo("--dest-tls-verify=false", "docker-archive:"+file, "docker://"+pulledImage)
	return err
}

// pullGigabyte does so with a large image, once.
func (b *bench) pullGigabyte() error {
	return b.withRegistry(func(dir string, skopeo copier) error {
		large := filepath.Join(dir, "large.tar")
		if err := writeArchive(large, "podd.bench/large:1", 0, 600<<20, 300<<20, 124<<20); err != nil {
			return err
		}
		return b.pullImage(dir, skopeo, large, 1, "1 GB image of 3 layers")
	})
}

// pullImage lets all who can pull an image a few times.
func (b *bench) pullImage(dir string, skopeo copier, file string, times int, what string) error {
	if err := push(skopeo, file); err != nil {
		return err
	}
	results := map[string][]cost{}
	var most pullUse
	for range times {
		use, err := b.pullOnce(dir, skopeo, results)
		if err != nil {
			return err
		}
		most = pullUse{max(most.memory, use.memory), max(most.written, use.written)}
	}
	wall := b.addCosts("pull of a "+what, results)
	ours := median(walls(results["podd"]))
	wall.atMostOf(ours, median(walls(results["tar"])), 1.15, "<= 1.15 x tar x")
	for _, name := range []string{"podman", "umoci", "ctr"} {
		if list := results[name]; len(list) > 0 {
			wall.atMostOf(ours, median(walls(list)), 1, "<= "+name)
		}
	}
	b.add(newRow("  memory of the daemon, more than at rest", "MiB")).set("podd", mib(most.memory)).judge(most.memory <= 64<<20, "<= 64")
	b.add(newRow("  written to disk, of what is unpacked", "")).set("podd", fmt.Sprintf("%.3f", most.written)).judge(most.written <= 1.05, "<= 1.05")
	for name, title := range map[string]string{
		"tar": "tar x of the same layers", "skopeo": "skopeo copy, which unpacks nothing,", "umoci": "skopeo copy and umoci unpack", "ctr": "ctr images pull",
	} {
		if list := results[name]; len(list) > 0 {
			b.notes = append(b.notes, fmt.Sprintf("pull of a %s: %s takes %s ms, %s ms of CPU", what, title, ms(median(walls(list))), ms(median(cpus(list)))))
		}
	}
	return nil
}

// pullUse is what a pull takes of the board.
type pullUse struct {
	memory  int64   // bytes, more than before
	written float64 // of what is unpacked
}

// poddPull pulls with podd.
func (b *bench) poddPull() (c cost, use pullUse, err error) {
	before, err := b.node.Cgroup().CPU()
	if err != nil {
		return c, use, err
	}
	pid := b.node.Pid()
	status := func(name string) int64 { return field(readString(fmt.Sprintf("/proc/%d/status", pid)), name) << 10 }
	rest, err := readIdleness(pid)
	if err != nil {
		return c, use, err
	}
	memory := status("VmRSS:")
	// man 5 proc, clear_refs: the peak begins anew.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return c, use, err
	}
	if c, err = timed(b.node.Podd("images", "pull", "--progress=plain", pulledImage)); err != nil {
		return c, use, err
	}
	use.memory = status("VmHWM:") - memory
	daemon, err := b.node.cpuSince(before)
	if err != nil {
		return c, use, err
	}
	c.cpu += daemon
	after, err := readIdleness(pid)
	if err != nil {
		return c, use, err
	}
	unpacked := int64(0)
	err = filepath.WalkDir(filepath.Join(b.node.Root, "images", "l"), func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &st)
		}
		unpacked += st.Blocks * 512
		return err
	})
	use.written = float64(after.written-rest.written) / float64(max(unpacked, 1))
	return c, use, err
}

// pullOnce lets each contender pull, and removes what has come.
func (b *bench) pullOnce(dir string, skopeo copier, results map[string][]cost) (pullUse, error) {
	c, use, err := b.poddPull()
	if err != nil {
		return use, err
	}
	results["podd"] = append(results["podd"], c)
	if _, err := timed(b.node.Podd("images", "rm", pulledImage)); err != nil {
		return use, err
	}
	for _, others := range []func(dir string, skopeo copier, results map[string][]cost) error{b.pullByTar, b.pullByUmoci, b.pullByContainerd} {
		if err := others(dir, skopeo, results); err != nil {
			return use, err
		}
	}
	if b.podman == nil {
		return use, nil
	}
	if c, err = b.podman.run("pull", "--tls-verify=false", pulledImage); err != nil {
		return use, err
	}
	results["podman"] = append(results["podman"], c)
	_, err = b.podman.run("rmi", pulledImage)
	return use, err
}

// pullByTar copies the blobs, and unpacks them.
func (b *bench) pullByTar(dir string, skopeo copier, results map[string][]cost) error {
	// The blobs of the copy are what tar unpacks.
	copied := filepath.Join(dir, "copied")
	c, err := skopeo("--src-tls-verify=false", "docker://"+pulledImage, "dir:"+copied)
	if err != nil {
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
	return nil
}

// pullByUmoci copies an OCI layout and unpacks it, if umoci is here.
func (b *bench) pullByUmoci(dir string, skopeo copier, results map[string][]cost) error {
	if _, err := exec.LookPath("umoci"); err != nil {
		return nil
	}
	layout, bundle := filepath.Join(dir, "layout"), filepath.Join(dir, "bundle")
	defer os.RemoveAll(layout)
	defer os.RemoveAll(bundle)
	copied, err := skopeo("--src-tls-verify=false", "docker://"+pulledImage, "oci:"+layout+":big")
	if err != nil {
		return err
	}
	unpacked, err := timed(exec.Command("sh", "-c", `umoci unpack --image "$1:big" "$2" && sync -f "$2"`, "sh", layout, bundle))
	if err != nil {
		return err
	}
	results["umoci"] = append(results["umoci"], cost{wall: copied.wall + unpacked.wall, cpu: copied.cpu + unpacked.cpu})
	return nil
}

// pullByContainerd pulls with ctr and a containerd of its own, if they are here. The CPU is ctr's alone.
func (b *bench) pullByContainerd(dir string, _ copier, results map[string][]cost) (err error) {
	for _, program := range []string{"containerd", "ctr"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil
		}
	}
	root, socket := filepath.Join(dir, "containerd"), filepath.Join(dir, "containerd.sock")
	config := filepath.Join(dir, "containerd.toml")
	text := fmt.Sprintf("version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n[ttrpc]\naddress = %q\n", socket, socket+".ttrpc")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	serve := exec.Command("containerd", "--config", config, "--root", root, "--state", root+"-state", "--address", socket, "--log-level", "error")
	if err := serve.Start(); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, ended(serve), os.RemoveAll(root), os.RemoveAll(root+"-state"))
	}()
	if err := lab.Poll(patience, func() (bool, error) {
		output, err := exec.Command("ctr", "--address", socket, "version").CombinedOutput()
		if err != nil {
			return false, fmt.Errorf("containerd does not answer: %w: %s", err, output)
		}
		return true, nil
	}); err != nil {
		return err
	}
	c, err := timed(exec.Command("sh", "-c", `ctr --address "$1" images pull --plain-http "$2" && sync -f "$3"`, "sh", socket, pulledImage, root))
	if err != nil {
		return err
	}
	results["ctr"] = append(results["ctr"], c)
	return nil
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
