package seccomp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	moby "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/internal/hostfile"
	"podd/runtime/container/seccomp/filter"
)

// maxProfile is the size of a profile's file, in bytes.
const maxProfile = 1 << 20

// maxKept is how many compiled profiles are kept: a node has few profiles, each once for each set of capabilities.
const maxKept = 64

// Profiles are the node's: the runtime's default one, which is Docker's, and those of the files in a folder.
type Profiles struct {
	Dir string // of localhostProfile

	mu   sync.Mutex
	kept map[[sha256.Size]byte]*filter.Filter
}

// Choice is the profile of one container.
type Choice struct {
	corev1.SeccompProfile
	Asked bool // by the pod: the node's default gives way to a kernel that has no filters
}

// Of chooses the profile of a container: its own, else its pod's, else the preset of its runtime handler, else the node's default. The annotations were replaced by
// fields in Kubernetes 1.19; those that ask for the runtime's profile still mean it.
// https://kubernetes.io/docs/tutorials/security/seccomp/
func Of(pod *corev1.Pod, c *corev1.Container, preset *corev1.SeccompProfile, nodeDefault bool) Choice {
	if sc := c.SecurityContext; sc != nil {
		if sc.Privileged != nil && *sc.Privileged {
			// Whatever its fields say, as with containerd.
			return Choice{SeccompProfile: corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}}
		}
		if sc.SeccompProfile != nil {
			return Choice{*sc.SeccompProfile, true}
		}
	}
	if sc := pod.Spec.SecurityContext; sc != nil && sc.SeccompProfile != nil {
		return Choice{*sc.SeccompProfile, true}
	}
	asked := annotated(pod, c)
	if preset != nil && !asked {
		return Choice{*preset, true}
	}
	if asked || nodeDefault {
		return Choice{corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}, asked}
	}
	return Choice{SeccompProfile: corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}}
}

func annotated(pod *corev1.Pod, c *corev1.Container) bool {
	value, own := pod.Annotations[corev1.SeccompContainerAnnotationKeyPrefix+c.Name]
	if !own {
		value = pod.Annotations[corev1.SeccompPodAnnotationKey]
	}
	return value == corev1.SeccompProfileRuntimeDefault || value == corev1.DeprecatedSeccompProfileDockerDefault
}

// Filter compiles a profile for a container with these capabilities in its bounding set. nil: it is not confined.
func (p *Profiles) Filter(profile Choice, bounding []string) (*filter.Filter, error) {
	if profile.Type != corev1.SeccompProfileTypeUnconfined && !supported() {
		if !profile.Asked {
			return nil, nil
		}
		return nil, errors.New("seccomp is not supported: the kernel has no filters (CONFIG_SECCOMP_FILTER)")
	}
	switch profile.Type {
	case corev1.SeccompProfileTypeUnconfined:
		return nil, nil
	case corev1.SeccompProfileTypeRuntimeDefault:
		return p.compiled("", bounding, runtimeDefault)
	case corev1.SeccompProfileTypeLocalhost:
		if profile.LocalhostProfile == nil {
			return nil, errors.New("localhostProfile must be set if seccompProfile type is Localhost")
		}
		return p.localhost(*profile.LocalhostProfile, bounding)
	}
	return nil, fmt.Errorf("unknown seccomp profile type %q", profile.Type)
}

// runtimeDefault is Docker's profile without vmsplice(2), as podman's is: it pins memory that is counted nowhere, and lets a
// process see later writes of one that it was forked from (CVE-2020-29374).
func runtimeDefault(s *specs.Spec) (*specs.LinuxSeccomp, error) {
	profile, err := moby.GetDefaultProfile(s)
	if err != nil {
		return nil, err
	}
	withoutVmsplice(profile)
	return profile, nil
}

func withoutVmsplice(profile *specs.LinuxSeccomp) {
	for i := range profile.Syscalls {
		call := &profile.Syscalls[i]
		call.Names = slices.DeleteFunc(slices.Clone(call.Names), func(name string) bool { return name == "vmsplice" })
	}
}

// localhost has the words of the kubelet's container runtimes for what is wrong with a file.
func (p *Profiles) localhost(name string, bounding []string) (*filter.Filter, error) {
	path := filepath.Join(p.Dir, name)
	data, err := hostfile.Read(path, maxProfile)
	if err != nil {
		return nil, fmt.Errorf("cannot load seccomp profile %q: %w", path, err)
	}
	f, err := p.compiled(string(data), bounding, func(s *specs.Spec) (*specs.LinuxSeccomp, error) {
		profile, err := moby.LoadProfile(string(data), s)
		if err == nil && profile == nil {
			err = errors.New("it has neither a defaultAction nor syscalls")
		}
		return profile, err
	})
	if err != nil {
		return nil, fmt.Errorf("decoding seccomp profile failed %q: %w", path, err)
	}
	return f, nil
}

// compiled keeps what it has made, by what it was made of.
func (p *Profiles) compiled(source string, bounding []string, load func(*specs.Spec) (*specs.LinuxSeccomp, error)) (*filter.Filter, error) {
	caps := slices.Sorted(slices.Values(bounding))
	key := sha256.Sum256([]byte(strings.Join(caps, ",") + "\x00" + source))
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, known := p.kept[key]; known {
		return f, nil
	}
	profile, err := load(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps}}})
	if err != nil {
		return nil, err
	}
	f, err := Compile(profile, Kernel{Arch: runtime.GOARCH, X32: hasX32()})
	if err != nil {
		return nil, err
	}
	if p.kept == nil || len(p.kept) >= maxKept {
		p.kept = map[[sha256.Size]byte]*filter.Filter{}
	}
	p.kept[key] = f
	return f, nil
}

// supported asks for a filter at no address: a kernel that has filters looks there first. man 2 PR_SET_SECCOMP.
var supported = sync.OnceValue(func() bool {
	return errors.Is(unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0), unix.EFAULT)
})

// hasX32 makes a harmless call of the x32 ABI, which most kernels have switched off.
var hasX32 = sync.OnceValue(func() bool {
	if runtime.GOARCH != "amd64" {
		return false
	}
	_, _, errno := unix.RawSyscall(x32Bit|unix.SYS_GETPID, 0, 0, 0)
	return errno == 0
})
