package device

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func asking(name string, resources ...string) corev1.Container {
	c := corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1")}}}
	for _, r := range resources {
		name, count, _ := strings.Cut(r, "=")
		c.Resources.Limits[corev1.ResourceName(name)] = resource.MustParse(count)
	}
	return c
}

func units(ids ...string) []Unit {
	var out []Unit
	for _, id := range ids {
		out = append(out, Unit{ID: id})
	}
	return out
}

func TestAllocate(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sidecar := asking("side", "a/x=1")
	sidecar.RestartPolicy = &always
	inv := Inventory{"a/x": units("1", "2", "3"), "a/y": {}}
	for _, c := range []struct {
		name        string
		inits, main []corev1.Container
		used        []string
		want        string
		short       string
	}{
		{name: "nothing", main: []corev1.Container{asking("m")}, want: ""},
		{name: "the first that is free", main: []corev1.Container{asking("m", "a/x=1")}, used: []string{"a/x|1"}, want: "m a/x [2]"},
		{name: "each its own", main: []corev1.Container{asking("m", "a/x=1"), asking("n", "a/x=2")}, want: "m a/x [1] n a/x [2 3]"},
		{name: "too many", main: []corev1.Container{asking("m", "a/x=2"), asking("n", "a/x=2")}, short: "a/x"},
		{name: "taken by others", main: []corev1.Container{asking("m", "a/x=1")}, used: []string{"a/x|1", "a/x|2", "a/x|3"}, short: "a/x"},
		{name: "none plugged in, none known", main: []corev1.Container{asking("m", "a/y=1", "b/z=1")}, short: "a/y b/z"},
		{name: "zero of it", main: []corev1.Container{asking("m", "a/y=0")}, want: ""},
		{name: "what init containers had", inits: []corev1.Container{asking("i", "a/x=2"), asking("j", "a/x=1")}, main: []corev1.Container{asking("m", "a/x=3")}, want: "i a/x [1 2] j a/x [1] m a/x [2 1 3]"},
		{name: "a sidecar keeps", inits: []corev1.Container{sidecar}, main: []corev1.Container{asking("m", "a/x=2")}, want: "m a/x [2 3] side a/x [1]"},
	} {
		used := map[string]bool{}
		for _, key := range c.used {
			used[key] = true
		}
		got, short := Allocate(&corev1.PodSpec{InitContainers: c.inits, Containers: c.main}, inv, used)
		if strings.Join(short, " ") != c.short {
			t.Errorf("%s: short of %v, want %q", c.name, short, c.short)
		}
		if len(short) == 0 && text(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, text(got), c.want)
		}
		if len(used) != len(c.used) {
			t.Errorf("%s: what others have was changed", c.name)
		}
	}
}

