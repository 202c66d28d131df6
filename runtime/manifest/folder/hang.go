package folder

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"podd/internal/hostfile"
	"podd/runtime/manifest"
)

const (
	// filePatience is how long a file may take to answer. A link may lead to a file system that never does; the other
	// files of the folder then go on without it.
	filePatience = 4 * time.Second
	// mostHanging is how many files may hang, each in a thread of the kernel's, before no others are looked at.
	mostHanging = 3
)

// newGuard makes what stands between a scan and files that never answer. When one does at last, a Scan is asked for. The
// watches are put on again first: while a folder did not answer, those around it may have been taken away.
func (f *Folder) newGuard() *hostfile.Guard {
	return &hostfile.Guard{Patience: filePatience, Most: mostHanging, Returned: func(string) {
		f.mu.Lock()
		w := f.watch
		f.mu.Unlock()
		if w != nil {
			w.arm()
			w.hint()
		}
	}}
}

// Unanswered is the Problem of a folder whose Scan does not return. It waits for nobody.
func (f *Folder) Unanswered() manifest.Problem {
	return manifest.Problem{File: f.o.Dir, Reason: manifest.ReasonHangs, Message: "manifest folder " + f.o.Dir + ": " + hostfile.ErrHangs.Error() +
		"; what it said last stays until it does; bring the file system back, or have podd read another folder"}
}

// glance is what a file looks like from outside.
type glance struct {
	st    *syscall.Stat_t
	links []string
}

// glanceAt looks at a file, or says hostfile.ErrHangs.
func (f *Folder) glanceAt(path string, link bool) (glance, error) {
	type answer struct {
		glance
		err error
	}
	a, err := hostfile.Do(f.guard, "look "+entryID(path, link), func() (a answer) {
		if a.st, a.err = stat(path); link {
			a.links = linkDirs(path)
		}
		return a
	})
	if err != nil {
		return glance{}, err
	}
	return a.glance, a.err
}

// readFile is readSettled that does not wait for ever.
func (f *Folder) readFile(path string, settled func(*syscall.Stat_t) bool) ([]byte, stamp, error) {
	type answer struct {
		data  []byte
		stamp stamp
		err   error
	}
	a, err := hostfile.Do(f.guard, "read "+entryID(path, true), func() (a answer) {
		a.data, a.stamp, a.err = readSettled(path, settled)
		return a
	})
	if err != nil {
		return nil, stamp{}, err
	}
	return a.data, a.stamp, a.err
}

// entryID tells a link from the one that comes in its place: that one may lead elsewhere. It is the folder's own file
// system that is asked.
func entryID(path string, link bool) string {
	if !link {
		return path
	}
	info, err := os.Lstat(path)
	if err != nil {
		return path
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%s %d %d", path, st.Ino, syscall.TimespecToNsec(st.Ctim))
}
