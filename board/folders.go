package board

import "fmt"

const (
	mib      = 1 << 20
	leastRun = 16 * mib  // records, spools, FIFOs of some pods
	leastAny = 64 * mib  // an image and a log
	littleOf = 10        // percent
	plenty   = 512 * mib // whatever the percentage
)

// unfit are file systems on which an image's owners, modes and attributes cannot be kept, or a container's root
// cannot be.
var unfit = map[string]string{
	"msdos":    "keeps neither owners nor modes nor links",
	"vfat":     "keeps neither owners nor modes nor links",
	"exfat":    "keeps neither owners nor modes nor links",
	"ntfs":     "keeps no owners and modes of Linux",
	"ntfs3":    "keeps no owners and modes of Linux",
	"nfs":      "cannot hold the upper layer of an overlay",
	"nfs4":     "cannot hold the upper layer of an overlay", // as the kernel calls NFS since version 4
	"cifs":     "cannot hold the upper layer of an overlay",
	"smb3":     "cannot hold the upper layer of an overlay",
	"9p":       "cannot hold the upper layer of an overlay",
	"overlay":  "is an overlay itself, which cannot hold the upper layer of another",
	"squashfs": "can only be read",
	"iso9660":  "can only be read",
}

func folders(m *Machine) []Finding {
	var list []Finding
	for _, f := range m.Folders {
		list = append(list, folder(f))
	}
	return list
}

func folder(f Folder) Finding {
	name := "folder " + f.Name
	where := fmt.Sprintf("%s is on %s", f.Path, f.FS.Type)
	switch {
	case f.FS.Type == "":
		return Finding{name, Fail, f.Path + " cannot be looked at", "make it, or name another folder"}
	case f.FS.Type == "proc" || f.FS.Type == "sysfs":
		return Finding{name, Fail, where + ", which holds no files", "name a folder on flash"}
	case f.FS.ReadOnly:
		return Finding{name, Fail, where + ", which is mounted read-only: nothing can be kept there", "mount it read-write, or name a folder on another file system; after an error the kernel makes ext4 read-only: look at dmesg, and run fsck"}
	case f.Name == "run":
		return runFolder(name, where, f)
	case unfit[f.FS.Type] != "" && f.Name == "root":
		return Finding{name, Fail, where + ", which " + unfit[f.FS.Type], "name a folder on ext4, xfs, btrfs or f2fs with --root"}
	case f.FS.Type == "tmpfs" || f.FS.Type == "ramfs":
		return Finding{name, Warn, where + ": what is kept there is gone after a reboot, and takes memory", "name a folder on flash"}
	}
	return space(name, where, f)
}

func runFolder(name, where string, f Folder) Finding {
	if f.FS.Type != "tmpfs" {
		return Finding{name, Warn, where + ", not on a tmpfs: records and log spools wear the disk, and outlive a reboot that they must not outlive", "mount a tmpfs at /run, or name a folder on one with --run-dir"}
	}
	if f.FS.Free < leastRun {
		return Finding{name, Fail, fmt.Sprintf("%s with %d MiB free: log lines wait there, and pods cannot start without a record", where, f.FS.Free/mib), "make room, or mount it with a larger size="}
	}
	return Finding{name, OK, fmt.Sprintf("%s with %d MiB free", where, f.FS.Free/mib), ""}
}

func space(name, where string, f Folder) Finding {
	free := fmt.Sprintf("%s with %d of %d MiB free", where, f.FS.Free/mib, f.FS.Size/mib)
	switch {
	case f.FS.Free < leastAny:
		return Finding{name, Fail, free + ": images cannot be loaded, containers and logs cannot be written", "make room: podd images rm takes images away that no pod needs"}
	case f.FS.Inodes > 0 && f.FS.FreeInodes < 1000:
		return Finding{name, Fail, fmt.Sprintf("%s has %d inodes left: no more files can be made", where, f.FS.FreeInodes), "take away what has many small files"}
	case f.FS.Free < plenty && f.FS.Free*100 < f.FS.Size*littleOf:
		return Finding{name, Warn, free, "make room: podd images rm takes images away that no pod needs"}
	}
	return Finding{name, OK, free, ""}
}
