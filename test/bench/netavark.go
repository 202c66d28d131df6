package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"podd/netns/namespace"
)

// netavarkPath is where Debian has podman's network program.
const netavarkPath = "/usr/lib/podman/netavark"

// netavarkConfig asks for a network of both families on a bridge: id, last number of the address, port mappings.
const netavarkConfig = `{"container_id": "%[1]s", "container_name": "%[1]s", "port_mappings": [%[3]s],
"networks": {"bench": {"static_ips": ["10.90.0.%[2]d", "fd00:90::%[2]d"], "interface_name": "eth0"}},
"network_info": {"bench": {"name": "bench", "id": "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9", "driver": "bridge",
"network_interface": "avark0", "internal": false, "ipv6_enabled": true, "dns_enabled": false, "ipam_options": {"driver": "host-local"},
"subnets": [{"gateway": "10.90.0.1", "subnet": "10.90.0.0/24"}, {"gateway": "fd00:90::1", "subnet": "fd00:90::/64"}]}}}`

// netavark makes networks as podman does.
type netavark struct {
	dir string
	ids map[string]string // configuration of each that was made
}

func newNetavark(dir string) (*netavark, error) {
	if _, err := os.Stat(netavarkPath); err != nil {
		return nil, err
	}
	return &netavark{dir, map[string]string{}}, nil
}

func (v *netavark) netns(id string) string { return filepath.Join(v.dir, "ns", id, "net") }

// setup makes the namespace, which podman makes too, and lets netavark wire it. CPU is netavark's and its children's alone.
func (v *netavark) setup(id string, number int, ports string) (cost, error) {
	start := time.Now()
	if err := namespace.EnsureSandbox(filepath.Dir(v.netns(id)), namespace.SandboxOptions{Net: true}); err != nil {
		return cost{}, err
	}
	v.ids[id] = fmt.Sprintf(netavarkConfig, id, number, ports)
	cpu, err := v.call("setup", id)
	return cost{wall: time.Since(start), cpu: cpu}, err
}

func (v *netavark) call(verb, id string) (time.Duration, error) {
	command := exec.Command(netavarkPath, "--config", v.dir, verb, v.netns(id))
	command.Stdin = strings.NewReader(v.ids[id])
	out, err := command.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("netavark %s: %w: %s", verb, err, out)
	}
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), nil
}

func (v *netavark) teardown(id string) error {
	_, err := v.call("teardown", id)
	delete(v.ids, id)
	return errors.Join(err, namespace.RemoveSandbox(filepath.Dir(v.netns(id))))
}

func (v *netavark) close() {
	if v == nil {
		return
	}
	for id := range v.ids {
		_ = v.teardown(id)
	}
}
