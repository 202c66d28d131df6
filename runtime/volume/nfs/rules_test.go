package nfs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Every flag of man 8 mount is set by one word and taken away by another; the last of both counts, and no other flag with it.
func TestFlags(t *testing.T) {
	t.Parallel()
	want := map[string]uintptr{
		"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "sync": 16, "dirsync": 128, "nosymfollow": 256, "noatime": 1024, "nodiratime": 2048, "silent": 32768, "relatime": 1 << 21, "strictatime": 1 << 24,
	} // include/uapi/linux/mount.h
	if len(flagNames) != len(want) {
		t.Errorf("there are %d flags", len(flagNames))
	}
	all := uintptr(0)
	var words []string
	for _, f := range flagNames {
		if f.flag != want[f.set] {
			t.Errorf("%s is %#x, want %#x", f.set, f.flag, want[f.set])
		}
		all |= f.flag
		words = append(words, f.set)
	}
	for _, f := range flagNames {
		for list, flags := range map[string]uintptr{
			f.set: f.flag, f.set + "," + f.set: f.flag, strings.Join(words, ","): all,
			strings.Join(words, ",") + "," + f.clear: all &^ f.flag, f.clear + "," + f.set: f.flag, f.set + "," + f.clear: 0, f.clear: 0,
		} {
			if f.clear == "" && strings.Contains(list+",", ",,") || f.clear == "" && list != f.set {
				continue // dirsync has no opposite
			}
			o, _, err := parse([]string{list})
			if err != nil || o.flags != flags || len(o.kernel) != 0 {
				t.Errorf("%q: %#x and %v, %v; want %#x", list, o.flags, o.kernel, err, flags)
			}
		}
	}
}

