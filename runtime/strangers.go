package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/container"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// removeStrangers takes away containers, sandboxes, addresses and cgroups that no record speaks of: the
// remains of an earlier boot, or of a step that the daemon died in.
func (r *Runtime) removeStrangers() {
	known, containers := map[string]bool{}, map[string]bool{}
	for uid, p := range r.pods {
		known[string(uid)] = true
		containers[sandbox.PauseID(uid)] = sandbox.SharesProcesses(p.Record.Object)
		for _, c := range p.Record.Containers {
			if p.IO[c.Name] != nil {
				containers[state.ContainerID(uid, c.Name, c.Attempt)] = true
			}
		}
	}
	for uid, running := range r.orphans.containers {
		known[string(uid)] = true
		for name, attempt := range running {
			containers[state.ContainerID(uid, name, attempt)] = true
		}
	}
	ids, err := r.kernel.attempts()
	errs := []error{err}
	for _, id := range ids {
		if !containers[id] {
			errs = append(errs, r.kernel.Discard(id))
		}
	}
	for _, parent := range []string{"ns", "sandbox"} {
		entries, _ := os.ReadDir(filepath.Join(r.RunDir, parent))
		for _, e := range entries {
			if !known[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
				errs = append(errs, r.kernel.removeSandbox(types.UID(e.Name())))
			}
		}
	}
	for _, uid := range r.volumes.Strangers(known) {
		errs = append(errs, r.volumes.RemoveMemory(uid))
	}
	errs = append(errs, r.Network.Collect(known), r.Cgroups.Collect(known), r.Users.Collect(known), r.kernel.unmapAll())
	if err := errors.Join(errs...); err != nil {
		r.Log.Error("cannot remove all remains", "error", err)
	}
}

// ensureFolders makes the folders, and what the roots of all containers share.
func (r *Runtime) ensureFolders() error {
	if err := r.ensureStateFolders(); err != nil {
		return err
	}
	if err := container.EnsureBaseLayer(r.engine.BaseLayer); err != nil {
		return err
	}
	return r.engine.EnsureCgroupView()
}

func (r *Runtime) ensureStateFolders() error {
	errs := []error{atomicfile.EnsureDir(r.LogDir, 0o711, r.Damaged, "logs begin anew")}
	// The root of a pod with ids of its own passes this one; each container's in it is closed to others.
	errs = append(errs, r.ensureFolder(r.engine.MountDir, 0o711))
	// What containers make is nobody's on the board: a program that runs as its owner would make anybody root.
	for _, dir := range []string{r.records.Dir, r.engine.StateDir, r.engine.IODir, r.engine.RootDir, r.volumes.Disk, filepath.Join(r.RunDir, "sandbox")} {
		errs = append(errs, r.ensureFolder(dir, 0o700))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot make a folder: %w", err)
	}
	return nil
}

// bootID names the boot. man 4 random
const bootID = "/proc/sys/kernel/random/boot_id"

// ensureFolder makes a folder, or gives one that an earlier podd has made its mode.
func (r *Runtime) ensureFolder(dir string, mode os.FileMode) error {
	if err := atomicfile.EnsureDir(dir, mode, r.Damaged, "what was in its place is not the runtime's"); err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm() == mode {
		return nil // also on a disk that has become read-only
	}
	return os.Chmod(dir, mode)
}

// forgetOtherBoot drops records that an earlier boot left in a folder that is not on tmpfs: their processes
// and their clock are gone. What runs is of this boot, whatever the mark says; without a mark that can be believed nothing is
// dropped but set aside.
func (r *Runtime) forgetOtherBoot(bootID string) error {
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return fmt.Errorf("cannot read the boot's ID: %w", err)
	}
	mark, same := filepath.Join(r.RunDir, "boot-id"), false
	markErr := atomicfile.Load(mark, maxBootID, func(have []byte) error {
		same = string(have) == string(boot)
		if len(have) != len(boot) {
			return errors.New("it names no boot")
		}
		return nil
	})
	if same {
		return nil
	}
	runs := r.anyRuns()
	switch {
	case runs && markErr == nil:
		r.disk.Restored(atomicfile.SetAside(mark, errors.New("it names another boot, and pods of this one run")), "it is written again")
	case runs:
		r.disk.Restored(markErr, "it is written again, as pods of this boot run")
	case markErr != nil:
		r.disk.Restored(markErr, "nothing runs; what may be of an earlier boot is set aside")
	}
	for _, dir := range []string{r.records.Dir, r.engine.StateDir, r.engine.IODir} {
		if runs {
			break
		}
		err := errors.Join(r.dropFolder(dir, markErr), os.MkdirAll(dir, 0o700))
		if err != nil {
			return fmt.Errorf("cannot clear what an earlier boot left: %w", err)
		}
	}
	if err := atomicfile.Write(mark, boot, 0o600); err != nil {
		return fmt.Errorf("cannot note the boot's ID: %w", err)
	}
	return nil
}

// maxBootID is more than the ID of a boot has, in bytes.
const maxBootID = 128

// dropFolder removes a folder of an earlier boot; records of which nobody knows the boot are set aside.
func (r *Runtime) dropFolder(dir string, unsure error) error {
	entries, err := os.ReadDir(dir)
	if dir != r.records.Dir || unsure == nil || err != nil || len(entries) == 0 {
		return os.RemoveAll(dir)
	}
	r.disk.Restored(atomicfile.SetAside(dir, errors.New("nothing says of which boot its records are")), "pods that do not run begin anew")
	return nil
}

// anyRuns says whether a process of an earlier daemon's containers is alive: as the time of its start is compared, too, it
// is of this boot.
func (r *Runtime) anyRuns() bool {
	ids, _ := r.engine.IDs()
	for _, id := range ids {
		if found, err := r.engine.Find(id); err == nil && found != nil && found.PIDFD != nil {
			_ = found.PIDFD.Close()
			return true
		}
	}
	return false
}
