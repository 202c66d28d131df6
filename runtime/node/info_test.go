package node

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/hugepage"
)

func TestOSImage(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"NAME=Debian\n":                         "",
		"PRETTY_NAME=Alpine\n":                  "Alpine",
		"ID=x\n  PRETTY_NAME=\"Debian 13\"\r\n": "Debian 13",
		"PRETTY_NAME='A board'":                 "A board",
	} {
		if got := osImage(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	labels := Labels("n1", map[string]string{"site": "roof", corev1.LabelHostname: "mine"})
	if labels["site"] != "roof" || labels[corev1.LabelHostname] != "mine" || labels[corev1.LabelArchStable] != runtime.GOARCH || labels[corev1.LabelOSStable] != "linux" {
		t.Errorf("labels %v", labels)
	}
	if labels := Labels("n1", nil); labels[corev1.LabelHostname] != "n1" {
		t.Errorf("labels %v", labels)
	}
}

// What cannot be found out is left out; the rest is there.
func TestCapacity(t *testing.T) {
	has := func(list corev1.ResourceList, name corev1.ResourceName) bool {
		q, ok := list[name]
		return ok && q.Sign() > 0
	}
	list := Capacity(t.TempDir(), "")
	if !has(list, corev1.ResourceCPU) || !has(list, corev1.ResourceMemory) || !has(list, corev1.ResourceEphemeralStorage) {
		t.Errorf("capacity %v", list)
	}
	if list := Capacity("/proc/none", ""); !has(list, corev1.ResourceMemory) || has(list, corev1.ResourceEphemeralStorage) {
		t.Errorf("without a disk: %v", list)
	}
}

func TestInfo(t *testing.T) {
	info := Info("v1.0.0")
	if info.ContainerRuntimeVersion != "podd://v1.0.0" || info.KubeletVersion != "v1.0.0" || info.KernelVersion == "" || info.BootID == "" || info.MachineID == "" || info.Architecture != runtime.GOARCH {
		t.Errorf("info %+v", info)
	}
	if h := RuntimeHandlers([]string{"runc"}); len(h) != 2 || h[1].Name != "runc" || h[0].Name != "" || h[0].Features.UserNamespaces == nil || h[0].Features.RecursiveReadOnlyMounts == nil {
		t.Errorf("handlers %v", h)
	}
}

// Huge pages that are set aside are a resource of their own, and no memory for pods.
func TestHugePages(t *testing.T) {
	dir := t.TempDir()
	for name, pages := range map[string]string{"hugepages-1048576kB": "0\n", "hugepages-2048kB": "8\n"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "nr_hugepages"), []byte(pages), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := Capacity(dir, hugepage.Pools(dir))
	small, large := list["hugepages-2Mi"], list["hugepages-1Gi"]
	if small.String() != "16Mi" || large.String() != "0" {
		t.Errorf("capacity %v", list)
	}
	left, all := Allocatable(list)[corev1.ResourceMemory], list[corev1.ResourceMemory]
	if all.Value()-left.Value() != 16<<20 {
		t.Errorf("allocatable memory %s of %s", left.String(), all.String())
	}
}
