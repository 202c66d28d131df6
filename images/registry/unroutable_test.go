package registry

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/registry/registrytest"
)

// ownNetwork runs the rest of a test in another process with a network and mounts of its own.
func ownNetwork(t *testing.T) (here bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for a network of its own")
	}
	if os.Getenv("REGISTRY_OWN_NETWORK") == t.Name() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), "REGISTRY_OWN_NETWORK="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// A name has an address of IPv6 that leads nowhere, as behind many a router: the one of IPv4 is taken, for layers as well.
func TestIPv6ThatLeadsNowhere(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	for _, line := range []string{
		"link set lo up", "link add void type veth peer name end", "link set end up", "link set void up", "address add 2001:db8::2/64 dev void nodad",
		"neighbour add 2001:db8::1 lladdr 02:00:00:00:00:01 dev void nud permanent", // what is sent there is never heard of again
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v, %s", line, err, out)
		}
	}
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("2001:db8::1 registry.test\n127.0.0.1 registry.test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(hosts, "/etc/hosts", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	reg := registrytest.New()
	reg.Add(t, "app", "v1", simple())
	listen, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(reg)
	server.Listener = listen
	server.Start()
	defer server.Close()
	_, port, _ := net.SplitHostPort(listen.Addr().String())
	host := "registry.test:" + port
	conf := filepath.Join(t.TempDir(), "registries.conf")
	if err := os.WriteFile(conf, []byte("[[registry]]\nlocation = \""+host+"\"\ninsecure = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	patience := impatient()
	patience.Dial, patience.Tries = 20*time.Second, 1
	c := &Client{Patience: patience, Hosts: Hosts{Registries: conf}}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second) // less than it takes to give up an address
	defer cancel()
	img, err := c.Open(ctx, ref(t, host, "app:v1"), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	img.Close()
}
