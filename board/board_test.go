package board

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// healthy is a board on which nothing is missing; each test takes something away.
func healthy() map[string]string {
	return map[string]string{
		"/proc/sys/kernel/osrelease":              "6.12.0-1-arm64",
		"/proc/self/status":                       "Name:\tpodd\nCapEff:\t000001ffffffffff\n",
		"/proc/self/mountinfo":                    "",
		"/proc/self/ns/user":                      "",
		"/proc/filesystems":                       "nodev\ttmpfs\nnodev\toverlay\n\text4\nnodev\tnfs\nnodev\tnfs4\n",
		"/proc/cmdline":                           "console=ttyS0 root=/dev/mmcblk0p2",
		"/proc/pressure/memory":                   "some avg10=0.00",
		"/proc/device-tree/model":                 "Radxa ROCK 5B\x00",
		"/proc/sys/user/max_user_namespaces":      "15000",
		"/proc/sys/kernel/seccomp/actions_avail":  "kill_process allow",
		"/proc/sys/kernel/pid_max":                "4194304",
		"/proc/sys/fs/inotify/max_user_instances": "512",
		"/proc/sys/net/ipv4/ip_forward":           "2",
		"/proc/sys/net/ipv6/conf/all/forwarding":  "2",
		"/sys/fs/cgroup/cgroup.controllers":       "cpuset cpu io memory hugetlb pids",
	}
}

func on(kind string, free, size uint64) FileSystem {
	return FileSystem{Type: kind, Free: free << 20, Size: size << 20, Inodes: 1 << 20, FreeInodes: 1 << 19}
}

func machine(t *testing.T, files map[string]string) *Machine {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &Machine{
		Root: root, Now: time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC), Synced: true,
		Folders: []Folder{
			{"root", "/var/lib/podd", on("ext4", 9000, 16000)}, {"run", "/run/podd", on("tmpfs", 190, 200)}, {"logs", "/var/log/pods", on("ext4", 9000, 16000)},
		},
		CIDRs:  []netip.Prefix{netip.MustParsePrefix("10.210.0.0/22"), netip.MustParsePrefix("fd00:1::/64")},
		Bridge: "podd0", Table: "podd", Errors: map[string]error{},
		Routes: []Route{{netip.MustParsePrefix("0.0.0.0/0"), "eth0"}, {netip.MustParsePrefix("192.168.1.0/24"), "eth0"}, {netip.MustParsePrefix("10.210.0.0/22"), "podd0"}},
		Chains: []Chain{{"inet", "podd", "forward", "forward", false}},
	}
}

