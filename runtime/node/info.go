// Package node describes the board as a Node of Kubernetes: what it has and what it can, and which pods ask for a board like
// it.
package node

import (
	"maps"
	"os"
	goruntime "runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/internal/beneath"
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
func Capacity(root string) corev1.ResourceList {
	list := corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(int64(goruntime.NumCPU()), resource.DecimalSI)}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(info.Totalram)*int64(info.Unit), resource.BinarySI)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(root, &fs); err == nil {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(int64(fs.Blocks)*int64(fs.Bsize), resource.BinarySI) // Bsize has 32 bits on some processors
	}
	return list
}

// RuntimeHandlers say what the one runtime can do. KEP-3857, KEP-127
func RuntimeHandlers() []corev1.NodeRuntimeHandler {
	recursive := spec.CanReadOnlyRecursively()
	most := strings.TrimSpace(beneath.ReadHostFile("/proc/sys/user/max_user_namespaces"))
	users := most != "" && most != "0"
	return []corev1.NodeRuntimeHandler{{Features: &corev1.NodeRuntimeHandlerFeatures{RecursiveReadOnlyMounts: &recursive, UserNamespaces: &users}}}
}

// Info says what machine and system this is, and which podd.
func Info(version string) corev1.NodeSystemInfo {
	info := corev1.NodeSystemInfo{
		MachineID:               strings.TrimSpace(beneath.ReadHostFile("/etc/machine-id")),
		BootID:                  strings.TrimSpace(beneath.ReadHostFile("/proc/sys/kernel/random/boot_id")),
		KernelVersion:           strings.TrimSpace(beneath.ReadHostFile("/proc/sys/kernel/osrelease")),
		OSImage:                 osImage(beneath.ReadHostFile("/etc/os-release")),
		ContainerRuntimeVersion: "podd://" + semantic(version),
		KubeletVersion:          semantic(version),
		OperatingSystem:         goruntime.GOOS,
		Architecture:            goruntime.GOARCH,
	}
	if name, err := os.Hostname(); err == nil && info.MachineID == "" {
		info.MachineID = name
	}
	return info
}

// semantic makes what a build calls itself a semantic version, which is what clients of a node read its versions as: a
// commit that no tag precedes, and a number with less than three parts, are none.
func semantic(build string) string {
	const parts = 3
	core, rest := strings.TrimPrefix(build, "v"), ""
	if i := strings.IndexAny(core, "-+"); i >= 0 {
		core, rest = core[:i], core[i:]
	}
	numbers := strings.Split(core, ".")
	isNumber := func(s string) bool {
		return s == "0" || s != "" && s[0] != '0' && strings.Trim(s, "0123456789") == ""
	}
	if len(numbers) > 1 && len(numbers) <= parts && !slices.ContainsFunc(numbers, func(s string) bool { return !isNumber(s) }) && plain(rest, "-.+") == rest {
		return "v" + core + strings.Repeat(".0", parts-len(numbers)) + rest
	}
	return "v0.0.0-dev-" + plain(build, "-")
}

// plain puts a dash in the place of all that is neither a letter nor a digit of ASCII nor among others.
func plain(s, others string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune(others, r) {
			return r
		}
		return '-'
	}, s)
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
