package nfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// options are the mount options of a share, for whom they are for.
type options struct {
	flags  uintptr  // of mount(2)
	kernel []string // that the kernel's NFS reads, without those about the version and the addresses
	// major and minor are the version that was asked for; -1: the newest that the server speaks.
	major, minor int
	minorversion int    // what that option says, wherever it stands; -1: it is not there
	proto        string // tcp, tcp6, udp, udp6; "": tcp, of any address
	clientAddr   string
	mountHost    string // the name of the server that is asked for version 3
	mountAddr    string
	mountProto   string
	mountd       bool // there is an option that only version 3 has
	port         string
	localLocks   bool // of version 3: nobody is asked for locks
	shares       bool // something is said of caches that are shared
}

// The flags of mount(2) by the options that set them and those that take them away. man 8 mount
var flagNames = []struct {
	set, clear string
	flag       uintptr
}{
	{"ro", "rw", unix.MS_RDONLY},
	{"nosuid", "suid", unix.MS_NOSUID},
	{"nodev", "dev", unix.MS_NODEV},
	{"noexec", "exec", unix.MS_NOEXEC},
	{"sync", "async", unix.MS_SYNCHRONOUS},
	{"dirsync", "", unix.MS_DIRSYNC},
	{"noatime", "atime", unix.MS_NOATIME},
	{"nodiratime", "diratime", unix.MS_NODIRATIME},
	{"relatime", "norelatime", unix.MS_RELATIME},
	{"strictatime", "nostrictatime", unix.MS_STRICTATIME},
	{"nosymfollow", "symfollow", unix.MS_NOSYMFOLLOW},
	{"silent", "loud", unix.MS_SILENT},
}

// Lists of options, each between spaces: nothing is made of them before they are needed. man 5 nfs, fs/nfs/fs_context.c
const (
	// kernelFlags have no value.
	kernelFlags = " ac noac acl noacl cto nocto fsc nofsc hard soft softerr softreval nosoftreval intr nointr posix noposix rdirplus nordirplus resvport noresvport trunkdiscovery notrunkdiscovery alignwrite noalignwrite "
	// kernelNumbers are followed by a number.
	kernelNumbers = " acdirmax acdirmin acregmax acregmin actimeo bsize max_connect nconnect namlen retrans rsize timeo wsize "
	// kernelWords are followed by a word of a few.
	kernelWords = " lookupcache=all lookupcache=none lookupcache=pos lookupcache=positive write=lazy write=eager write=wait rdirplus=none rdirplus=force xprtsec=none "
	// nobodys are for mount(8) and systemd: podd mounts when a pod comes, and tries again as long as there is one.
	nobodys = " defaults auto noauto nofail _netdev owner noowner group nogroup user nouser users nousers bg fg retry comment nomand mand iversion noiversion lazytime nolazytime "
	// others' options mean another kind of mount.
	others = " bind rbind move remount loop private rprivate shared rshared slave rslave unbindable runbindable "
)

func has(list, word string) bool { return strings.Contains(list, " "+word+" ") }

// CheckOptions says in a sentence what podd cannot mount with, and in which of the options it is.
func CheckOptions(list []string) (index int, err error) {
	_, index, err = parse(list)
	return index, err
}

// parse reads mount options. Of those that exclude one another the last counts.
func parse(list []string) (*options, int, error) {
	o := &options{major: -1, minor: -1, minorversion: -1}
	var words []string
	for _, text := range list {
		words = append(words, strings.Split(text, ",")...)
	}
	sloppy := slices.Contains(words, "sloppy")
	for i, text := range list {
		for word := range strings.SplitSeq(text, ",") {
			known, err := o.add(strings.TrimSpace(word))
			if err == nil && !known && !sloppy {
				err = fmt.Errorf("%q is no mount option of NFS", word)
			}
			if err != nil {
				return nil, i, err
			}
		}
	}
	if o.minor > 0 && o.major != 4 {
		return nil, len(list) - 1, fmt.Errorf("minorversion=%d is of version 4; add nfsvers=4", o.minor)
	}
	if o.major == 4 && o.mountd {
		return nil, len(list) - 1, fmt.Errorf("options about mountd are of version 3; remove them, or say nfsvers=3")
	}
	return o, 0, nil
}

