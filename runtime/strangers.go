package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"

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
		containers[sandbox.PauseID(uid)] = sandbox.SharesProcesses(p.rec.Object)
		for _, c := range p.rec.Containers {
			if p.io[c.Name] != nil {
				containers[state.ContainerID(uid, c.Name, c.Attempt)] = true
			}
		}
	}
	ids, err := r.engine.IDs()
	errs := []error{err}
	for _, id := range ids {
		if !containers[id] {
			errs = append(errs, r.engine.Discard(id))
		}
	}
	for _, parent := range []string{"ns", "sandbox"} {
		entries, _ := os.ReadDir(filepath.Join(r.RunDir, parent))
		for _, e := range entries {
			if !known[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
				errs = append(errs, r.sandboxes.RemoveOf(types.UID(e.Name())))
			}
		}
	}
	for _, uid := range r.volumes.Strangers(known) {
		errs = append(errs, r.volumes.RemoveMemory(uid))
	}
	errs = append(errs, r.Network.Collect(known), r.Cgroups.Collect(known), r.Users.Collect(known), r.sandboxes.UnmapAll())
	if err := errors.Join(errs...); err != nil {
		r.Log.Error("cannot remove all remains", "error", err)
	}
}

func (r *Runtime) ensureFolders() error {
	errs := []error{os.MkdirAll(r.LogDir, 0o711)}
	// The root of a pod with ids of its own passes this one; each container's in it is closed to others.
	errs = append(errs, ensureFolder(r.engine.MountDir, 0o711))
	// What containers make is nobody's on the board: a program that runs as its owner would make anybody root.
	for _, dir := range []string{r.records.Dir, r.engine.StateDir, r.engine.IODir, r.engine.RootDir, r.volumes.Disk, filepath.Join(r.RunDir, "sandbox")} {
		errs = append(errs, ensureFolder(dir, 0o700))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot make a folder: %w", err)
	}
	if err := container.EnsureBaseLayer(r.engine.BaseLayer); err != nil {
		return err
	}
	if err := r.engine.EnsureCgroupView(); err != nil {
		return err
	}
	return r.forgetOtherBoot("/proc/sys/kernel/random/boot_id")
}

// ensureFolder makes a folder, or gives one that an earlier podd has made its mode.
func ensureFolder(dir string, mode os.FileMode) error {
	return errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode))
}

// forgetOtherBoot drops records that an earlier boot left in a folder that is not on tmpfs: their processes
// and their clock are gone.
func (r *Runtime) forgetOtherBoot(bootID string) error {
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return fmt.Errorf("cannot read the boot's ID: %w", err)
	}
	mark := filepath.Join(r.RunDir, "boot-id")
	if have, err := os.ReadFile(mark); err == nil && string(have) == string(boot) {
		return nil
	}
	for _, dir := range []string{r.records.Dir, r.engine.StateDir, r.engine.IODir} {
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
			return fmt.Errorf("cannot clear what an earlier boot left: %w", err)
		}
	}
	return os.WriteFile(mark, boot, 0o600)
}
