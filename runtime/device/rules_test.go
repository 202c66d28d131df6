package device

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// kubernetes, pkg/apis/core/v1/helper, IsExtendedResourceName: a name with a domain that is not Kubernetes' own.
func TestIsExtended(t *testing.T) {
	t.Parallel()
	for name, want := range map[corev1.ResourceName]bool{
		"cpu": false, "memory": false, "hugepages-2Mi": false, "": false, "kubernetes.io/x": false, "node.kubernetes.io/x": false,
		"example.com/x": true, "nvidia.com/gpu": true, "example.com/kubernetes.io": true,
	} {
		if got := IsExtended(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func TestAsks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		spec corev1.PodSpec
		want bool
	}{
		{"nothing", corev1.PodSpec{}, false},
		{"Kubernetes' own", corev1.PodSpec{Containers: []corev1.Container{asking("m")}}, false},
		{"none of it", corev1.PodSpec{Containers: []corev1.Container{asking("m", "a/x=0")}}, false},
		{"the second container", corev1.PodSpec{Containers: []corev1.Container{asking("m"), asking("n", "a/x=1")}}, true},
		{"an init container", corev1.PodSpec{InitContainers: []corev1.Container{asking("i", "a/x=1")}, Containers: []corev1.Container{asking("m")}}, true},
	} {
		if got := Asks(&tc.spec); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}

// Whatever pods ask for: nobody gets what others have, containers that run together never share a unit, each gets as many as
// it asks for, all from the inventory, and the same question has the same answer.
func TestAllocateNeverSharesWhatRuns(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	always := corev1.ContainerRestartPolicyAlways
	for range 2000 {
		inv := Inventory{}
		used := map[string]bool{}
		for _, resource := range []string{"a/x", "a/y"} {
			for i := range random.IntN(6) {
				id := fmt.Sprint(i)
				inv[resource] = append(inv[resource], Unit{ID: id})
				if random.IntN(3) == 0 {
					used[Key(resource, id)] = true
				}
			}
		}
		var spec corev1.PodSpec
		together := map[string]bool{} // main containers and sidecars
		for i := range random.IntN(4) {
			c := asking(fmt.Sprintf("i%d", i), fmt.Sprintf("a/x=%d", random.IntN(3)), fmt.Sprintf("a/y=%d", random.IntN(3)))
			if random.IntN(3) == 0 {
				c.RestartPolicy = &always
				together[c.Name] = true
			}
			spec.InitContainers = append(spec.InitContainers, c)
		}
		for i := range 1 + random.IntN(3) {
			c := asking(fmt.Sprintf("m%d", i), fmt.Sprintf("a/x=%d", random.IntN(3)), fmt.Sprintf("a/y=%d", random.IntN(3)))
			together[c.Name] = true
			spec.Containers = append(spec.Containers, c)
		}
		out, short := Allocate(&spec, inv, used)
		if again, short2 := Allocate(&spec, inv, used); !reflect.DeepEqual(again, out) || !slices.Equal(short, short2) {
			t.Fatalf("asked twice: %v and %v", out, again)
		}
		if !slices.IsSorted(short) || len(slices.Compact(slices.Clone(short))) != len(short) {
			t.Fatalf("short of %v", short)
		}
		held := map[string]string{}
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			for resource, q := range c.Resources.Limits {
				ids := out[c.Name][string(resource)]
				if IsExtended(resource) && !slices.Contains(short, string(resource)) && int64(len(ids)) != q.Value() {
					t.Fatalf("%s asked for %s of %s and got %v", c.Name, q.String(), resource, ids)
				}
				for i, id := range ids {
					key := Key(string(resource), id)
					if _, known := inv.Find(string(resource), id); !known || used[key] || slices.Contains(ids[:i], id) {
						t.Fatalf("%s got %v of %s; others have %v", c.Name, ids, resource, used)
					}
					if together[c.Name] {
						if other := held[key]; other != "" {
							t.Fatalf("%s and %s both have %s", other, c.Name, key)
						}
						held[key] = c.Name
					}
				}
			}
		}
	}
}

// What a pod has is added to what others have.
func TestAddUsed(t *testing.T) {
	t.Parallel()
	used := map[string]bool{"a/x|9": true}
	Allocations{"m": {"a/x": {"1", "2"}, "a/y": {"1"}}, "n": {}, "o": {"a/x": nil}}.AddUsed(used)
	if want := map[string]bool{"a/x|9": true, "a/x|1": true, "a/x|2": true, "a/y|1": true}; !reflect.DeepEqual(used, want) {
		t.Errorf("used %v", used)
	}
	Allocations(nil).AddUsed(used)
}

// A group is shared with containers if the node is for it and it is not root's.
func TestSharedGroup(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		n    Node
		want bool
	}{
		{Node{GID: 20, Mode: 0o660}, true},
		{Node{GID: 20, Mode: 0o640}, true},
		{Node{GID: 20, Mode: 0o620}, true},
		{Node{GID: 20, Mode: 0o606}, false},
		{Node{GID: 20, Mode: 0o610}, false},
		{Node{GID: 0, Mode: 0o660}, false},
	} {
		if gid, ok := tc.n.SharedGroup(); ok != tc.want || gid != tc.n.GID {
			t.Errorf("%+v: %d, %t", tc.n, gid, ok)
		}
	}
}

