package container

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"podd/runtime/container/lsm"
	"podd/runtime/container/spec"
)

// labels are the SELinux labels of a container. The files that podd has made for it and that it may write to get its own, as
// the kubelet has container runtimes relabel them.
func (e *Engine) labels(c *spec.Config) (lsm.Labels, error) {
	labels, err := e.Modules.Labels(c.Pod, c.Container, c.Sandbox.Level)
	if err != nil || labels.Mount == "" {
		return labels, err
	}
	if c.PoddsOwn {
		labels.Process = ""
	}
	files := []string{c.Sandbox.HostsFile, c.Sandbox.HostnameFile, c.Sandbox.ResolvFile, c.TerminationLog}
	if c.Sandbox.IPCNS != "" { // else it is the machine's
		files = append(files, c.Sandbox.ShmDir)
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		if err := unix.Lsetxattr(file, attrLabel, []byte(labels.Mount+"\x00"), 0); err != nil {
			return lsm.Labels{}, fmt.Errorf("cannot give %s the SELinux label %q: %w", file, labels.Mount, err)
		}
	}
	return labels, nil
}

// attrLabel is where SELinux has the label of a file.
const attrLabel = "security.selinux"

// labelPipes lets a container use its input and output: what its label may not use is closed when it is executed.
func labelPipes(label string, files ...*os.File) error {
	if label == "" {
		return nil
	}
	var errs []error
	for _, f := range files {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
			errs = append(errs, unix.Fsetxattr(int(f.Fd()), attrLabel, []byte(label+"\x00"), 0))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot give a container's input and output the SELinux label %q: %w", label, err)
	}
	return nil
}

// labelled are the options of a mount whose files all have a label.
func labelled(options, label string) string {
	if label == "" {
		return options
	}
	return options + `,context="` + label + `"`
}
