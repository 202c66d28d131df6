package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/runtime/container/spec"
	"podd/runtime/device"
)

func TestOutside(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		at, dir string
		want    bool
	}{
		{"/dev/a", "/dev", false},
		{"/dev", "/dev", false},
		{"/dev/..x", "/dev", false},
		{"/dev/...", "/dev", false},
		{"/dev/a/../../x", "/dev", true},
		{"/", "/dev", true},
		{"/device", "/dev", true},
		{"/dev/bus", "/dev/bus/usb", true},
		{"relative", "/dev", true},
	} {
		if got := outside(tc.at, tc.dir); got != tc.want {
			t.Errorf("%s and %s: %t", tc.at, tc.dir, got)
		}
	}
}

func nodeAt(minor int64) device.Node {
	return device.Node{Kind: "c", Major: 10, Minor: minor, Mode: 0o660}
}

// What came and what went is said once and in order; an owner or a mode is no news, another device in a place is.
func TestCompareDevices(t *testing.T) {
	t.Parallel()
	type nodes = map[string]device.Node
	other := nodeAt(1)
	other.GID, other.Mode = 44, 0o600
	block := nodeAt(1)
	block.Kind = "b"
	for _, tc := range []struct {
		name        string
		had, linked nodes
		now, nowAt  nodes
		want        []string
	}{
		{"nothing", nil, nil, nil, nil, nil},
		{"a single one comes", nil, nil, nodes{"": nodeAt(1)}, nil, []string{"+ /dev/x c 10:1"}},
		{"and goes", nodes{"": nodeAt(1)}, nil, nil, nil, []string{"- /dev/x c 10:1"}},
		{"it stays", nodes{"": nodeAt(1)}, nil, nodes{"": other}, nil, nil},
		{"another one", nodes{"": nodeAt(1)}, nil, nodes{"": nodeAt(2)}, nil, []string{"+ /dev/x c 10:2"}},
		{"of another kind", nodes{"": nodeAt(1)}, nil, nodes{"": block}, nil, []string{"+ /dev/x b 10:1"}},
		{"some of a folder", nodes{"b": nodeAt(1), "a/c": nodeAt(2), "z": nodeAt(3)}, nil, nodes{"z": nodeAt(3), "a/a": nodeAt(4)}, nil, []string{"+ /dev/x/a/a c 10:4", "- /dev/x/a/c c 10:2", "- /dev/x/b c 10:1"}},
		{"where links lead", nil, nodes{"/dev/l1": nodeAt(1)}, nil, nodes{"/dev/l2": nodeAt(1)}, []string{"- /dev/l1 c 10:1", "+ /dev/l2 c 10:1"}},
	} {
		g := &deviceGrant{Device: spec.Device{Source: "/s", Destination: "/dev/x"}, Nodes: tc.had, Linked: tc.linked}
		var got []string
		for _, c := range g.compare(tc.now, tc.nowAt) {
			if c.Source != "/s" {
				t.Errorf("%s: from %s", tc.name, c.Source)
			}
			got = append(got, map[bool]string{true: "- ", false: "+ "}[c.Gone]+c.Destination+" "+c.Number)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		if again := (&deviceGrant{Device: g.Device, Nodes: tc.now, Linked: tc.nowAt}).compare(tc.now, tc.nowAt); again != nil {
			t.Errorf("%s: a second time there is the news %v", tc.name, again)
		}
	}
}

// A CDI spec's owner and mode go before the host's, one by one.
func TestOwnOfANode(t *testing.T) {
	t.Parallel()
	uid, gid, mode := uint32(1), uint32(2), os.FileMode(0o4640)
	host := device.Node{UID: 7, GID: 8, Mode: 0o666}
	for _, tc := range []struct {
		d    spec.Device
		want device.Node
	}{
		{spec.Device{}, host},
		{spec.Device{UID: &uid}, device.Node{UID: 1, GID: 8, Mode: 0o666}},
		{spec.Device{GID: &gid}, device.Node{UID: 7, GID: 2, Mode: 0o666}},
		{spec.Device{Mode: &mode}, device.Node{UID: 7, GID: 8, Mode: 0o640}},
	} {
		got := host
		if (&deviceGrant{Device: tc.d}).own(&got); got != tc.want {
			t.Errorf("%+v: %+v, want %+v", tc.d, got, tc.want)
		}
	}
}

// Each device that can be opened is allowed by its number, with the access of its mount, and nothing else is.
func TestDeviceRules(t *testing.T) {
	t.Parallel()
	s := &deviceState{Devices: []*deviceGrant{
		{Device: spec.Device{Access: "r"}, Nodes: map[string]device.Node{"": {Kind: "b", Major: 8, Minor: 1}}},
		{Device: spec.Device{Access: "rwm"}, Linked: map[string]device.Node{"/dev/x": {Kind: "c", Major: 188, Minor: 0}}},
		{Device: spec.Device{Access: "rw"}, Unplugged: true},
	}}
	var got []string
	for _, r := range s.rules() {
		got = append(got, fmt.Sprintf("%s %t", r.CgroupString(), r.Allow))
	}
	if want := []string{"b 8:1 r true", "c 188:0 rwm true"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := (&deviceState{Devices: []*deviceGrant{{}}}).check(); err == nil || err.Error() != "a device has no place" {
		t.Errorf("without a place: %v", err)
	}
	if err := errors.Join((&deviceState{}).check(), (&deviceState{Devices: []*deviceGrant{{Device: spec.Device{Destination: "/x"}}}}).check()); err != nil {
		t.Error(err)
	}
	if (&deviceState{Devices: []*deviceGrant{nil}}).check() == nil {
		t.Error("no device at all was believed")
	}
}

// deviceBoard is an engine with a container "c" that has these devices, and a folder for devices of the host.
func deviceBoard(t *testing.T, grants ...*deviceGrant) (e *Engine, host string) {
	t.Helper()
	dir := t.TempDir()
	e = &Engine{StateDir: filepath.Join(dir, "state"), MountDir: filepath.Join(dir, "mounts")}
	for i := range grants {
		if err := os.MkdirAll(filepath.Join(e.deviceNodes().nodesDir("c"), fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	host = filepath.Join(dir, "host")
	if err := os.Mkdir(host, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		g.Source = filepath.Join(host, g.Source)
	}
	if err := e.deviceNodes().saveDevices("c", &deviceState{Devices: grants}); err != nil {
		t.Fatal(err)
	}
	return e, host
}

func makeDevice(t *testing.T, path string, minor uint32) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.RemoveAll(path)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(path, unix.S_IFCHR|0o640, int(unix.Mkdev(10, minor))); err != nil {
		t.Skipf("device nodes cannot be made here: %v", err)
	}
}

// synced tells what SyncDevices has to say.
func synced(t *testing.T, e *Engine, sources map[string]string) (news []string) {
	t.Helper()
	changes, err := e.SyncDevices("c", sources, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		news = append(news, map[bool]string{true: "- ", false: "+ "}[c.Gone]+c.Destination+" "+c.Number)
	}
	return news
}

// A device that is unplugged is taken away, one that comes in its place is another, and what was said is not said again.
func TestSyncSingleDevice(t *testing.T) {
	t.Parallel()
	e, host := deviceBoard(t, &deviceGrant{Device: spec.Device{Source: "stick", Destination: "/dev/stick", Access: "rw"}})
	node := filepath.Join(e.deviceNodes().nodesDir("c"), "0", nodeName)
	for i, step := range []struct {
		do   func()
		want []string
		node string // of the container; "": as it was
	}{
		{func() {}, nil, ""},
		{func() { makeDevice(t, filepath.Join(host, "stick"), 235) }, []string{"+ /dev/stick c 10:235"}, "c 10:235"},
		{func() {}, nil, "c 10:235"},
		{func() { _ = os.Remove(filepath.Join(host, "stick")) }, []string{"- /dev/stick c 10:235"}, ""},
		{func() {}, nil, ""},
		{func() { makeDevice(t, filepath.Join(host, "stick"), 236) }, []string{"+ /dev/stick c 10:236"}, "c 10:236"},
		{func() { makeDevice(t, filepath.Join(host, "stick"), 237) }, []string{"+ /dev/stick c 10:237"}, "c 10:237"},
		// A file in its place is no device.
		{func() {
			_ = os.Remove(filepath.Join(host, "stick"))
			_ = os.WriteFile(filepath.Join(host, "stick"), nil, 0o600)
		}, []string{"- /dev/stick c 10:237"}, ""},
	} {
		step.do()
		if got := synced(t, e, nil); !slices.Equal(got, step.want) {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
		if n, err := device.Stat(node); step.node != "" && (err != nil || n.Number() != step.node || n.Mode != 0o640) {
			t.Errorf("step %d: the container has %+v, %v", i, n, err)
		}
	}
	if got := e.DeviceSources("c"); !slices.Equal(got, []string{filepath.Join(host, "stick")}) {
		t.Errorf("its devices come from %v", got)
	}
}

// A unit of a resource is looked for where it is now; while it is not there, what has its old place is another's.
func TestSyncUnit(t *testing.T) {
	t.Parallel()
	e, host := deviceBoard(t, &deviceGrant{Device: spec.Device{Source: "usb0", Destination: "/dev/modem", Access: "rw", Unit: "a/x|1"}})
	makeDevice(t, filepath.Join(host, "usb0"), 235)
	makeDevice(t, filepath.Join(host, "usb1"), 236)
	at := func(name string) map[string]string { return map[string]string{"a/x|1": filepath.Join(host, name)} }
	for i, step := range []struct {
		sources map[string]string
		want    []string
	}{
		{nil, []string{"+ /dev/modem c 10:235"}},
		{at("usb0"), nil},
		{map[string]string{}, []string{"- /dev/modem c 10:235"}},
		{nil, nil}, // nobody knows more
		{at("usb1"), []string{"+ /dev/modem c 10:236"}},
		{at("usb0"), []string{"+ /dev/modem c 10:235"}},
	} {
		if got := synced(t, e, step.sources); !slices.Equal(got, step.want) {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

// A folder of devices is followed with all in it: nodes, folders, links, and where links lead outside it.
func TestSyncFolder(t *testing.T) {
	t.Parallel()
	e, host := deviceBoard(t, &deviceGrant{Folder: true, Device: spec.Device{Source: "dri", Destination: "/dev/dri", Access: "rw"}})
	dir, own := filepath.Join(host, "dri"), filepath.Join(e.deviceNodes().nodesDir("c"), "0")
	if got := synced(t, e, nil); got != nil {
		t.Errorf("a folder that is not there: %q", got)
	}
	makeDevice(t, filepath.Join(dir, "card0"), 1)
	makeDevice(t, filepath.Join(dir, "by-path/deep"), 2)
	makeDevice(t, filepath.Join(host, "beside"), 3)
	link := func(at, to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	link("by-path/pci", "../card0")
	link("out", "../beside")
	link("dead", "none")
	if got, want := synced(t, e, nil), []string{"+ /dev/dri/by-path/deep c 10:2", "+ /dev/dri/card0 c 10:1", "+ /dev/beside c 10:3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for at, want := range map[string]string{"by-path/pci": "../card0", "out": "../beside", "dead": "none"} {
		if got, err := os.Readlink(filepath.Join(own, at)); got != want || err != nil {
			t.Errorf("the link %s is %q, %v", at, got, err)
		}
	}
	// What the container has put there itself goes, and what it has removed comes back with the next change.
	if err := errors.Join(os.WriteFile(filepath.Join(own, "card0.txt"), nil, 0o600), os.MkdirAll(filepath.Join(own, "more/deep"), 0o755), os.Remove(filepath.Join(dir, "out")), os.RemoveAll(filepath.Join(dir, "by-path")), os.WriteFile(filepath.Join(dir, "by-path"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	link("card1", "card0")
	if got, want := synced(t, e, nil), []string{"- /dev/dri/by-path/deep c 10:2", "- /dev/beside c 10:3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var left []string
	if err := fs.WalkDir(os.DirFS(own), ".", func(name string, _ fs.DirEntry, err error) error {
		left = append(left, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{".", "card0", "card1", "dead"}; !slices.Equal(left, want) {
		t.Errorf("the container has %v, want %v", left, want)
	}
}

// What follows in a container that runs: single devices and the targets of links are put or taken one by one, nodes of folders
// show by themselves, and outside /dev the node stays, which cannot be opened.
func TestPlugs(t *testing.T) {
	t.Parallel()
	e := &Engine{MountDir: "/m"}
	single := func(at string, nodes map[string]device.Node) *deviceGrant {
		return &deviceGrant{Device: spec.Device{Destination: at}, Nodes: nodes}
	}
	here := map[string]device.Node{"": nodeAt(1)}
	for _, tc := range []struct {
		name    string
		devices []*deviceGrant
		changes []DeviceChange
		fresh   bool
		want    []string // place and source
	}{
		{"nothing", []*deviceGrant{single("/dev/a", here)}, nil, false, nil},
		{"one came", []*deviceGrant{single("/dev/a", here)}, []DeviceChange{{Destination: "/dev/a"}}, false, []string{"/dev/a /m/c/nodes/0/node"}},
		{"one went", []*deviceGrant{single("/dev/a", nil)}, []DeviceChange{{Destination: "/dev/a", Gone: true}}, false, []string{"/dev/a "}},
		{"one came elsewhere", []*deviceGrant{single("/opt/a", here)}, []DeviceChange{{Destination: "/opt/a"}}, false, []string{"/opt/a /m/c/nodes/0/node"}},
		{"one went elsewhere", []*deviceGrant{single("/opt/a", nil)}, []DeviceChange{{Destination: "/opt/a", Gone: true}}, false, nil},
		{"the second", []*deviceGrant{single("/dev/a", here), single("/dev/b", here)}, []DeviceChange{{Destination: "/dev/b"}}, false, []string{"/dev/b /m/c/nodes/1/node"}},
		{"in a folder", []*deviceGrant{{Folder: true, Device: spec.Device{Destination: "/dev/dri"}}}, []DeviceChange{{Destination: "/dev/dri/card0", Gone: true}, {Destination: "/dev/dri/card1"}}, false, nil},
		{"a target of a link went", []*deviceGrant{{Folder: true, Device: spec.Device{Destination: "/dev/by-id"}}}, []DeviceChange{{Destination: "/dev/ttyUSB0", Gone: true}}, false, []string{"/dev/ttyUSB0 "}},
		{"a target of a link came", []*deviceGrant{{Folder: true, Device: spec.Device{Destination: "/dev/by-id"}, Linked: map[string]device.Node{"/dev/t": nodeAt(1)}}}, []DeviceChange{{Destination: "/dev/t"}}, false, []string{"/dev/t node"}},
		{"at the start", []*deviceGrant{{Folder: true, Device: spec.Device{Destination: "/dev/by-id"}, Linked: map[string]device.Node{"/dev/t": nodeAt(1), "/etc/t": nodeAt(2)}}}, nil, true, []string{"/dev/t node"}},
	} {
		var got []string
		for _, p := range e.deviceNodes().plugs("c", &deviceState{Devices: tc.devices}, tc.changes, tc.fresh) {
			if p.node != nil {
				p.source = "node"
			}
			got = append(got, p.place+" "+p.source)
		}
		if slices.Sort(got); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// A file of devices that cannot be believed is set aside and told; a container without one has none.
func TestDamagedDevices(t *testing.T) {
	t.Parallel()
	e, _ := deviceBoard(t, &deviceGrant{Device: spec.Device{Source: "stick", Destination: "/dev/stick"}})
	if got := e.WithDevices(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("with devices: %v", got)
	}
	var told []string
	e.Damaged = func(_ *atomicfile.Damage, lost string) { told = append(told, lost) }
	file := e.deviceNodes().devicesFile("c")
	for _, text := range []string{`{"devices":[{"destination":""}]}`, `{"devices":[null]}`, `{"dev`, ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := e.DeviceSources("c"); got != nil {
			t.Errorf("%q: devices come from %v", text, got)
		}
		told = nil
		if changes, err := e.SyncDevices("c", nil, false); err == nil || changes != nil || len(told) != 1 || !strings.Contains(told[0], "gets with its next start") {
			t.Errorf("%q: %v, %v; told %q", text, changes, err, told)
		}
		if changes, err := e.SyncDevices("c", nil, false); err != nil || changes != nil {
			t.Errorf("%q is set aside: %v, %v", text, changes, err)
		}
	}
	if got := e.WithDevices(); len(got) != 0 {
		t.Errorf("with devices: %v", got)
	}
	if err := errors.Join(e.deviceNodes().dropDevices("c"), e.deviceNodes().dropDevices("none")); err != nil {
		t.Errorf("what is gone is dropped: %v", err)
	}
	if groups, err := e.deviceNodes().makeDevices(&spec.Config{ID: "none"}, ""); groups != nil || err != nil {
		t.Errorf("no devices: %v, %v", groups, err)
	}
	if !reflect.DeepEqual(e.DeviceSources("none"), []string(nil)) {
		t.Error("a container that is not there has devices")
	}
}