// A podd that was installed by hand goes before the package's; links to one file are one.
func TestPrograms(t *testing.T) {
	m := machine(t, map[string]string{"/usr/local/bin/podd": "by hand", "/usr/bin/podd": "packaged", "/usr/sbin/podd": "no program"})
	if err := os.Symlink("usr/bin", filepath.Join(m.Root, "bin")); err != nil {
		t.Fatal(err)
	}
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(m.Root, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod("usr/bin/podd", 0o755)
	if got := m.Programs(); got != nil {
		t.Errorf("one podd: %+v", got)
	}
	chmod("usr/local/bin/podd", 0o755)
	want := "there is more than one podd: a shell runs /usr/local/bin/podd, and the unit of a package may run /usr/bin/podd"
	if got := m.Programs(); len(got) != 1 || got[0].Verdict != Warn || got[0].Reason != want || !strings.Contains(got[0].Remedy, "remove /usr/local/bin/podd") {
		t.Errorf("%+v", got)
	}
}

func TestUserNamespaces(t *testing.T) {
	for release, want := range map[string]string{
		"5.15.0":         "warn: the kernel cannot show an image with a pod's own ids: pods have the machine's users, and those with hostUsers: false cannot run",
		"6.1.0-44-amd64": "ok: the kernel has user namespaces; before Linux 6.3 pods get none by themselves, and with hostUsers: false cannot have secrets, ConfigMaps, tokens and memory as volumes",
		"6.3.1":          "ok: the kernel has user namespaces",
	} {
		files := healthy()
		files["/proc/sys/kernel/osrelease"] = release
		f := userNamespaces(machine(t, files))[0]
		if got := fmt.Sprintf("%s: %s", f.Verdict, f.Reason); got != want {
			t.Errorf("%s: got %q, want %q", release, got, want)
		}
	}
}

// TestBoards compares what is said of whole boards with golden files.
func TestBoards(t *testing.T) {
	boards := map[string]func(map[string]string) func(*Machine){
		"healthy": func(map[string]string) func(*Machine) { return nil },
		"pi-without-memory": func(f map[string]string) func(*Machine) {
			f["/proc/device-tree/model"] = "Raspberry Pi 4 Model B Rev 1.4\x00"
			f["/boot/firmware/cmdline.txt"] = "console=tty1 root=PARTUUID=1 rootwait"
			f["/sys/fs/cgroup/cgroup.controllers"] = "cpuset cpu io pids"
			return nil
		},
		"cgroup-disable-memory": func(f map[string]string) func(*Machine) {
			f["/proc/cmdline"] = "quiet cgroup_disable=memory"
			f["/etc/default/grub"] = "GRUB_CMDLINE_LINUX=cgroup_disable=memory"
			f["/sys/fs/cgroup/cgroup.controllers"] = "cpuset cpu io pids"
			return nil
		},
		"old-kernel": func(f map[string]string) func(*Machine) {
			f["/proc/sys/kernel/osrelease"] = "4.19.0-27-armmp"
			f["/proc/filesystems"] = "nodev\ttmpfs\n\text4\n"
			delete(f, "/proc/pressure/memory")
			delete(f, "/proc/sys/kernel/seccomp/actions_avail")
			f["/proc/sys/user/max_user_namespaces"] = "0"
			delete(f, "/sys/fs/cgroup/cgroup.controllers")
			f["/proc/self/mountinfo"] = "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 25 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
			return func(m *Machine) { m.Errors["nftables"] = errors.New("protocol not supported") }
		},
		"armed": func(f map[string]string) func(*Machine) {
			f["/sys/module/apparmor/parameters/enabled"], f["/sys/kernel/security/apparmor/profiles"] = "Y\n", "podd-default (enforce)\n"
			return nil
		},
		"without-profile": func(f map[string]string) func(*Machine) {
			f["/sys/module/apparmor/parameters/enabled"], f["/sys/kernel/security/apparmor/profiles"] = "Y\n", "docker-default (enforce)\n"
			return nil
		},
		"bad-disks": func(map[string]string) func(*Machine) {
			return func(m *Machine) {
				m.Folders[0].FS = on("vfat", 9000, 16000)
				m.Folders[1].FS = on("ext4", 9000, 16000)
				m.Folders[2].FS = on("ext4", 9000, 16000)
				m.Folders[2].FS.ReadOnly = true
			}
		},
		"full-disks": func(map[string]string) func(*Machine) {
			return func(m *Machine) {
				m.Folders[0].FS = on("ext4", 10, 16000)
				m.Folders[1].FS = on("tmpfs", 2, 200)
				m.Folders[2].FS = on("ext4", 300, 16000)
			}
		},
		"first-boot": func(f map[string]string) func(*Machine) {
			f["/proc/sys/net/ipv4/ip_forward"], f["/proc/sys/net/ipv6/conf/all/forwarding"] = "0", "0"
			delete(f, "/sys/fs/cgroup/cgroup.controllers")
			f["/proc/self/status"] = "CapEff:\t0000000000000000\nNoNewPrivs:\t1\n"
			f["/proc/sys/fs/inotify/max_user_instances"] = "16"
			return func(m *Machine) {
				m.Now, m.Synced, m.Chains = time.Unix(12, 0), false, nil
				m.Folders[0].FS = on("overlay", 900, 1600)
			}
		},
		"router": func(f map[string]string) func(*Machine) {
			f["/proc/sys/net/ipv4/ip_forward"] = "1"
			return func(m *Machine) {
				m.Router, m.PortInterfaces = true, []string{"eth0", "wg0"}
				m.PortSources, m.PodIPSources = []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}, []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("fd01::/64")}
			}
		},
		"set-back": func(f map[string]string) func(*Machine) {
			f["/proc/sys/net/ipv4/ip_forward"] = "0"
			return nil
		},
		"beside-others": func(f map[string]string) func(*Machine) {
			f["/proc/sys/net/ipv4/ip_forward"] = "1"
			return func(m *Machine) {
				m.Routes = append(m.Routes, Route{netip.MustParsePrefix("10.208.0.0/14"), "tun0"}, Route{netip.MustParsePrefix("fe80::/64"), "eth0"})
				m.Chains = append(m.Chains, Chain{"ip", "filter", "FORWARD", "forward", true}, Chain{"inet", "firewalld", "filter_FORWARD", "forward", false})
				m.Synced = false
			}
		},
	}
	for name, change := range boards {
		t.Run(name, func(t *testing.T) {
			files := healthy()
			after := change(files)
			m := machine(t, files)
			if after != nil {
				after(m)
			}
			var text strings.Builder
			list := m.Examine()
			fmt.Fprintf(&text, "verdict: %s\n", Worst(list))
			for _, f := range list {
				fmt.Fprintf(&text, "%s %s: %s\n", f.Verdict, f.Check, f.Reason)
				if f.Remedy != "" {
					fmt.Fprintf(&text, "    -> %s\n", f.Remedy)
				}
				if f.Verdict != OK && f.Remedy == "" {
					t.Errorf("nothing says what to do about %q", f.Reason)
				}
			}
			compare(t, filepath.Join("testdata", name+".golden"), text.String())
		})
	}
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", path, got, want)
	}
}

