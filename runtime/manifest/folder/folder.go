// Package folder follows a folder of manifests. Scan returns the whole folder as one manifest.Set, Watch says when to scan
// again. A bad edit never takes a running pod away: the last good version stays, over a reboot too.
package folder

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"podd/internal/atomicfile"
	"podd/internal/hostfile"
	"podd/runtime/manifest"
)

const (
	// settleAge is how old a file must be before what does not parse is a problem: scripts write a manifest in
	// several appends, each of which closes the file.
	settleAge = time.Second
	// vanishAge is how long a file must be away before its pods go: editors rename the old version away before
	// they write the new one.
	vanishAge = 100 * time.Millisecond
	// deleteAge is the same for a file that was seen to be deleted, not renamed: some write a new version by
	// deleting the old one first, as git does, and are done with it in less.
	deleteAge = 10 * time.Millisecond
	// busyRecheck is when to look again at a file that somebody writes to under another name, of which no event
	// tells.
	busyRecheck = 5 * time.Second
)

// Options of a Folder. Only Dir is needed.
type Options struct {
	Dir string // of the manifests
	// CacheDir keeps the last good version of files whose edit went bad, so that it outlives a reboot. Empty: it
	// does not.
	CacheDir string
	// Fits says whether a document whose annotation podd.dev/node has this value is for this board; nil: all are.
	Fits func(expression string) bool
	// RefuseUnknown says whether kinds that podd does not act on are refused, rather than stored; nil: they are stored.
	RefuseUnknown func() bool
	// Seed holds the pods that ran when podd was last alive, from the runtime's records: they stand in for files
	// that are bad, half written or away at the first Scan, and they win over newcomers of the same name.
	Seed []manifest.Pod
	// Damaged is told of files in CacheDir that could not be believed and were set aside; nil: nobody is.
	Damaged atomicfile.Report
}

// Folder is a folder of manifests. Scan and Watch may run at the same time.
type Folder struct {
	o    Options
	mu   sync.Mutex
	last manifest.Set
	// files holds what is known of each file, by its name in the folder.
	files   map[string]*file
	scanned bool                         // after the first Scan that found the folder
	device  uint64                       // file system on which the folder was found last
	ranks   int                          // how many names have got a rank
	closed  map[string]bool              // names that were closed after writing since they were last read
	deleted map[string]bool              // names that were deleted since they were last there
	watch   *watcher                     // while Watch runs
	copied  []manifest.Problem           // about files that are named like copies
	owners  map[string]string            // the file, by the key of each object that several have; nil until read
	seeds   map[string][]manifest.Object // Options.Seed, by file

	immutables immutables
	guard      *hostfile.Guard
	reread     atomic.Bool // the next Scan reads every file again
}

// board is what Options say to the parser.
func (f *Folder) board() manifest.Board {
	return manifest.Board{Fits: f.o.Fits, RefuseUnknown: f.o.RefuseUnknown != nil && f.o.RefuseUnknown()}
}

// file is what is known of one file of the folder.
type file struct {
	path     string
	read     stamp             // of the version that pods and problems are from
	seen     inode             // of what was there last
	objects  []manifest.Object // with the last good versions of those whose documents are bad now
	problems []manifest.Problem
	ages     map[string]age // of the names of its objects
	came     time.Time      // first Scan that found the file, zero if it was there from the start
	missed   time.Time      // first Scan that did not find the file, zero if it is there
	kept     bool           // its last good version is in CacheDir
	judged   bool           // objects and problems are those of some version of the file
	links    []string       // folders through which its symbolic links lead
}

// age tells how long a name has been in a file. The lower rank is the older one.
type age struct {
	since time.Time
	rank  int
}

// Open makes a Folder. It does no I/O: Dir need not exist yet.
func Open(o Options) *Folder {
	o.Dir = filepath.Clean(o.Dir)
	f := &Folder{o: o, files: map[string]*file{}, closed: map[string]bool{}, deleted: map[string]bool{}, last: manifest.Set{Pods: o.Seed}, seeds: seedsByFile(o.Seed), immutables: newImmutables(o.CacheDir, o.Damaged)}
	f.guard = f.newGuard()
	return f
}

// Scan looks at the folder and returns what it says now. It reads only files that have changed; when none has, it
// costs one stat a file. It never fails: what goes wrong is among the Problems. A file that does not answer (a link to a
// server that is away) is one of them after filePatience; where the folder itself does not answer, neither does Scan.
func (f *Folder) Scan(now time.Time) manifest.Set {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reread.Swap(false) {
		for _, file := range f.files {
			file.read = stamp{}
		}
	}
	entries, err := f.entries()
	if err != nil {
		f.last = f.gone(err)
		return f.last
	}
	entries, copies := f.copies(entries)
	round := round{folder: f, now: now, first: !f.scanned, changed: !f.scanned || f.last.Gone}
	present := make(map[string]bool, len(entries))
	for _, e := range entries {
		present[e.Name()] = round.look(e.Name(), e.Type()&fs.ModeSymlink != 0)
	}
	for name, file := range f.files {
		if !present[name] {
			round.miss(name, file)
		}
	}
	if round.first {
		f.sweepKept()
	}
	round.changed = round.changed || !slices.Equal(copies, f.copied)
	f.copied = copies
	f.scanned = true
	if round.changed {
		round.rank()
		f.last = f.resolve()
		f.immutables.note(&f.last)
	}
	f.last.RecheckAfter = round.recheck
	f.last.Unread = f.unread()
	if f.watch != nil {
		f.watch.follow(f.linkDirs())
	}
	return f.last
}

// unread tells whether there is a file that has neither been read nor found to be unreadable.
func (f *Folder) unread() bool {
	for _, file := range f.files {
		if !file.judged {
			return true
		}
	}
	return false
}

// Reread makes the next Scan read every file again: whether its documents fit this board may have changed.
func (f *Folder) Reread() { f.reread.Store(true) }

// entries lists what may be manifests in the folder, in order.
func (f *Folder) entries() ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(f.o.Dir)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return ignored(e.Name()) || e.IsDir() })
	return entries, f.checkDevice(len(entries) == 0)
}

// ignored tells whether a file is hidden, or a copy that an editor keeps.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") ||
		strings.HasSuffix(name, ".bak") || strings.HasSuffix(name, ".swp")
}

// isCopy tells whether a file is named as people, packagers and desktops name what they put aside.
func isCopy(name string) bool {
	for _, end := range []string{
		".old", ".orig", ".save", ".backup", ".rpmsave", ".rpmnew", ".rpmorig",
		".dpkg-old", ".dpkg-dist", ".dpkg-new", ".dpkg-bak", ".ucf-old", ".ucf-dist", ".swo", ".swx", ".rej",
	} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") || strings.Contains(name, "(copy)") || strings.Contains(name, " copy.")
}

// copies takes the names of copies out of entries, with a sentence about each.
func (f *Folder) copies(entries []fs.DirEntry) ([]fs.DirEntry, []manifest.Problem) {
	var problems []manifest.Problem
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		if !isCopy(e.Name()) {
			return false
		}
		path := filepath.Join(f.o.Dir, e.Name())
		problems = append(problems, manifest.Problem{
			File: path, Kind: "File", Name: e.Name(), Reason: manifest.ReasonCopy, Other: true,
			Message: path + ": it is named like a copy and is not read; remove it, or rename it to end in .yaml",
		})
		return true
	}), problems
}

// linkDirs returns the folders in which a change may change what the files of the folder are.
func (f *Folder) linkDirs() []string {
	var dirs []string
	for _, file := range f.files {
		dirs = append(dirs, file.links...)
	}
	return dirs
}