func TestStat(t *testing.T) {
	t.Parallel()
	n, err := Stat("/dev/null")
	if err != nil || n.Number() != "c 1:3" || n.Kind != "c" || n.Mode&^0o777 != 0 {
		t.Errorf("/dev/null: %+v, %v", n, err)
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	if n, err := Stat(link); err != nil || n.Number() != "c 1:5" {
		t.Errorf("by a link: %+v, %v", n, err)
	}
	if _, err := Stat(dir); !errors.Is(err, ErrNotDevice) || err.Error() != dir+": not a device" {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Stat(dir + "/none"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir+"/none") {
		t.Errorf("nothing: %v", err)
	}
	// Numbers of more than eight bits, as those of many partitions and of PCI adapters.
	for _, number := range [][2]uint32{{259, 1}, {4095, 0}, {8, 65536}, {1, 1<<20 - 1}} {
		st := unix.Stat_t{Mode: unix.S_IFBLK | 0o4660, Rdev: unix.Mkdev(number[0], number[1]), Gid: 6}
		if n, ok := nodeOf(&st); !ok || n.Number() != fmt.Sprintf("b %d:%d", number[0], number[1]) || n.Mode != 0o660 || n.GID != 6 {
			t.Errorf("%v: %+v", number, n)
		}
	}
	for _, mode := range []uint32{unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK, unix.S_IFIFO, unix.S_IFSOCK, 0} {
		if n, ok := nodeOf(&unix.Stat_t{Mode: mode | 0o600}); ok {
			t.Errorf("mode %o is the device %+v", mode, n)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"/dev/x": true, "/dev/a/b": true, "/dev//x": true, "/dev": false, "/dev/": false, "/dev/.": false, "/dev/../etc": false, "/device": false, "dev/x": false, "/x/../dev/x": true, "": false} {
		if got := Within(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

// A folder of devices is bounded, and what is neither device, link nor folder is not in it.
func TestReadFolderOfOtherThings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/sub", 0o755), os.WriteFile(dir+"/file", nil, 0o600), unix.Mkfifo(dir+"/sub/fifo", 0o600), os.Symlink("/dev/null", dir+"/sub/null"), os.Symlink("sub", dir+"/loop")); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFolder(dir)
	if err != nil || len(got) != 3 || got["sub"] != (Entry{}) || got["loop"].Link != "sub" || got["loop"].Target != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if e := got["sub/null"]; e.Link != "/dev/null" || e.Target == nil || e.Target.Number() != "c 1:3" || e.Node != nil {
		t.Errorf("the link is %+v", e)
	}
	if err := os.Symlink(dir, dir+".link"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir + ".link") })
	if linked, err := ReadFolder(dir + ".link"); err != nil || !slices.Equal(slices.Sorted(maps.Keys(linked)), []string{"loop", "sub", "sub/null"}) {
		t.Errorf("by a link: %v, %v", linked, err)
	}
	if _, err := ReadFolder(dir + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// Any name of a device makes a name that Kubernetes takes for the part of a resource behind the slash.
func TestResourcePart(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ttyUSB0": "ttyUSB0", "i2c-1": "i2c-1", "a b:c/d": "a-b-c-d", "-x-": "x", "._x_.": "x", "größe": "gr--e", "": "", "---": "", "a.b_c": "a.b_c",
	} {
		if got := resourcePart(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// Patterns compare without case, and an empty text is never what was meant.
func TestMatches(t *testing.T) {
	t.Parallel()
	i := &info{subsystem: "tty", vendors: []string{"10c4", "Silicon Labs"}, models: []string{"ea60", ""}, serial: "A1"}
	for _, tc := range []struct {
		name string
		rule Rule
		want bool
	}{
		{"nothing asked", Rule{}, true},
		{"by id", Rule{Vendor: "10C4"}, true},
		{"by name", Rule{Vendor: "silicon*"}, true},
		{"another", Rule{Vendor: "0403"}, false},
		{"one of two fails", Rule{Vendor: "10c4", Model: "ea61"}, false},
		{"both", Rule{Vendor: "10c4", Model: "EA60", Serial: "a?", Subsystem: "TTY"}, true},
		{"all of it", Rule{Subsystem: "tt"}, false},
		{"a class", Rule{Serial: "[a-b][0-9]"}, true},
		{"an asterisk needs something", Rule{Model: "*"}, true},
	} {
		if got := tc.rule.matches(i); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
	if (&Rule{Serial: "*"}).matches(&info{}) {
		t.Error("a device without a serial number has one")
	}
}

func TestCheckRuleSentences(t *testing.T) {
	t.Parallel()
	bad := errors.New("no name")
	for _, tc := range []struct {
		name string
		rule Rule
		want string
	}{
		{"count at its end", Rule{Resource: "a.b/c", Path: "/x", Count: 10000}, ""},
		{"count beyond", Rule{Resource: "a.b/c", Path: "/x", Count: 10001}, `resource "a.b/c": count must be between 1 and 10000, not 10001`},
		{"a name for requests", Rule{Resource: "requests.a.b/c", Path: "/x"}, `resource "requests.a.b/c" must be an extended resource, such as example.com/stick`},
		{"mountPath", Rule{Resource: "a.b/c", Path: "/x", MountPath: "dev/x"}, `resource "a.b/c": mountPath "dev/x" must begin with /`},
		{"a pattern of a serial number", Rule{Resource: "a.b/c", Serial: "[a"}, `resource "a.b/c": pattern "[a": syntax error in pattern`},
		{"cdi with permissions", Rule{CDI: "a.b/c", Permissions: "r"}, `resource "a.b/c": beside cdi there can be resource and count only: the rest is in the CDI spec`},
		{"cdi with a name and a count", Rule{Resource: "d.e/f", CDI: "a.b/c", Count: 2}, ""},
		{"permissions", Rule{Resource: "a.b/c", Path: "/x", Permissions: "mwr"}, ""},
		{"a name of its own for each", Rule{Resource: "a.b/*", Path: "/dev/tty*"}, ""},
		{"a name that Kubernetes refuses", Rule{Resource: "bad", Path: "/x"}, `resource "bad": no name`},
	} {
		err := tc.rule.Check(func(name string) error {
			if strings.Contains(name, "*") {
				t.Errorf("%s: the name %q was judged", tc.name, name)
			}
			if name == "bad" {
				return bad
			}
			return nil
		})
		if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && got != tc.want {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// Of several rules for a resource the first that finds a unit says what it is; a resource is known also while it has none.
func TestInventory(t *testing.T) {
	t.Parallel()
	f := &Finder{Dev: "/dev", Sys: t.TempDir(), CDI: func(string) []string { return []string{"v/c=a", "v/c=b:1"} }}
	inv := f.Find([]Rule{
		{Resource: "a/null", Path: "/dev/null", Permissions: "r"},
		{Resource: "a/null", Path: "/dev/[n]ull", MountPath: "/dev/second"},
		{Resource: "a/null", Path: "/dev/zero", MountPath: "/opt/"},
		{Resource: "a/none", Path: "/dev/no-such-*"},
		{Resource: "b/*", Path: "/dev/no-such-*"},
		{Resource: "c/*", CDI: "v/c", Count: 2},
	})
	want := Inventory{
		"a/null": {{ID: "null", Source: "/dev/null", Place: "/dev/null", Access: "r"}, {ID: "zero", Source: "/dev/zero", Place: "/opt/zero", Access: "rw"}},
		"a/none": {},
		"c/a":    {{ID: "a-0", CDI: "v/c=a"}, {ID: "a-1", CDI: "v/c=a"}},
		"c/b-1":  {{ID: "b:1-0", CDI: "v/c=b:1"}, {ID: "b:1-1", CDI: "v/c=b:1"}},
	}
	if !reflect.DeepEqual(inv, want) {
		t.Errorf("%+v\nwant %+v", inv, want)
	}
	if got := inv.Sources(); !reflect.DeepEqual(got, map[string]string{"a/null|null": "/dev/null", "a/null|zero": "/dev/zero"}) {
		t.Errorf("sources %v", got)
	}
	if u, ok := inv.Find("a/null", "none"); ok || u != (Unit{}) {
		t.Errorf("%+v", u)
	}
	if u, ok := inv.Find("x/y", "null"); ok || u != (Unit{}) {
		t.Errorf("%+v", u)
	}
}