// However options are spread over elements, they are the same options.
func TestOptionsSpread(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	words := []string{"ro", "hard", "soft", "nfsvers=4.1", "vers=3", "timeo=600", "nolock", "noatime", "port=2050", "rsize=8192", "x-a=b", "_netdev", "fsc", "sec=sys", "proto=tcp6", "minorversion=0"}
	for range 500 {
		var list []string
		for range 1 + random.IntN(6) {
			list = append(list, words[random.IntN(len(words))])
		}
		one, _, oneErr := parse([]string{strings.Join(list, ",")})
		many, _, manyErr := parse(list)
		if fmt.Sprintf("%+v", one) != fmt.Sprintf("%+v", many) || errorText(oneErr) != errorText(manyErr) {
			t.Fatalf("%v: %+v, %v in one and %+v, %v in many", list, one, oneErr, many, manyErr)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// man 5 nfs: minorversion goes with version 4 wherever it stands; of two that say another version the last counts.
func TestVersionOptions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		list  string
		first version
		bad   string
	}{
		{"", version{4, 2}, ""},
		{"vers=4", version{4, 2}, ""},
		{"v4", version{4, 2}, ""},
		{"vers=4,minorversion=1", version{4, 1}, ""},
		{"minorversion=1,vers=4", version{4, 1}, ""},
		{"minorversion=0,nfsvers=4", version{4, 0}, ""},
		{"minorversion=1,vers=4.2", version{4, 2}, ""},
		{"vers=4.2,minorversion=1", version{4, 1}, ""},
		{"vers=3,vers=4.0", version{4, 0}, ""},
		{"vers=4.0,vers=3", version{3, 0}, ""},
		{"vers=4.1,vers=4", version{4, 2}, ""},
		{"minorversion=0", version{4, 0}, ""},
		{"minorversion=2", version{}, "minorversion=2 is of version 4; add nfsvers=4"},
		{"vers=3,minorversion=1", version{}, "minorversion=1 is of version 4; add nfsvers=4"},
		{"minorversion=3", version{}, `mount option "minorversion=3": podd mounts versions 3, 4.0, 4.1 and 4.2`},
		{"minorversion=", version{}, `mount option "minorversion=": podd mounts versions 3, 4.0, 4.1 and 4.2`},
		{"vers=3.0", version{}, `mount option "vers=3.0": podd mounts versions 3, 4.0, 4.1 and 4.2`},
		{"vers=4.", version{}, `mount option "vers=4.": podd mounts versions 3, 4.0, 4.1 and 4.2`},
		{"vers=4.256", version{}, `mount option "vers=4.256": podd mounts versions 3, 4.0, 4.1 and 4.2`},
		{"vers", version{}, `mount option "vers": podd mounts versions 3, 4.0, 4.1 and 4.2`},
		{"vers=5", version{}, `mount option "vers=5": podd mounts versions 3, 4.0, 4.1 and 4.2`},
		{"mountport=20048", version{3, 0}, ""},
		{"mountvers=3", version{3, 0}, ""},
		{"mountvers=2", version{}, `mount option "mountvers=2": version 3 of NFS has mountvers=3`},
		{"mountproto=sctp", version{}, `mount option "mountproto=sctp": mountd is asked over tcp, tcp6, udp or udp6`},
		{"mountaddr=nas", version{}, `mount option "mountaddr=nas": its value is no address`},
		{"mounthost=nas,vers=4.1", version{}, "options about mountd are of version 3; remove them, or say nfsvers=3"},
		{"proto=", version{}, `mount option "proto=": podd mounts over tcp, tcp6, udp and udp6`},
		{"port=-1", version{}, `mount option "port=-1": its value is no port`},
		{"port=65535", version{4, 2}, ""},
		{"port=65536", version{}, `mount option "port=65536": its value is no port`},
		{"rsize=4294967295", version{4, 2}, ""},
		{"rsize=4294967296", version{}, `mount option "rsize=4294967296": its value is no number`},
		{"loop=/dev/loop0", version{}, `"loop=/dev/loop0" is another kind of mount; remove it`},
	} {
		o, _, err := parse([]string{tc.list})
		if errorText(err) != tc.bad {
			t.Errorf("%q: %v, want %q", tc.list, err, tc.bad)
		} else if err == nil && o.first() != tc.first {
			t.Errorf("%q begins with %v, want %v", tc.list, o.first(), tc.first)
		}
	}
}

// The last option at fault is said to be where it is, and one that needs another in the last element.
func TestIndexOfTheFault(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]int{"hard|ro|bind": 2, "x|hard": 0, "vers=3|minorversion=1": 1, "minorversion=1|hard": 1, "mountport=1|vers=4": 1} {
		if index, err := CheckOptions(strings.Split(list, "|")); index != want || err == nil {
			t.Errorf("%s: element %d, %v; want %d", list, index, err, want)
		}
	}
	for _, list := range [][]string{nil, {}, {""}, {",,"}, {" ro , hard "}} {
		if index, err := CheckOptions(list); index != 0 || err != nil {
			t.Errorf("%q: element %d, %v", list, index, err)
		}
	}
}

// nfs_autonegotiate of nfs-utils: from any version and failure, the next is an older one, within what was asked for, and the
// row of them ends.
func TestNextIsOlder(t *testing.T) {
	t.Parallel()
	failures := []error{unix.EPROTONOSUPPORT, unix.EINVAL, unix.EACCES, unix.ENOENT, unix.EPERM, unix.ECONNREFUSED, unix.ETIMEDOUT, unix.EIO, errNoStatd}
	number := func(v version) int { return v.major*10 + v.minor }
	for _, list := range []string{"", "vers=4", "vers=4.2", "vers=4.0", "vers=3", "minorversion=0", "mountport=1"} {
		o, _, err := parse([]string{list})
		if err != nil {
			t.Fatal(err)
		}
		for _, failure := range failures {
			v := o.first()
			for range 10 {
				next, more := o.next(v, failure)
				if !more {
					break
				}
				if number(next) >= number(v) {
					t.Fatalf("%q: after %v comes %v", list, v, next)
				}
				if o.major >= 0 && next.major != o.major || o.minor >= 0 && next != (version{o.major, o.minor}) {
					t.Errorf("%q: %v was not asked for", list, next)
				}
				v = next
			}
			if _, more := o.next(v, failure); more {
				t.Errorf("%q: there is no end after %v", list, failure)
			}
		}
	}
	for v, want := range map[version]string{{3, 0}: "3", {4, 0}: "4.0", {4, 2}: "4.2"} {
		if v.String() != want {
			t.Errorf("%v, want %s", v, want)
		}
	}
}

