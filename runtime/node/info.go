// Package node describes the board as a Node of Kubernetes: what it has and what it can, and which pods ask for a board like
// it.
package node

import (
	"maps"
	"os"
	goruntime "runtime"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/internal/beneath"
	"podd/internal/hugepage"
	"podd/internal/semver"
	"podd/runtime/container/spec"
)

// UID is the UID of the one node.
const UID = "podd"

// Labels are the labels of the board: those that every node has, and its own, which win.
func Labels(name string, own map[string]string) map[string]string {
	labels := map[string]string{
		corev1.LabelHostname:   name,
		corev1.LabelOSStable:   goruntime.GOOS,
		corev1.LabelArchStable: goruntime.GOARCH,
	}
	maps.Copy(labels, own)
	return labels
}

// Capacity is what the board has. root is the folder where writable layers and emptyDirs are.
func Capacity(root string, pools hugepage.Pools) corev1.ResourceList {
	list := corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(int64(goruntime.NumCPU()), resource.DecimalSI)}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(info.Totalram)*int64(info.Unit), resource.BinarySI)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(root, &fs); err == nil {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(int64(fs.Blocks)*int64(fs.Bsize), resource.BinarySI) // Bsize has 32 bits on some processors
	}
	for _, size := range pools.Sizes() {
		unit := resource.NewQuantity(size, resource.BinarySI)
		list[corev1.ResourceName(corev1.ResourceHugePagesPrefix+unit.String())] = *resource.NewQuantity(pools.SetAside(size), resource.BinarySI)
	}
	return list
}

// Allocatable is what pods can have of a capacity: memory that is set aside as huge pages is no memory of theirs. As with a
// kubelet.
func Allocatable(capacity corev1.ResourceList) corev1.ResourceList {
	list := maps.Clone(capacity)
	memory, ok := list[corev1.ResourceMemory]
	if !ok {
		return list
	}
	memory = memory.DeepCopy()
	for name, q := range capacity {
		if strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
			memory.Sub(q)
		}
	}
	if memory.Sign() < 0 {
		memory = *resource.NewQuantity(0, resource.BinarySI)
	}
	list[corev1.ResourceMemory] = memory
	return list
}

// RuntimeHandlers say what the runtime can do for pods without a class and for those of each handler: the same, as all are
// podd. KEP-3857, KEP-127
func RuntimeHandlers(names []string) []corev1.NodeRuntimeHandler {
	recursive := spec.CanReadOnlyRecursively()
	most := strings.TrimSpace(beneath.ReadHostFile("/proc/sys/user/max_user_namespaces"))
	users := most != "" && most != "0"
	features := &corev1.NodeRuntimeHandlerFeatures{RecursiveReadOnlyMounts: &recursive, UserNamespaces: &users}
	list := []corev1.NodeRuntimeHandler{{Features: features}}
	for _, name := range names {
		list = append(list, corev1.NodeRuntimeHandler{Name: name, Features: features})
	}
	return list
}

// Info says what machine and system this is, and which podd.
func Info(version string) corev1.NodeSystemInfo {
	info := corev1.NodeSystemInfo{
		MachineID:               strings.TrimSpace(beneath.ReadHostFile("/etc/machine-id")),
		BootID:                  strings.TrimSpace(beneath.ReadHostFile("/proc/sys/kernel/random/boot_id")),
		KernelVersion:           strings.TrimSpace(beneath.ReadHostFile("/proc/sys/kernel/osrelease")),
		OSImage:                 osImage(beneath.ReadHostFile("/etc/os-release")),
		ContainerRuntimeVersion: "podd://" + semver.Of(version),
		KubeletVersion:          semver.Of(version),
		OperatingSystem:         goruntime.GOOS,
		Architecture:            goruntime.GOARCH,
	}
	if name, err := os.Hostname(); err == nil && info.MachineID == "" {
		info.MachineID = name
	}
	return info
}

// osImage is the PRETTY_NAME of man 5 os-release.
func osImage(text string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}