// A module counts whether it is built in, loaded, or only there to be loaded.
func TestProvides(t *testing.T) {
	files := healthy()
	files["/lib/modules/6.12.0-1-arm64/modules.builtin"] = "kernel/drivers/net/veth.ko\n"
	files["/lib/modules/6.12.0-1-arm64/modules.dep"] = "kernel/fs/overlayfs/overlay.ko.xz:\nkernel/net/bridge/br-netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\n"
	files["/proc/modules"] = "nf_tables 300000 12 nft_ct, Live 0x0\n"
	m := machine(t, files)
	for module, want := range map[string]bool{"veth": true, "overlay": true, "br_netfilter": true, "nf_tables": true, "nft_ct": false, "bridge": false} {
		if got := m.provides(module); got != want {
			t.Errorf("provides %s: %v", module, got)
		}
	}
}

// The sensors work on the machine that the test runs on.
func TestReadFolder(t *testing.T) {
	dir := t.TempDir()
	f := ReadFolder("root", filepath.Join(dir, "not", "made"))
	if f.FS.Size == 0 || f.FS.Type == "" || f.FS.ReadOnly {
		t.Errorf("the folder of the test is %+v", f.FS)
	}
	if f := ReadFolder("proc", "/proc"); f.FS.Type != "proc" {
		t.Errorf("/proc is %+v", f.FS)
	}
}

// A folder of btrfs has another device than its mount.
func TestReadFolderOnBtrfs(t *testing.T) {
	const told = "PODD_TEST_BTRFS"
	if at := os.Getenv(told); at != "" { // in a mount namespace of its own
		if f := ReadFolder("root", filepath.Join(at, "not", "made")); f.FS.Type != "btrfs" {
			t.Errorf("it is on %s", f.FS.Type)
		}
		return
	}
	if _, err := exec.LookPath("mkfs.btrfs"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root and mkfs.btrfs")
	}
	if kernel, _ := os.ReadFile("/proc/filesystems"); !strings.Contains(string(kernel), "\tbtrfs\n") {
		t.Skip("the kernel has no btrfs")
	}
	dir := t.TempDir()
	disk, at := filepath.Join(dir, "disk"), filepath.Join(dir, "at")
	if err := errors.Join(os.WriteFile(disk, nil, 0o600), os.Truncate(disk, 120<<20), os.Mkdir(at, 0o700)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-ec",
		`mkfs.btrfs -q "$1" && mount -o loop "$1" "$2" && "$3" -test.run='^TestReadFolderOnBtrfs$'; code=$?; umount "$2"; exit $code`, "sh", disk, at, os.Args[0])
	cmd.Env = append(os.Environ(), told+"="+at)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The store cannot be on these, whichever of their names the kernel has for them.
func TestUnfitFileSystems(t *testing.T) {
	for _, kind := range []string{"nfs", "nfs4", "cifs", "smb3", "9p", "overlay", "vfat", "msdos"} {
		f := Folder{Name: "root", Path: "/var/lib/podd", FS: on(kind, 900, 1600)}
		if got := folder(f); got.Verdict != Fail || !strings.Contains(got.Reason, "is on "+kind+", which ") {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}