func TestWhichFailureIsTold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		of4, of3, want error
	}{
		{nil, unix.EIO, unix.EIO}, {unix.ENOENT, unix.EACCES, unix.EACCES}, {unix.ENOENT, unix.EBUSY, unix.EBUSY}, {unix.ENOENT, unix.EIO, unix.ENOENT}, {unix.EPERM, errNoStatd, unix.EPERM}, {nil, errNoStatd, errNoStatd},
	} {
		if got := worse(tc.of4, tc.of3); !errors.Is(got, tc.want) {
			t.Errorf("%v and %v: %v", tc.of4, tc.of3, got)
		}
	}
	for err, want := range map[error]bool{
		unix.ECONNREFUSED: true, unix.EHOSTUNREACH: true, unix.ENETUNREACH: true, unix.ETIMEDOUT: true, unix.EACCES: true, unix.EOPNOTSUPP: true,
		unix.ENOENT: false, unix.EINVAL: false, errNoStatd: false, ErrNoAnswer: false,
	} {
		if got := tryNextAddress(&mountError{"nas:/x", err}); got != want {
			t.Errorf("after %v another address is tried: %t", err, got)
		}
	}
}

// The sentences are those of mount.nfs and of the C library.
func TestSentences(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want string
	}{
		{unix.EINVAL, "mounting nas:/x failed: an incorrect mount option was specified, or one that this kernel does not know"},
		{unix.EOPNOTSUPP, "mounting nas:/x failed: requested NFS version or transport protocol is not supported"},
		{unix.ENOTDIR, "mounting nas:/x failed, reason given by server: Not a directory"},
		{unix.ESTALE, "mounting nas:/x failed, reason given by server: Stale file handle"},
		{unix.ECONNREFUSED, "mounting nas:/x failed: Connection refused"},
		{fmt.Errorf("wrapped: %w", unix.EBUSY), "mounting nas:/x failed: Device or resource busy"},
		{errGoesOn, "mounting nas:/x failed: an earlier mount has not ended yet"},
		{fmt.Errorf("%w; it is waited for", ErrNoAnswer), "mounting nas:/x failed: the server does not answer; it is waited for"},
	} {
		e := &mountError{"nas:/x", tc.err}
		if e.Error() != tc.want || !errors.Is(e, tc.err) {
			t.Errorf("%q, want %q", e, tc.want)
		}
	}
	two := &notTriedError{unix.ENOENT, errNoStatd}
	if two.Error() != "no such file or directory" || !errors.Is(two, unix.ENOENT) || errors.Is(two, errNoStatd) {
		t.Errorf("of two: %v", two)
	}
}

// An address needs no resolver, whichever way it is written; a protocol decides which family a name is looked up for.
func TestResolve(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for server, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::1%eth0"} {
		got, err := resolve(ended, server, "")
		if err != nil || !slices.Equal(got, []netip.Addr{netip.MustParseAddr(want)}) {
			t.Errorf("%s: %v, %v", server, got, err)
		}
	}
	got, err := resolve(ended, "no-such-server.invalid", "tcp")
	if err == nil || !strings.HasPrefix(err.Error(), "failed to resolve server no-such-server.invalid: ") || got != nil {
		t.Errorf("a name that cannot be looked up: %v, %v", got, err)
	}
	for proto, want := range map[string]string{"": "ip", "tcp": "ip4", "udp": "ip4", "tcp6": "ip6", "udp6": "ip6"} {
		if got := family(proto); got != want {
			t.Errorf("%q: %s, want %s", proto, got, want)
		}
	}
	for _, tc := range [][3]string{{"tcp", "192.0.2.1", "tcp"}, {"tcp6", "192.0.2.1", "tcp"}, {"tcp", "2001:db8::1", "tcp6"}, {"udp6", "2001:db8::1", "udp6"}} {
		if got := protoFor(tc[0], netip.MustParseAddr(tc[1])); got != tc[2] {
			t.Errorf("%s for %s: %s, want %s", tc[0], tc[1], got, tc[2])
		}
	}
	if got, err := localAddr(netip.MustParseAddr("127.0.0.1")); got != "127.0.0.1" || err != nil {
		t.Errorf("towards the board itself: %q, %v", got, err)
	}
}