// add takes in one option; known is false of one that nobody knows.
func (o *options) add(word string) (known bool, err error) {
	name, value, valued := strings.Cut(word, "=")
	for _, f := range flagNames {
		switch word {
		case f.set:
			o.flags |= f.flag
			return true, nil
		case f.clear:
			o.flags &^= f.flag
			return true, nil
		}
	}
	switch {
	case word == "", word == "sloppy", has(nobodys, name), strings.HasPrefix(word, "x-"):
		return true, nil
	case has(others, name):
		return true, fmt.Errorf("%q is another kind of mount; remove it", word)
	case !valued && has(kernelFlags, word), valued && has(kernelWords, word):
		if name == "fsc" {
			o.shares = true // a cache on disk is one for all mounts of a share, or none
		}
		o.kernel = append(o.kernel, word)
		return true, nil
	case valued && name == "fsc":
		o.kernel = append(o.kernel, word)
		return true, nil
	case has(kernelNumbers, name):
		o.kernel = append(o.kernel, word)
		return true, checkNumber(word, value)
	}
	if known, err = o.addVersion(word, name, value); known {
		return known, err
	}
	return o.addTransport(word, name, value)
}

func checkNumber(word, value string) error {
	if _, err := strconv.ParseUint(value, 10, 32); err != nil {
		return fmt.Errorf("mount option %q: its value is no number", word)
	}
	return nil
}

// addVersion takes in what is about the version, locks and security.
func (o *options) addVersion(word, name, value string) (known bool, err error) {
	switch name {
	case "v2", "v3", "v4", "v4.0", "v4.1", "v4.2":
		return true, o.setVersion(word, name[1:])
	case "vers", "nfsvers":
		return true, o.setVersion(word, value)
	case "minorversion":
		minor, err := strconv.ParseUint(value, 10, 8)
		if err != nil || minor > newestMinor {
			return true, fmt.Errorf("mount option %q: podd mounts versions 3, 4.0, 4.1 and 4.2", word)
		}
		o.minor, o.minorversion = int(minor), int(minor)
		return true, nil
	case "sec":
		// "none" and "null" need nobody's help either.
		if value != "sys" && value != "none" && value != "null" {
			return true, fmt.Errorf("mount option %q: podd mounts with sec=sys; Kerberos needs a program on the board", word)
		}
		o.kernel = append(o.kernel, word)
		return true, nil
	case "lock", "nolock":
		o.localLocks = name == "nolock"
		o.kernel = append(o.kernel, word)
		return true, nil
	case "local_lock":
		if !has(" all flock posix none ", value) {
			return true, fmt.Errorf("mount option %q: its value is all, flock, posix or none", word)
		}
		o.localLocks = value == "all"
		o.kernel = append(o.kernel, word)
		return true, nil
	case "sharecache", "nosharecache":
		o.shares = true
		o.kernel = append(o.kernel, word)
		return true, nil
	}
	return false, nil
}

func (o *options) setVersion(word, version string) error {
	major, minor, given := strings.Cut(version, ".")
	o.minor = -1
	switch {
	case major == "3" && !given:
		o.major = 3
		return nil
	case major == "4":
		o.major = 4
		if !given {
			o.minor = o.minorversion
			return nil
		}
		if n, err := strconv.ParseUint(minor, 10, 8); err == nil && n <= newestMinor {
			o.minor = int(n)
			return nil
		}
	}
	return fmt.Errorf("mount option %q: podd mounts versions 3, 4.0, 4.1 and 4.2", word)
}

// addTransport takes in how the server is reached.
func (o *options) addTransport(word, name, value string) (known bool, err error) {
	const protocols = " tcp tcp6 udp udp6 "
	switch name {
	case "tcp", "udp":
		o.proto = name
	case "proto":
		o.proto = value
		if !has(protocols, value) {
			return true, fmt.Errorf("mount option %q: podd mounts over tcp, tcp6, udp and udp6", word)
		}
	case "rdma":
		return true, fmt.Errorf("mount option %q: podd mounts over tcp, tcp6, udp and udp6", word)
	case "port":
		o.port = value
		return true, checkPort(word, value)
	case "clientaddr":
		o.clientAddr = value
		return true, checkAddr(word, value)
	case "mountproto":
		o.mountd, o.mountProto = true, value
		if !has(protocols, value) {
			return true, fmt.Errorf("mount option %q: mountd is asked over tcp, tcp6, udp or udp6", word)
		}
	case "mountport":
		o.mountd, o.kernel = true, append(o.kernel, word)
		return true, checkPort(word, value)
	case "mountvers":
		o.mountd, o.kernel = true, append(o.kernel, word)
		if value != "3" {
			return true, fmt.Errorf("mount option %q: version 3 of NFS has mountvers=3", word)
		}
	case "mounthost":
		o.mountd, o.mountHost = true, value
	case "mountaddr":
		o.mountd, o.mountAddr = true, value
		return true, checkAddr(word, value)
	case "addr":
		return true, fmt.Errorf("mount option %q: podd finds the address; put it into server", word)
	default:
		return false, nil
	}
	return true, nil
}

func checkPort(word, value string) error {
	if _, err := strconv.ParseUint(value, 10, 16); err != nil {
		return fmt.Errorf("mount option %q: its value is no port", word)
	}
	return nil
}
