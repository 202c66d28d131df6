package board

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Verdict says how bad a finding is.
type Verdict string

// The verdicts.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn" // podd runs pods, but something will be missed
	Fail Verdict = "fail" // some pods, or all of them, cannot run
)

// Finding is what one check has found.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	Remedy  string  `json:"remedy,omitempty"`
}

// Folder is one of podd's folders, with what it is for.
type Folder struct {
	Name string // of the setting, as in root
	Path string
	// FS is what the kernel says of the file system that it is on, or will be.
	FS FileSystem
}

// FileSystem is the part of man 2 statfs that matters.
type FileSystem struct {
	Type           string // ext4, vfat, …; empty if unknown
	Free, Size     uint64 // bytes
	FreeInodes     uint64
	Inodes         uint64 // 0: the file system does not count them
	ReadOnly, NoSU bool
}

// Route is a route of the machine.
type Route struct {
	To   netip.Prefix
	Link string
}

// Chain is a base chain of the machine's firewall.
type Chain struct {
	Family, Table, Name, Hook string
	Drop                      bool
}

// Machine is all that the checks look at. An empty Root is that of the machine itself.
type Machine struct {
	Root    string
	Now     time.Time
	Synced  bool // the clock, by the kernel's account
	Folders []Folder
	CIDRs   []netip.Prefix // of the pods
	Bridge  string
	Table   string // podd's own in nftables
	// What the configuration says of those outside.
	PortInterfaces            []string
	PortSources, PodIPSources []netip.Prefix
	Router                    bool
	Routes                    []Route
	Chains                    []Chain
	// Errors are those of the sensors above: what could not be looked at.
	Errors map[string]error
}

// Examine makes every check, in the order in which they are to be read.
func (m *Machine) Examine() []Finding {
	var list []Finding
	for _, check := range []func(*Machine) []Finding{
		model, kernel, privileges, controllers, overlay, nfs, firewall, bridges, userNamespaces, seccomp, appArmor, pressure, folders, clock, forwarding, outside, addresses, engines, watches,
	} {
		list = append(list, check(m)...)
	}
	return list
}

// Worst is the worst of the verdicts.
func Worst(list []Finding) Verdict {
	worst := OK
	for _, f := range list {
		if f.Verdict == Fail || f.Verdict == Warn && worst == OK {
			worst = f.Verdict
		}
	}
	return worst
}

//go:noinline
func one(check string, v Verdict, reason, remedy string) []Finding {
	return []Finding{{check, v, reason, remedy}}
}

func (m *Machine) path(p string) string { return filepath.Join("/", m.Root, p) }

// read is the text of a file, trimmed; "" if there is none.
func (m *Machine) read(p string) string {
	data, err := os.ReadFile(m.path(p))
	if err != nil {
		return ""
	}
	// The device tree's strings end in NUL.
	return strings.Trim(string(data), " \n\t\x00")
}

func (m *Machine) exists(p string) bool {
	_, err := os.Stat(m.path(p))
	return err == nil
}
