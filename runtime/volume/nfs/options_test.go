package nfs

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		list   string // with spaces between the elements
		flags  uintptr
		kernel string
		major  int
		minor  int
	}{
		{"", 0, "", -1, -1},
		{"hard nfsvers=4.1", 0, "hard", 4, 1},
		{"hard,nfsvers=4.1,timeo=600", 0, "hard timeo=600", 4, 1},
		{"vers=4", 0, "", 4, -1},
		{"vers=4 minorversion=0", 0, "", 4, 0},
		{"v4.2", 0, "", 4, 2},
		{"v3", 0, "", 3, -1},
		{"nfsvers=4.1 vers=3", 0, "", 3, -1},
		{"ro nosuid noexec nodev noatime", unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV | unix.MS_NOATIME, "", -1, -1},
		{"ro rw", 0, "", -1, -1},
		{"defaults bg retry=5 _netdev nofail x-systemd.automount noauto comment=x", 0, "", -1, -1},
		{"soft softerr rsize=1048576 noac lookupcache=none sec=sys", 0, "soft softerr rsize=1048576 noac lookupcache=none sec=sys", -1, -1},
		{"sloppy whatever=1 hard", 0, "hard", -1, -1},
		{"nolock local_lock=all fsc", 0, "nolock local_lock=all fsc", -1, -1},
	} {
		o, _, err := parse(strings.Fields(tt.list))
		if err != nil {
			t.Errorf("%q: %v", tt.list, err)
			continue
		}
		if got := strings.Join(o.kernel, " "); o.flags != tt.flags || got != tt.kernel || o.major != tt.major || o.minor != tt.minor {
			t.Errorf("%q: flags %#x, kernel %q, version %d.%d", tt.list, o.flags, got, o.major, o.minor)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for list, want := range map[string]string{
		"hard nonsense":          `"nonsense" is no mount option of NFS`,
		"hard=1":                 `"hard=1" is no mount option of NFS`,
		"rsize":                  "is no number",
		"timeo=ten":              "is no number",
		"timeo=-1":               "is no number",
		"nfsvers=2":              "versions 3, 4.0, 4.1 and 4.2",
		"v2":                     "versions 3, 4.0, 4.1 and 4.2",
		"vers=4.3":               "versions 3, 4.0, 4.1 and 4.2",
		"minorversion=1":         "add nfsvers=4",
		"sec=krb5p":              "sec=sys",
		"xprtsec=tls":            "is no mount option",
		"proto=rdma":             "tcp, tcp6, udp and udp6",
		"rdma":                   "tcp, tcp6, udp and udp6",
		"port=99999":             "is no port",
		"mountport=x":            "is no port",
		"addr=192.0.2.1":         "server",
		"clientaddr=me":          "is no address",
		"bind":                   "another kind of mount",
		"remount":                "another kind of mount",
		"local_lock=some":        "all, flock, posix or none",
		"vers=4 mountport=20048": "remove them, or say nfsvers=3",
	} {
		_, err := CheckOptions(strings.Fields(list))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", list, err, want)
		}
	}
	if index, err := CheckOptions([]string{"hard", "timeo=5,wrong", "soft"}); index != 1 || err == nil {
		t.Errorf("the option at fault is number %d: %v", index, err)
	}
}

func TestSource(t *testing.T) {
	for server, want := range map[string]string{"nas": "nas:/x", "192.0.2.1": "192.0.2.1:/x", "2001:db8::1": "[2001:db8::1]:/x", "[2001:db8::1]": "[2001:db8::1]:/x"} {
		if got := (&Share{Server: server, Path: "/x"}).Source(); got != want {
			t.Errorf("%s: %s", server, got)
		}
	}
}

func TestMountOptions(t *testing.T) {
	if list, annotated := MountOptions([]string{"hard"}, nil); annotated || !slices.Equal(list, []string{"hard"}) {
		t.Errorf("by the field: %v", list)
	}
	if list, annotated := MountOptions([]string{"hard"}, map[string]string{OptionsAnnotation: "soft,ro"}); !annotated || !slices.Equal(list, []string{"soft,ro"}) {
		t.Errorf("by the annotation: %v", list)
	}
}
