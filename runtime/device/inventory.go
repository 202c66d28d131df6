package device

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"podd/internal/beneath"
)

// Unit is one of what a resource counts: a device, or one of the shares of it.
type Unit struct {
	ID     string `json:"id"` // stays when the device is plugged in elsewhere, as far as it tells who it is
	Source string `json:"source,omitempty"`
	// Place is the path in a container; with Numbered, later ones of a container have numbers behind it.
	Place    string `json:"place,omitempty"`
	Numbered bool   `json:"numbered,omitempty"`
	Access   string `json:"access,omitempty"`
	CDI      string `json:"cdi,omitempty"` // the qualified name of a CDI device, which says the rest
}

// Inventory is what resources have, each in the order of its rules and of the devices' names.
type Inventory map[string][]Unit

// Find looks for a unit.
func (inv Inventory) Find(resource, id string) (Unit, bool) {
	i := slices.IndexFunc(inv[resource], func(u Unit) bool { return u.ID == id })
	if i < 0 {
		return Unit{}, false
	}
	return inv[resource][i], true
}

// Key names a unit among those of all resources.
func Key(resource, id string) string { return resource + "|" + id }

// Sources are where the units are, by their keys.
func (inv Inventory) Sources() map[string]string {
	out := map[string]string{}
	for resource, units := range inv {
		for _, u := range units {
			if u.Source != "" {
				out[Key(resource, u.ID)] = u.Source
			}
		}
	}
	return out
}

// Finder looks for devices.
type Finder struct {
	Dev, Sys string // /dev and /sys
	// CDI lists the qualified names of the devices of a kind.
	CDI func(kind string) []string
}

// Find lists what the rules offer.
func (f *Finder) Find(rules []Rule) Inventory {
	inv := Inventory{}
	for i := range rules {
		r := &rules[i]
		name := cmp.Or(r.Resource, r.CDI)
		if !strings.Contains(name, "*") && inv[name] == nil {
			inv[name] = []Unit{} // it is known, also while nothing is plugged in
		}
		if r.CDI != "" {
			for _, qualified := range f.CDI(r.CDI) {
				_, device, _ := strings.Cut(qualified, "=")
				inv.add(strings.ReplaceAll(name, "*", resourcePart(device)), r.Count, Unit{ID: device, CDI: qualified})
			}
			continue
		}
		for _, c := range f.candidates(r) {
			base := path.Base(c.path)
			place, numbered := c.path, false
			switch {
			case strings.HasSuffix(r.MountPath, "/"):
				place = r.MountPath + base
			case r.MountPath != "":
				place, numbered = r.MountPath, true
			}
			inv.add(strings.ReplaceAll(name, "*", resourcePart(base)), r.Count,
				Unit{ID: c.id, Source: c.path, Place: path.Clean(place), Numbered: numbered, Access: cmp.Or(r.Permissions, "rw")})
		}
	}
	return inv
}

func (inv Inventory) add(resource string, count int, u Unit) {
	if count <= 1 {
		inv.addOne(resource, u)
		return
	}
	id := u.ID
	for i := range count {
		u.ID = id + "-" + strconv.Itoa(i)
		inv.addOne(resource, u)
	}
}

func (inv Inventory) addOne(resource string, u Unit) {
	if _, twice := inv.Find(resource, u.ID); !twice {
		inv[resource] = append(inv[resource], u)
	}
}

// resourcePart makes a device's name one that a resource can have.
func resourcePart(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, name), "-_.")
}

type candidate struct{ path, id string }

// candidates are the devices that match a rule, each once.
func (f *Finder) candidates(r *Rule) []candidate {
	var paths []string
	if r.Path != "" {
		paths, _ = filepath.Glob(r.Path) // sorted
	} else {
		paths = f.nodes(r.Subsystem)
	}
	seen := map[string]bool{}
	var out []candidate
	for _, name := range paths {
		n, err := Stat(name)
		if err != nil {
			if r.needsSysfs() || FormOf(name) != Folder {
				continue
			}
			out = append(out, candidate{name, path.Base(name)})
			continue
		}
		i := f.describe(n)
		if r.needsSysfs() && !r.matches(i) || seen[n.Number()] {
			continue
		}
		seen[n.Number()] = true
		out = append(out, candidate{name, idOf(name, i)})
	}
	return out
}

// idOf is what a device is known by: the name that rules gave it by a link, or what it says of itself.
func idOf(name string, i *info) string {
	if target, err := os.Readlink(name); err == nil && target != "" || i.serial == "" {
		return path.Base(name)
	}
	parts := []string{first(i.vendors), first(i.models), i.serial}
	if i.part != "" {
		parts = append(parts, i.part)
	}
	return resourcePart(strings.Join(parts, "-"))
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// nodes lists the nodes of a subsystem's devices, or of all.
func (f *Finder) nodes(subsystem string) []string {
	patterns := []string{f.Sys + "/dev/char/*/uevent", f.Sys + "/dev/block/*/uevent"}
	if subsystem != "" && !strings.ContainsAny(subsystem, "/") {
		patterns = []string{f.Sys + "/class/" + subsystem + "/*/uevent", f.Sys + "/bus/" + subsystem + "/devices/*/uevent"}
	}
	found := map[string]bool{}
	for _, pattern := range patterns {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			for line := range strings.Lines(beneath.ReadHostFile(file)) {
				if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok {
					found[filepath.Join(f.Dev, strings.TrimPrefix(name, "/dev/"))] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// info is what sysfs says of a device.
type info struct {
	subsystem       string
	vendors, models []string // ids first, then names
	serial          string
	part            string // of a device with several: the interface, and the name of the node among those of the interface
}

// deepest bounds how many devices a device is a part of.
const deepest = 20

func (f *Finder) describe(n Node) *info {
	kind := "char"
	if n.Kind == "b" {
		kind = "block"
	}
	out := &info{}
	dir, err := filepath.EvalSymlinks(fmt.Sprintf("%s/dev/%s/%d:%d", f.Sys, kind, n.Major, n.Minor))
	if err != nil {
		return out
	}
	if target, err := filepath.EvalSymlinks(filepath.Join(dir, "subsystem")); err == nil {
		out.subsystem = path.Base(target)
	}
	read := func(dir, name string) string {
		return strings.TrimSpace(beneath.ReadHostFile(filepath.Join(dir, name)))
	}
	for range deepest {
		if iface := read(dir, "bInterfaceNumber"); iface != "" && out.part == "" {
			out.part = "if" + iface
		}
		for _, names := range [][5]string{{"idVendor", "manufacturer", "idProduct", "product", "serial"}, {"vendor", "", "device", "", "serial"}} {
			vendor, model := read(dir, names[0]), read(dir, names[2])
			if vendor == "" {
				continue
			}
			out.vendors, out.models, out.serial = []string{strings.TrimPrefix(vendor, "0x")}, []string{strings.TrimPrefix(model, "0x")}, read(dir, names[4])
			if names[1] != "" {
				out.vendors, out.models = append(out.vendors, read(dir, names[1])), append(out.models, read(dir, names[3]))
			}
			return out
		}
		if dir == f.Sys || dir == "/" {
			return out
		}
		dir = filepath.Dir(dir)
	}
	return out
}
