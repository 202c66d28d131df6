package sandbox

import (
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/cgroups"
	"podd/internal/hugepage"
	"podd/runtime/manifest/resources"
)

func requirements(requests, limits map[string]string) corev1.ResourceRequirements {
	list := func(m map[string]string) corev1.ResourceList {
		l := corev1.ResourceList{}
		for k, v := range m {
			l[corev1.ResourceName(k)] = resource.MustParse(v)
		}
		return l
	}
	return corev1.ResourceRequirements{Requests: list(requests), Limits: list(limits)}
}

func TestQOSClassAndPodResources(t *testing.T) {
	full := map[string]string{"cpu": "500m", "memory": "64Mi"}
	for _, tc := range []struct {
		name       string
		containers []corev1.ResourceRequirements
		want       corev1.PodQOSClass
		resources  cgroups.Resources
	}{
		{"nothing", []corev1.ResourceRequirements{{}}, corev1.PodQOSBestEffort, cgroups.Resources{CPUShares: 2}},
		{"all equal", []corev1.ResourceRequirements{requirements(full, full)}, corev1.PodQOSGuaranteed, cgroups.Resources{CPUShares: 512, CPUQuotaUS: 50000, CPUPeriodUS: 100000, MemoryLimit: 64 << 20}},
		{"limits alone", []corev1.ResourceRequirements{requirements(nil, full)}, corev1.PodQOSGuaranteed, cgroups.Resources{CPUShares: 512, CPUQuotaUS: 50000, CPUPeriodUS: 100000, MemoryLimit: 64 << 20}},
		{"requests alone", []corev1.ResourceRequirements{requirements(full, nil)}, corev1.PodQOSBurstable, cgroups.Resources{CPUShares: 512}},
		{"one without limits", []corev1.ResourceRequirements{requirements(full, full), {}}, corev1.PodQOSBurstable, cgroups.Resources{CPUShares: 512}},
		{"two with limits", []corev1.ResourceRequirements{requirements(full, full), requirements(full, full)}, corev1.PodQOSGuaranteed, cgroups.Resources{CPUShares: 1024, CPUQuotaUS: 100000, CPUPeriodUS: 100000, MemoryLimit: 128 << 20}},
	} {
		spec := &corev1.PodSpec{}
		for _, r := range tc.containers {
			spec.Containers = append(spec.Containers, corev1.Container{Resources: r})
		}
		if got := resources.QOSClass(spec); got != tc.want {
			t.Errorf("%s: got class %s, want %s", tc.name, got, tc.want)
		}
		got := PodResources(spec, 0)
		if got.CPUShares != tc.resources.CPUShares || got.CPUQuotaUS != tc.resources.CPUQuotaUS || got.CPUPeriodUS != tc.resources.CPUPeriodUS || got.MemoryLimit != tc.resources.MemoryLimit {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.resources)
		}
	}
}

// The overhead of a RuntimeClass comes to what a pod is limited to, and to its shares unless it asks for nothing.
func TestOverhead(t *testing.T) {
	overhead := requirements(map[string]string{"cpu": "250m", "memory": "32Mi"}, nil).Requests
	full := map[string]string{"cpu": "500m", "memory": "64Mi"}
	for _, tc := range []struct {
		name string
		spec corev1.PodSpec
		want cgroups.Resources
	}{
		{"best effort", corev1.PodSpec{Containers: []corev1.Container{{}}}, cgroups.Resources{CPUShares: 2}},
		{"guaranteed", corev1.PodSpec{Containers: []corev1.Container{{Resources: requirements(full, full)}}}, cgroups.Resources{CPUShares: 768, CPUQuotaUS: 75000, CPUPeriodUS: 100000, MemoryLimit: 96 << 20}},
		{"memory alone", corev1.PodSpec{Containers: []corev1.Container{{Resources: requirements(map[string]string{"memory": "1Mi"}, nil)}}}, cgroups.Resources{CPUShares: 256}},
		{"one limit", corev1.PodSpec{Containers: []corev1.Container{{Resources: requirements(nil, map[string]string{"memory": "64Mi"})}}}, cgroups.Resources{CPUShares: 256, MemoryLimit: 96 << 20}},
	} {
		tc.spec.Overhead = overhead
		tc.want.PidsLimit = -1
		got := PodResources(&tc.spec, -1)
		got.Hugepages = nil
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// A pod, and each of its containers, has the huge pages that it asks for, and of other sizes none.
func TestHugePageLimits(t *testing.T) {
	sizes := hugepage.Machine.Sizes()
	if len(sizes) == 0 {
		t.Skip("the kernel has no huge pages")
	}
	name, size := resource.NewQuantity(sizes[0], resource.BinarySI).String(), resource.NewQuantity(2*sizes[0], resource.BinarySI).String()
	pages := map[string]string{"cpu": "1", "hugepages-" + name: size}
	spec := &corev1.PodSpec{Containers: []corev1.Container{{Resources: requirements(pages, pages)}, {}}}
	limit := func(spec *corev1.PodSpec, c *corev1.Container) []uint64 {
		all := HugePageLimits(spec, c)
		if len(all) != len(sizes) {
			t.Fatalf("limits %v for sizes %v", all, sizes)
		}
		var other uint64
		for _, s := range sizes[1:] {
			other += all[hugepage.Name(s)]
		}
		return []uint64{all[hugepage.Name(sizes[0])], other}
	}
	two, none := []uint64{2 * uint64(sizes[0]), 0}, []uint64{0, 0}
	if got := limit(spec, nil); !slices.Equal(got, two) {
		t.Errorf("the pod: %v", got)
	}
	if got := limit(spec, &spec.Containers[0]); !slices.Equal(got, two) {
		t.Errorf("the container: %v", got)
	}
	if got := limit(spec, &spec.Containers[1]); !slices.Equal(got, none) {
		t.Errorf("one that does not ask: %v", got)
	}
	r := requirements(pages, pages)
	whole := &corev1.PodSpec{Resources: &r, Containers: []corev1.Container{{}}}
	if got := limit(whole, &whole.Containers[0]); !slices.Equal(got, two) || !slices.Equal(limit(whole, nil), two) {
		t.Errorf("of its pod: %v", got)
	}
}
