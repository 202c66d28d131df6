package resources

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
)

// list reads "cpu=1 memory=2Gi".
func list(text string) corev1.ResourceList {
	if text == "" {
		return nil
	}
	out := corev1.ResourceList{}
	for _, word := range strings.Fields(text) {
		name, q, _ := strings.Cut(word, "=")
		out[corev1.ResourceName(name)] = resource.MustParse(q)
	}
	return out
}

// printed is what list reads, sorted; "-": an empty list.
func printed(l corev1.ResourceList) string {
	var words []string
	for _, name := range SortedNames(l) {
		q := l[name]
		words = append(words, fmt.Sprintf("%s=%s", name, q.String()))
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

// asks is a container with "requests / limits".
func asks(text string) corev1.Container {
	requests, limits, _ := strings.Cut(text, "/")
	return corev1.Container{Resources: corev1.ResourceRequirements{Requests: list(requests), Limits: list(limits)}}
}

// podOf has containers, of which those with "init:" come first and those with "sidecar:" are restarted always, and the pod's own
// with "pod:" and its overhead with "overhead:".
func podOf(containers ...string) *corev1.PodSpec {
	spec, always := &corev1.PodSpec{}, corev1.ContainerRestartPolicyAlways
	for _, text := range containers {
		kind, rest, ok := strings.Cut(text, ":")
		if !ok {
			spec.Containers = append(spec.Containers, asks(text))
			continue
		}
		c := asks(rest)
		switch kind {
		case "sidecar":
			c.RestartPolicy = &always
			fallthrough
		case "init":
			spec.InitContainers = append(spec.InitContainers, c)
		case "pod":
			spec.Resources = &c.Resources
		case "overhead":
			spec.Overhead = c.Resources.Requests
		}
	}
	return spec
}

// What a pod needs at once. https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
// and KEP-753 for sidecars, which go on beside all that start after them.
func TestAggregate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		spec *corev1.PodSpec
		want string
	}{
		{"nobody", podOf(), "-"},
		{"one that asks for nothing", podOf(""), "-"},
		{"containers are summed up", podOf("cpu=1", "cpu=500m memory=1Gi"), "cpu=1500m memory=1Gi"},
		{"a small init container is before them", podOf("cpu=1", "init:cpu=700m"), "cpu=1"},
		{"a large init container counts alone", podOf("cpu=1", "init:cpu=3"), "cpu=3"},
		{"init containers are one after another", podOf("cpu=1", "init:cpu=2", "init:cpu=3", "init:cpu=2"), "cpu=3"},
		{"each resource has a peak of its own", podOf("cpu=1 memory=1Gi", "init:cpu=3", "init:memory=4Gi"), "cpu=3 memory=4Gi"},
		{"what only an init container has", podOf("cpu=1", "init:memory=1Gi"), "cpu=1 memory=1Gi"},
		{"a sidecar is beside the containers", podOf("cpu=1", "sidecar:cpu=200m"), "cpu=1200m"},
		{"a sidecar is beside the init containers after it", podOf("cpu=1", "sidecar:cpu=200m", "init:cpu=2"), "cpu=2200m"},
		{"a sidecar is not beside the init containers before it", podOf("cpu=1", "init:cpu=2", "sidecar:cpu=200m"), "cpu=2"},
		{"two sidecars, an init container between", podOf("cpu=100m", "sidecar:cpu=1", "init:cpu=1", "sidecar:cpu=300m"), "cpu=2"},
		{"a zero is an entry", podOf("cpu=0"), "cpu=0"},
		{"more than 64 bits", podOf("memory=20Ei", "memory=20Ei"), "memory=18446744073709551614"}, // each is cut to 2^63-1
	} {
		before := tc.spec.DeepCopy()
		if got := printed(Aggregate(tc.spec, RequestsOf)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		if got := printed(Requests(tc.spec)); got != tc.want {
			t.Errorf("%s: Requests says %s, want %s", tc.name, got, tc.want)
		}
		if !equality.Semantic.DeepEqual(before, tc.spec) {
			t.Errorf("%s: the pod was changed", tc.name)
		}
	}
}

// A limit of the whole holds only if nobody is without.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		spec *corev1.PodSpec
		want string
	}{
		{"no container", podOf(), "-"},
		{"all limited", podOf("/cpu=1", "/cpu=2"), "cpu=3"},
		{"one may use what it likes", podOf("/cpu=1 memory=1Gi", "/memory=1Gi"), "memory=2Gi"},
		{"an init container may", podOf("/cpu=1", "init:"), "-"},
		{"a limited init container", podOf("/cpu=1", "init:/cpu=2"), "cpu=2"},
		{"requests are no limits", podOf("cpu=1"), "-"},
		{"a limit of zero is one", podOf("/cpu=0", "/cpu=1"), "cpu=1"},
	} {
		if got := printed(Limits(tc.spec)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// PodRequests and PodLimits of k8s.io/component-helpers/resource say the same of each.
func TestTotals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name             string
		spec             *corev1.PodSpec
		requests, limits string
	}{
		{"nothing", podOf(""), "-", "-"},
		{"containers", podOf("cpu=1/cpu=2", "cpu=1"), "cpu=2", "cpu=2"},
		{"the pod's own come first", podOf("pod:cpu=5/cpu=6", "cpu=1/cpu=2 memory=1Gi"), "cpu=5", "cpu=6 memory=1Gi"},
		{"only what a pod may set", podOf("pod:ephemeral-storage=1Gi cpu=1", "ephemeral-storage=2Gi"), "cpu=1 ephemeral-storage=2Gi", "-"},
		{"huge pages of the pod", podOf("pod:hugepages-2Mi=4Mi/hugepages-2Mi=4Mi", ""), "hugepages-2Mi=4Mi", "hugepages-2Mi=4Mi"},
		{"overhead comes to both", podOf("overhead:cpu=250m", "cpu=1/cpu=2"), "cpu=1250m", "cpu=2250m"},
		{"overhead is no limit", podOf("overhead:cpu=250m memory=1Mi", "cpu=1"), "cpu=1250m memory=1Mi", "-"},
		{"nor of what is limited to zero", podOf("overhead:cpu=250m", "/cpu=0"), "cpu=250m", "cpu=0"},
		{"overhead on the pod's own", podOf("overhead:memory=1Mi", "pod:memory=1Gi/memory=2Gi", ""), "memory=1025Mi", "memory=2049Mi"},
		{"more than 64 bits", podOf("overhead:memory=1Ei", "pod:memory=20Ei/memory=30Ei", "memory=1"), "memory=10376293541461622783", "memory=10376293541461622783"},
	} {
		for range 2 { // a second time, for what the first may have changed
			requests, limits := Totals(tc.spec)
			if got := printed(requests); got != tc.requests {
				t.Errorf("%s: requests %s, want %s", tc.name, got, tc.requests)
			}
			if got := printed(limits); got != tc.limits {
				t.Errorf("%s: limits %s, want %s", tc.name, got, tc.limits)
			}
		}
	}
}

// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ and ComputePodQOS of kubernetes.
func TestQOSClass(t *testing.T) {
	t.Parallel()
	const whole = "cpu=1 memory=1Gi/cpu=1 memory=1Gi"
	for _, tc := range []struct {
		name string
		spec *corev1.PodSpec
		want corev1.PodQOSClass
	}{
		{"no container", podOf(), corev1.PodQOSBestEffort},
		{"asks for nothing", podOf("", ""), corev1.PodQOSBestEffort},
		{"asks for zero", podOf("cpu=0/memory=0"), corev1.PodQOSBestEffort},
		{"other resources do not count", podOf("ephemeral-storage=1Gi/ephemeral-storage=1Gi"), corev1.PodQOSBestEffort},
		{"equal for both", podOf(whole), corev1.PodQOSGuaranteed},
		{"equal in another form", podOf("cpu=1000m memory=1024Mi/cpu=1 memory=1Gi"), corev1.PodQOSGuaranteed},
		{"others beside them do not count", podOf("cpu=1 memory=1Gi ephemeral-storage=1/cpu=1 memory=1Gi"), corev1.PodQOSGuaranteed},
		{"limits whose requests are not filled in yet", podOf("/cpu=1 memory=1Gi"), corev1.PodQOSGuaranteed},
		{"only cpu", podOf("cpu=1/cpu=1"), corev1.PodQOSBurstable},
		{"only memory", podOf("memory=1/memory=1"), corev1.PodQOSBurstable},
		{"requests less than the limit", podOf("cpu=500m memory=1Gi/cpu=1 memory=1Gi"), corev1.PodQOSBurstable},
		{"requests without limits", podOf("cpu=1 memory=1Gi"), corev1.PodQOSBurstable},
		{"requests zero of what is limited", podOf("cpu=0 memory=1Gi/cpu=1 memory=1Gi"), corev1.PodQOSBurstable},
		{"a limit of zero", podOf("cpu=0 memory=1Gi/cpu=0 memory=1Gi"), corev1.PodQOSBurstable},
		{"one container of two", podOf(whole, ""), corev1.PodQOSBurstable},
		{"both containers", podOf(whole, "cpu=2 memory=2Gi/cpu=2 memory=2Gi"), corev1.PodQOSGuaranteed},
		{"sums that are equal by chance", podOf("cpu=1 memory=1Gi/cpu=2 memory=1Gi", "cpu=2 memory=1Gi/cpu=1 memory=1Gi"), corev1.PodQOSBurstable},
		{"an init container without", podOf(whole, "init:"), corev1.PodQOSBurstable},
		{"an init container with", podOf(whole, "init:"+whole), corev1.PodQOSGuaranteed},
		{"only an init container", podOf("", "init:cpu=1"), corev1.PodQOSBurstable},
		{"the pod's own decide", podOf("pod:"+whole, ""), corev1.PodQOSGuaranteed},
		{"against those of containers", podOf("pod:cpu=1/cpu=2", whole), corev1.PodQOSBurstable},
		{"the pod's own huge pages alone", podOf("pod:/hugepages-2Mi=2Mi", whole), corev1.PodQOSBestEffort},
		{"the pod's own are empty", podOf("pod:", whole), corev1.PodQOSGuaranteed},
	} {
		if got := QOSClass(tc.spec); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestHugePages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[int64]int64{
		"":                                         nil,
		"cpu=1 memory=1Gi":                         nil,
		"hugepages-2Mi=4Mi cpu=1":                  {2 << 20: 4 << 20},
		"hugepages-2Mi=4Mi hugepages-1Gi=2Gi":      {2 << 20: 4 << 20, 1 << 30: 2 << 30},
		"hugepages-2Mi=4Mi hugepages-2048Ki=2Mi":   {2 << 20: 6 << 20}, // two names of one size
		"hugepages-=1Mi hugepages-x=1Mi":           nil,
		"hugepages-0=1Mi hugepages--2Mi=1Mi":       nil,
		"hugepages-2Mi=0":                          {2 << 20: 0},
		"hugepages-64Ki=1Mi x/hugepages-2Mi=1Mi":   {64 << 10: 1 << 20},
		"hugepages-16Gi=16Gi hugepages-32Mi=128Mi": {16 << 30: 16 << 30, 32 << 20: 128 << 20},
	} {
		if got := HugePages(list(text)); !maps.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// KEP-2837: cpu, memory and huge pages.
func TestPodLevel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, "cpu=1": true, "memory=1": true, "hugepages-2Mi=2Mi": true, "ephemeral-storage=1": false, "example.com/gpu=1": false,
		"example.com/gpu=1 memory=0": true,
	} {
		if got := HasPodLevel(list(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
		if one := slices.ContainsFunc(SortedNames(list(text)), IsPodLevel); one != want {
			t.Errorf("%q: of one of them %t", text, one)
		}
	}
	if IsHugePages("hugepages") || !IsHugePages("hugepages-1Gi") {
		t.Error("huge pages have a name with a size")
	}
}

// Whatever the containers are: no sum is less than the need of any moment of the pod's life, and none is more than all at once.
func TestAggregateBounds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewSource(7))
	for range 500 {
		spec, all := &corev1.PodSpec{}, int64(0)
		var running, least int64 // sidecars so far, and the greatest need of a moment
		always := corev1.ContainerRestartPolicyAlways
		for range random.Intn(5) {
			n := random.Int63n(10)
			c := asks(fmt.Sprintf("cpu=%d", n))
			all += n
			least = max(least, running+n)
			if random.Intn(2) == 0 {
				c.RestartPolicy = &always
				running += n
			}
			spec.InitContainers = append(spec.InitContainers, c)
		}
		for range random.Intn(4) {
			n := random.Int63n(10)
			spec.Containers = append(spec.Containers, asks(fmt.Sprintf("cpu=%d", n)))
			running, all = running+n, all+n
		}
		least = max(least, running)
		q := Requests(spec)[corev1.ResourceCPU]
		if q.Value() != least || q.Value() > all {
			t.Fatalf("%d, want %d, of %d: %+v", q.Value(), least, all, spec)
		}
	}
}