// What is told to the kernel of a server that is asked for the root of version 3.
func TestDataOfMountd(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		"v3,nolock":                           "vers=3,nolock,nosharecache,addr=192.0.2.1",
		"v3,nolock,mountaddr=192.0.2.2":       "vers=3,nolock,nosharecache,addr=192.0.2.1,mountaddr=192.0.2.2",
		"v3,nolock,mounthost=192.0.2.3":       "vers=3,nolock,nosharecache,addr=192.0.2.1,mountaddr=192.0.2.3",
		"v3,mountaddr=192.0.2.2,mounthost=no": "vers=3,nosharecache,addr=192.0.2.1,mountaddr=192.0.2.2",
		"v3,nosharecache,tcp,mountproto=udp":  "vers=3,nosharecache,proto=tcp,addr=192.0.2.1,mountproto=udp",
	} {
		o, _, err := parse([]string{options})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := o.data(t.Context(), version{3, 0}, netip.MustParseAddr("192.0.2.1")); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", options, got, err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	o, _, _ := parse([]string{"v3,mounthost=no-such-server.invalid"})
	if _, err := o.data(ended, version{3, 0}, netip.MustParseAddr("192.0.2.1")); err == nil || !strings.Contains(err.Error(), "failed to resolve server no-such-server.invalid") {
		t.Errorf("mountd's server is not known: %v", err)
	}
}

// What cannot be mounted says so at once, in the words of mount.nfs, and is forgotten: the next try begins anew.
func TestMountFails(t *testing.T) {
	t.Parallel()
	target := filepath.Join(t.TempDir(), "data")
	var m Mounter
	for range 2 {
		err := m.Mount(target, &Share{Server: "192.0.2.1", Path: "/x", Options: []string{"nonsense"}})
		if errorText(err) != `mounting 192.0.2.1:/x failed: "nonsense" is no mount option of NFS` || len(m.jobs) != 0 {
			t.Errorf("%v; %d go on", err, len(m.jobs))
		}
	}
	if _, err := os.Stat(lockOf(target)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its lock: %v", err)
	}
	err := m.Mount(filepath.Join(target, "none", "data"), &Share{Server: "192.0.2.1", Path: "/x"})
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("in no folder: %v", err)
	}
	// A link in the place of the lock is not followed.
	aim := filepath.Join(filepath.Dir(target), "aim")
	if err := os.Symlink(aim, lockOf(target)); err != nil {
		t.Fatal(err)
	}
	if err := m.Mount(target, &Share{Server: "192.0.2.1", Path: "/x"}); !errors.Is(err, unix.ELOOP) {
		t.Errorf("behind a link: %v", err)
	}
	if _, err := os.Stat(aim); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link's target was made: %v", err)
	}
}

// Where nothing is mounted there is nothing to unmount, to force or to look at.
func TestNothingMounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var m Mounter
	for range 2 {
		if err := errors.Join(m.Unmount(dir), Force(dir)); err != nil {
			t.Error(err)
		}
	}
	list, alone, err := mountsBelow(dir)
	if len(list) != 0 || len(alone) != 0 || err != nil {
		t.Errorf("%v, %v, %v", list, alone, err)
	}
	if err := Look(dir); err != nil {
		t.Errorf("a folder: %v", err)
	}
	if err := Look(dir + "/none"); !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "cannot look at the root of an NFS mount: ") {
		t.Errorf("nothing: %v", err)
	}
	if err := unmount(dir+"/none", unix.MNT_DETACH); err != nil {
		t.Errorf("what is gone is unmounted: %v", err)
	}
	if err := callForce(t.Context(), dir+"/none"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("forcing nothing: %v", err)
	}
}

// Only mounts below the folder of a pod are ended with it: a name that begins alike is another's.
func TestTargetsBelow(t *testing.T) {
	t.Parallel()
	m := Mounter{jobs: map[string]*job{"/pods/1/a": nil, "/pods/1/b": nil, "/pods/10/a": nil, "/pods/1": nil}}
	got := m.targetsBelow("/pods/1")
	if slices.Sort(got); !slices.Equal(got, []string{"/pods/1/a", "/pods/1/b"}) {
		t.Errorf("%v", got)
	}
	m.cancel("/pods/unknown")
	if lock := lockOf("/pods/1/data"); lock != "/pods/1/.mount-data" {
		t.Errorf("the lock is %s", lock)
	}
}