func text(a Allocations) string {
	var out []string
	for name, resources := range a {
		for resource, ids := range resources {
			out = append(out, fmt.Sprint(name, " ", resource, " ", ids))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestPlacesOfSeveral(t *testing.T) {
	inv := Inventory{"a/x": {{ID: "1", Place: "/dev/stick", Numbered: true}, {ID: "2", Place: "/dev/stick", Numbered: true}}}
	got := Allocations{"m": {"a/x": {"1", "2", "gone"}}}.Of("m", inv)
	if len(got) != 3 || got[0].Place != "/dev/stick" || got[1].Place != "/dev/stick1" || got[2].Here || got[2].ID != "gone" {
		t.Errorf("%+v", got)
	}
}

// board is a /dev and a /sys with a USB serial adapter of two ports, one without a serial number, and a disk.
func board(t *testing.T) *Finder {
	t.Helper()
	dir := t.TempDir()
	f := &Finder{Dev: filepath.Join(dir, "dev"), Sys: filepath.Join(dir, "sys"), CDI: func(kind string) []string { return []string{kind + "=0", kind + "=1"} }}
	write := func(name, text string) {
		path := filepath.Join(f.Sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, target string) {
		path := filepath.Join(f.Sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(f.Sys, target), path); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range []struct{ name, usb, vendor, model, serial string }{
		{"ttyUSB0", "1-1", "10c4", "ea60", "0001"}, {"ttyUSB1", "1-1", "10c4", "ea60", "0001"}, {"ttyUSB2", "1-2", "0403", "6001", ""},
	} {
		write("devices/"+d.usb+"/idVendor", d.vendor+"\n")
		write("devices/"+d.usb+"/idProduct", d.model+"\n")
		write("devices/"+d.usb+"/product", "CP2102N USB to UART\n")
		if d.serial != "" {
			write("devices/"+d.usb+"/serial", d.serial+"\n")
		}
		at := fmt.Sprintf("devices/%s/%s:1.%d", d.usb, d.usb, i)
		write(at+"/bInterfaceNumber", fmt.Sprintf("0%d\n", i))
		write(at+"/tty/"+d.name+"/uevent", "MAJOR=188\nDEVNAME="+d.name+"\n")
		link(fmt.Sprintf("dev/char/188:%d", 240+i), at+"/tty/"+d.name)
		link("class/tty/"+d.name, at+"/tty/"+d.name)
		if err := os.Symlink(filepath.Join(f.Sys, "class/tty"), filepath.Join(f.Sys, at, "tty", d.name, "subsystem")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(f.Dev, 0o755); err != nil {
			t.Fatal(err)
		}
		mknod(t, filepath.Join(f.Dev, d.name), 188, uint32(240+i))
	}
	if err := os.Symlink("ttyUSB2", filepath.Join(f.Dev, "meter")); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFind(t *testing.T) {
	f := board(t)
	for _, c := range []struct {
		name string
		rule Rule
		want string
	}{
		{"by path", Rule{Resource: "smarter-devices/*", Path: f.Dev + "/ttyUSB*"}, "smarter-devices/ttyUSB0: 10c4-ea60-0001-if00 smarter-devices/ttyUSB1: 10c4-ea60-0001-if01 smarter-devices/ttyUSB2: ttyUSB2"},
		{"by link", Rule{Resource: "a/meter", Path: f.Dev + "/meter"}, "a/meter: meter"},
		{"by vendor", Rule{Resource: "a/x", Vendor: "10C4"}, "a/x: 10c4-ea60-0001-if00,10c4-ea60-0001-if01"},
		{"by vendor and subsystem", Rule{Resource: "a/x", Subsystem: "tty", Vendor: "10C4", Model: "cp2102*"}, "a/x: 10c4-ea60-0001-if00,10c4-ea60-0001-if01"},
		{"by serial", Rule{Resource: "a/x", Subsystem: "tty", Serial: "0002"}, "a/x: "},
		{"not of that subsystem", Rule{Resource: "a/x", Path: f.Dev + "/*", Subsystem: "sound"}, "a/x: "},
		{"each once", Rule{Resource: "a/x", Path: f.Dev + "/[mt]*", Vendor: "0403"}, "a/x: meter"},
		{"shared", Rule{Resource: "a/x", Path: f.Dev + "/meter", Count: 2}, "a/x: meter-0,meter-1"},
		{"cdi", Rule{CDI: "nvidia.com/gpu"}, "nvidia.com/gpu: 0,1"},
	} {
		var got []string
		for resource, list := range f.Find([]Rule{c.rule}) {
			var ids []string
			for _, u := range list {
				ids = append(ids, u.ID)
			}
			got = append(got, resource+": "+strings.Join(ids, ","))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.name, strings.Join(got, " "), c.want)
		}
	}
	// What it is called changes with the port that it is in; who it is does not.
	before := f.Find([]Rule{{Resource: "a/x", Subsystem: "tty", Vendor: "10c4"}})
	if got := before.Sources()["a/x|10c4-ea60-0001-if01"]; got != f.Dev+"/ttyUSB1" {
		t.Errorf("the second port is %q", got)
	}
	placed := f.Find([]Rule{{Resource: "a/x", Path: f.Dev + "/meter", MountPath: "/dev/zigbee", Permissions: "r"}})
	if want := []Unit{{ID: "meter", Source: f.Dev + "/meter", Place: "/dev/zigbee", Numbered: true, Access: "r"}}; !reflect.DeepEqual(placed["a/x"], want) {
		t.Errorf("%+v", placed["a/x"])
	}
}

func TestCheckRule(t *testing.T) {
	fine := func(string) error { return nil }
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{Resource: "a.b/c", Path: "/dev/x"}, ""},
		{Rule{CDI: "nvidia.com/gpu"}, ""},
		{Rule{Resource: "cpu", Path: "/dev/x"}, `resource "cpu" must be an extended resource`},
		{Rule{Resource: "kubernetes.io/x", Path: "/dev/x"}, "must be an extended resource"},
		{Rule{Resource: "a.b/c"}, "say which devices"},
		{Rule{Resource: "a.b/c", Path: "dev/x"}, "must begin with /"},
		{Rule{Resource: "a.b/c", Path: "/dev/["}, "syntax error in pattern"},
		{Rule{Resource: "a.b/c", Path: "/dev/x", Permissions: "rx"}, "more than r, w and m"},
		{Rule{Resource: "a.b/c", Path: "/dev/x", Count: -1}, "count must be"},
		{Rule{Resource: "a.b/c", CDI: "x/y", Path: "/dev/x"}, "beside cdi"},
	} {
		err := c.rule.Check(fine)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.rule, err, c.want)
		}
	}
}

// Of what the board has not a single device of, the name may be wrong; of what others have, it is not.
func TestInsufficient(t *testing.T) {
	inv := Inventory{"a.com/b": {{ID: "0"}}, "a.com/none": nil}
	for want, short := range map[string][]string{
		"0/1 nodes are available: 1 Insufficient a.com/b.": {"a.com/b"},
		"0/1 nodes are available: 1 Insufficient a.com/none. No device here is offered as a.com/none: podd describe node lists those that are.":                                          {"a.com/none"},
		"0/1 nodes are available: 1 Insufficient a.com/b, 1 Insufficient a.com/c, 1 Insufficient x. No device here is offered as a.com/c or x: podd describe node lists those that are.": {"a.com/b", "a.com/c", "x"},
	} {
		if got := Insufficient(short, inv); got != want {
			t.Errorf("%v: %q, want %q", short, got, want)
		}
	}
}
