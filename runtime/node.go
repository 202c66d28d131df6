package runtime

import (
	"os"
	goruntime "runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/beneath"
	"podd/runtime/api"
	"podd/runtime/container"
	"podd/runtime/state"
)

const nodeUID = "podd"

// Node describes this board.
func (b *Backend) Node() *corev1.Node {
	now := state.Now()
	boot := metav1.NewTime(now.Wall.Add(-time.Duration(now.Mono)))
	n := &corev1.Node{}
	n.Name, n.UID, n.ResourceVersion, n.CreationTimestamp = b.NodeName, nodeUID, "1", boot
	n.Labels = b.NodeLabels()
	n.Status.Capacity = b.capacity()
	n.Status.Allocatable = b.allocatable()
	n.Status.NodeInfo = nodeInfo(b.Version)
	n.Status.RuntimeHandlers = runtimeHandlers()
	n.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "PoddReady", Message: "podd runs pods",
		LastHeartbeatTime: metav1.NewTime(now.Wall), LastTransitionTime: boot,
	}}
	n.Status.Conditions = append(n.Status.Conditions, b.configCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.boardCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.networkCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.manifestsCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.storageCondition(now, boot)...)
	if ips, err := b.HostIPs(); err == nil {
		for _, ip := range ips {
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip.String()})
		}
	}
	n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: b.NodeName})
	return n
}

// allocatable is what pods may have: all there is.
func (r *Runtime) allocatable() corev1.ResourceList { return r.capacity() }

func (r *Runtime) capacity() corev1.ResourceList {
	list := corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(int64(goruntime.NumCPU()), resource.DecimalSI)}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(info.Totalram)*int64(info.Unit), resource.BinarySI)
	}
	var fs unix.Statfs_t // where writable layers and emptyDirs are
	if err := unix.Statfs(r.RootDir, &fs); err == nil {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(int64(fs.Blocks)*int64(fs.Bsize), resource.BinarySI) // Bsize has 32 bits on some processors
	}
	return list
}

// runtimeHandlers say what the one runtime can do. KEP-3857, KEP-127
func runtimeHandlers() []corev1.NodeRuntimeHandler {
	recursive := container.CanReadOnlyRecursively()
	most := strings.TrimSpace(beneath.ReadHostFile("/proc/sys/user/max_user_namespaces"))
	users := most != "" && most != "0"
	return []corev1.NodeRuntimeHandler{{Features: &corev1.NodeRuntimeHandlerFeatures{RecursiveReadOnlyMounts: &recursive, UserNamespaces: &users}}}
}

func nodeInfo(version string) corev1.NodeSystemInfo {
	info := corev1.NodeSystemInfo{
		MachineID:               strings.TrimSpace(beneath.ReadHostFile("/etc/machine-id")),
		BootID:                  strings.TrimSpace(beneath.ReadHostFile("/proc/sys/kernel/random/boot_id")),
		KernelVersion:           strings.TrimSpace(beneath.ReadHostFile("/proc/sys/kernel/osrelease")),
		OSImage:                 osImage(beneath.ReadHostFile("/etc/os-release")),
		ContainerRuntimeVersion: "podd://" + version,
		KubeletVersion:          version,
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

// configCondition is there while podd does not run with its configuration file as it is.
func (b *Backend) configCondition(now state.Instant, since metav1.Time) []corev1.NodeCondition {
	if b.ConfigProblem == nil || b.ConfigProblem() == "" {
		return nil
	}
	return []corev1.NodeCondition{{
		Type: api.ConfigAccepted, Status: corev1.ConditionFalse, Reason: "ConfigRefused", Message: b.ConfigProblem(),
		LastHeartbeatTime: metav1.NewTime(now.Wall), LastTransitionTime: since,
	}}
}

// boardCondition is there while the board lacks something that podd needs, or would use.
func (b *Backend) boardCondition(now state.Instant, since metav1.Time) []corev1.NodeCondition {
	if b.Ailments == nil || b.Ailments() == "" {
		return nil
	}
	return []corev1.NodeCondition{{
		Type: api.BoardFit, Status: corev1.ConditionFalse, Reason: "DoctorFinds", Message: b.Ailments(),
		LastHeartbeatTime: metav1.NewTime(now.Wall), LastTransitionTime: since,
	}}
}
