package spec

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

// Build makes the OCI runtime spec of one container. It is pure: who and root come from outside.
func Build(c *Config, who Identity, root string) (*specs.Spec, error) {
	declared := declaredEnv(c)
	args := processArgs(c, declared)
	if len(args) == 0 || args[0] == "" {
		return nil, fmt.Errorf("%w: container %q has no command: neither the manifest nor image %q names one", ErrConfig, c.Container.Name, c.Container.Image)
	}
	caps, err := capabilities(c.Container.SecurityContext)
	if err != nil {
		return nil, fmt.Errorf("cannot read the capabilities of this kernel: %w", err)
	}
	privileged, umask := IsPrivileged(c), uint32(0o022) // libcontainer has this one for the first process only
	spec := &specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Path: root, Readonly: readonlyRoot(c)},
		Mounts:  systemMounts(c, privileged),
		Process: &specs.Process{
			Terminal:        c.Container.TTY,
			Args:            args,
			Env:             processEnv(c, declared),
			Cwd:             workingDir(c, declared),
			User:            specs.User{UID: uint32(who.UID), GID: uint32(who.GID), Umask: &umask, AdditionalGids: gids(who.Groups)},
			Capabilities:    specCapabilities(caps),
			NoNewPrivileges: noNewPrivileges(c.Container.SecurityContext, c.NoNewPrivileges),
			OOMScoreAdj:     c.OOMScoreAdj,
		},
		Linux: &specs.Linux{
			CgroupsPath: c.Sandbox.CgroupPath + "/" + c.ID,
			Namespaces:  namespaces(c),
			Resources:   linuxResources(c),

			RootfsPropagation: rootPropagation(c.Mounts),
		},
	}
	spec.Hooks = hooks(c.Hooks)
	if privileged {
		if spec.Linux.Devices, err = hostDevices(); err != nil {
			return nil, err
		}
	} else if !unmaskedProc(c) {
		spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths = maskedPaths(), readonlyPaths()
	}
	return spec, nil
}

func workingDir(c *Config, declared *env) string {
	if c.Container.WorkingDir != "" {
		return Expand(c.Container.WorkingDir, declared.lookup)
	}
	if c.Image.WorkingDir != "" {
		return c.Image.WorkingDir
	}
	return "/"
}

func namespaces(c *Config) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	join := func(t specs.LinuxNamespaceType, path string) {
		if path != "" {
			list = append(list, specs.LinuxNamespace{Type: t, Path: path})
		}
	}
	join(specs.NetworkNamespace, c.Sandbox.NetNS)
	join(specs.IPCNamespace, c.Sandbox.IPCNS)
	join(specs.UTSNamespace, c.Sandbox.UTSNS)
	if !c.Pod.Spec.HostPID {
		list = append(list, specs.LinuxNamespace{Type: specs.PIDNamespace, Path: c.Sandbox.PIDNS})
	}
	if c.CgroupNS && !IsPrivileged(c) {
		list = append(list, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return list
}

func gids(groups []int) []uint32 {
	out := make([]uint32, len(groups))
	for i, g := range groups {
		out[i] = uint32(g)
	}
	return out
}

// IsPrivileged reports whether the container is.
func IsPrivileged(c *Config) bool {
	sc := c.Container.SecurityContext
	return sc != nil && sc.Privileged != nil && *sc.Privileged
}

// NeverWritesRoot says that the container cannot write to its root file system. One that may mount could make it writable.
func NeverWritesRoot(c *Config) bool {
	return readonlyRoot(c) && !IsPrivileged(c) && !MayMount(c.Container.SecurityContext)
}

func readonlyRoot(c *Config) bool {
	sc := c.Container.SecurityContext
	return sc != nil && sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem
}

// unmaskedProc says that the container sees all of /proc, which only one with a user namespace of its own may.
func unmaskedProc(c *Config) bool {
	sc := c.Container.SecurityContext
	return c.Sandbox.Users != nil && sc != nil && sc.ProcMount != nil && *sc.ProcMount == corev1.UnmaskedProcMount
}

// noNewPrivileges follows allowPrivilegeEscalation. Without it the node's setting counts, but for containers that have all
// privileges, of which Kubernetes says that they may always gain more.
func noNewPrivileges(sc *corev1.SecurityContext, byDefault bool) bool {
	switch {
	case sc == nil:
		return byDefault
	case sc.AllowPrivilegeEscalation != nil:
		return !*sc.AllowPrivilegeEscalation
	case sc.Privileged != nil && *sc.Privileged, sc.Capabilities != nil && (has(sc.Capabilities.Add, "SYS_ADMIN") || has(sc.Capabilities.Add, "ALL")):
		return false
	}
	return byDefault
}

func hooks(list []Hook) *specs.Hooks {
	if len(list) == 0 {
		return nil
	}
	out := &specs.Hooks{}
	for _, h := range list {
		hook := specs.Hook{Path: h.Path, Args: h.Args, Env: h.Env, Timeout: h.Timeout}
		switch h.Stage {
		case "prestart":
			//lint:ignore SA1019 CDI has it still
			out.Prestart = append(out.Prestart, hook)
		case "createRuntime":
			out.CreateRuntime = append(out.CreateRuntime, hook)
		case "createContainer":
			out.CreateContainer = append(out.CreateContainer, hook)
		case "startContainer":
			out.StartContainer = append(out.StartContainer, hook)
		case "poststart":
			out.Poststart = append(out.Poststart, hook)
		case "poststop":
			out.Poststop = append(out.Poststop, hook)
		}
	}
	return out
}
