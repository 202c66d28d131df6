package spec

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func quantities(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

// The numbers are the kubelet's: MilliCPUToShares and MilliCPUToQuota of pkg/kubelet/cm, 1024 shares and 100 ms to a CPU.
func TestCPULimits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name             string
		requests, limits corev1.ResourceList
		shares           uint64
		quota            int64 // 0: none
	}{
		{"nothing", nil, nil, 2, 0},
		{"a request", quantities("cpu", "1"), nil, 1024, 0},
		{"a small request", quantities("cpu", "1m"), nil, 2, 0},
		{"the least that counts", quantities("cpu", "3m"), nil, 3, 0},
		{"less than a thousandth is one", quantities("cpu", "100u"), nil, 2, 0},
		{"many", quantities("cpu", "256"), nil, 262144, 0},
		{"too many", quantities("cpu", "1000"), nil, 262144, 0},
		{"a limit is a request", nil, quantities("cpu", "500m"), 512, 50000},
		{"a request of nothing is one", quantities("cpu", "0"), quantities("cpu", "500m"), 2, 50000},
		{"both", quantities("cpu", "250m"), quantities("cpu", "2500m"), 256, 250000},
		{"the least quota", nil, quantities("cpu", "10m"), 10, 1000},
		{"less is the least", nil, quantities("cpu", "1m"), 2, 1000},
		{"no limit at all", quantities("cpu", "1"), quantities("cpu", "0"), 1024, 0},
		{"other resources", quantities("memory", "1Gi"), quantities("memory", "1Gi"), 2, 0},
	} {
		cpu := cpuLimits(corev1.ResourceRequirements{Requests: tc.requests, Limits: tc.limits})
		if *cpu.Shares != tc.shares {
			t.Errorf("%s: %d shares, want %d", tc.name, *cpu.Shares, tc.shares)
		}
		switch {
		case tc.quota == 0 && (cpu.Quota != nil || cpu.Period != nil):
			t.Errorf("%s: quota %v of %v, want none", tc.name, *cpu.Quota, *cpu.Period)
		case tc.quota != 0 && (cpu.Quota == nil || *cpu.Quota != tc.quota || *cpu.Period != 100000):
			t.Errorf("%s: %+v, want the quota %d of 100000", tc.name, cpu, tc.quota)
		}
	}
}

// Who asks for more never gets less, and everything stays within what the kernel takes.
func TestCPULimitsAreMonotonic(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	of := func(milli int64) *specs.LinuxCPU {
		q := *resource.NewMilliQuantity(milli, resource.DecimalSI)
		return cpuLimits(corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: q}})
	}
	for range 2000 {
		less := 1 + random.Int64N(600_000)
		more := less + random.Int64N(600_000)
		a, b := of(less), of(more)
		if *a.Shares > *b.Shares || *a.Quota > *b.Quota {
			t.Errorf("%dm has %d and %d, %dm has %d and %d", less, *a.Shares, *a.Quota, more, *b.Shares, *b.Quota)
		}
		if *a.Shares < 2 || *b.Shares > 262144 || *a.Quota < 1000 {
			t.Errorf("%dm and %dm: %d to %d shares, quota %d", less, more, *a.Shares, *b.Shares, *a.Quota)
		}
	}
}

func TestLinuxResources(t *testing.T) {
	t.Parallel()
	c := &Config{Container: &corev1.Container{}}
	r := linuxResources(c)
	if r.Memory != nil || r.HugepageLimits != nil || r.Unified != nil {
		t.Errorf("without limits: %+v", r)
	}
	if len(r.Devices) != 1 || r.Devices[0].Allow || r.Devices[0].Access != "rwm" || r.Devices[0].Type != "" || r.Devices[0].Major != nil {
		t.Errorf("all devices are denied first: %+v", r.Devices)
	}
	c.OOMGroup = true
	c.HugePages = map[string]uint64{"2MB": 4 << 20, "1GB": 0, "64KB": 65536}
	c.Container.Resources = corev1.ResourceRequirements{Requests: quantities("memory", "1Gi"), Limits: quantities("memory", "64Mi")}
	r = linuxResources(c)
	if r.Memory == nil || *r.Memory.Limit != 64<<20 || *r.Memory.Swap != 64<<20 || r.Memory.Reservation != nil {
		t.Errorf("memory %+v", r.Memory)
	}
	// In an order that is the same each time: the configuration is compared.
	if want := []specs.LinuxHugepageLimit{{Pagesize: "1GB"}, {Pagesize: "2MB", Limit: 4 << 20}, {Pagesize: "64KB", Limit: 65536}}; !slices.Equal(r.HugepageLimits, want) {
		t.Errorf("huge pages %+v, want %+v", r.HugepageLimits, want)
	}
	if len(r.Unified) != 1 || r.Unified["memory.oom.group"] != "1" {
		t.Errorf("unified %v", r.Unified)
	}
	c.Container.SecurityContext = &corev1.SecurityContext{Privileged: ptr(true)}
	if r := linuxResources(c); !r.Devices[0].Allow {
		t.Errorf("a privileged container has all devices: %+v", r.Devices)
	}
}

// The rules of containerd's WithCapabilities: ALL first, then what is added by name, then what is dropped by name.
func TestCapabilitiesRules(t *testing.T) {
	t.Parallel()
	all, err := allCapabilities()
	if err != nil {
		t.Fatal(err)
	}
	type names = []corev1.Capability
	standard := defaultCapabilities()
	without := func(list []string, drop ...string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(c string) bool { return slices.Contains(drop, c) })
	}
	for _, tc := range []struct {
		name      string
		add, drop names
		want      []string
	}{
		{"neither", nil, nil, standard},
		{"one that is there", names{"KILL"}, nil, standard},
		{"one more", names{"SYS_TIME"}, nil, append(slices.Clone(standard), "CAP_SYS_TIME")},
		{"the same twice", names{"SYS_TIME", "CAP_SYS_TIME", "sys_time"}, nil, append(slices.Clone(standard), "CAP_SYS_TIME")},
		{"less", nil, names{"NET_RAW", "cap_mknod"}, without(standard, "CAP_NET_RAW", "CAP_MKNOD")},
		{"none", nil, names{"ALL"}, nil},
		{"none, small", nil, names{"all"}, nil},
		{"all", names{"ALL"}, nil, all},
		{"all but one", names{"ALL"}, names{"CHOWN"}, without(all, "CAP_CHOWN")},
		{"all and none, and one", names{"ALL", "CHOWN"}, names{"ALL"}, []string{"CAP_CHOWN"}},
		{"dropping wins by name", names{"KILL"}, names{"ALL", "KILL"}, nil},
		{"of no kernel", names{"NONSENSE"}, names{"ALL"}, []string{"CAP_NONSENSE"}},
		{"dropping what is not there", nil, names{"SYS_TIME"}, standard},
	} {
		got, err := capabilities(&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: tc.add, Drop: tc.drop}})
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(tc.want)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", tc.name, got, err, want)
		}
	}
	for name, sc := range map[string]*corev1.SecurityContext{"no context": nil, "an empty one": {}, "not privileged": {Privileged: ptr(false)}} {
		if got, err := capabilities(sc); err != nil || !slices.Equal(got, standard) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// A privileged one has all, whatever the lists say.
	sc := &corev1.SecurityContext{Privileged: ptr(true), Capabilities: &corev1.Capabilities{Drop: names{"ALL"}}}
	if got, err := capabilities(sc); err != nil || !slices.Equal(got, all) {
		t.Errorf("privileged: %v, %v", got, err)
	}
	if len(all) <= len(standard) || slices.ContainsFunc(all, func(c string) bool { return !strings.HasPrefix(c, "CAP_") || c != strings.ToUpper(c) }) {
		t.Errorf("all are %v", all)
	}
}

// Nothing is inheritable or ambient: only what is executed by user 0 has it (man 7 capabilities).
func TestSpecCapabilities(t *testing.T) {
	t.Parallel()
	set := []string{"CAP_KILL"}
	got := specCapabilities(set)
	if !slices.Equal(got.Bounding, set) || !slices.Equal(got.Effective, set) || !slices.Equal(got.Permitted, set) || got.Inheritable != nil || got.Ambient != nil {
		t.Errorf("%+v", got)
	}
}

func TestMayMount(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		sc   *corev1.SecurityContext
		want bool
	}{
		{"no context", nil, false},
		{"privileged", &corev1.SecurityContext{Privileged: ptr(true)}, true},
		{"asked for", &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"cap_sys_admin"}}}, true},
		{"asked for and dropped", &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}, Drop: []corev1.Capability{"SYS_ADMIN"}}}, false},
		{"all but that", &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"ALL"}, Drop: []corev1.Capability{"SYS_ADMIN"}}}, false},
	} {
		if got := MayMount(tc.sc); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}

// kubernetes, pkg/securitycontext, AddNoNewPrivileges; without a word of the pod the node's setting counts.
func TestNoNewPrivileges(t *testing.T) {
	t.Parallel()
	adds := func(names ...corev1.Capability) *corev1.SecurityContext {
		return &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: names}}
	}
	for _, tc := range []struct {
		name          string
		sc            *corev1.SecurityContext
		plain, hardly bool // without and with the node's setting
	}{
		{"no context", nil, false, true},
		{"an empty one", &corev1.SecurityContext{}, false, true},
		{"forbidden", &corev1.SecurityContext{AllowPrivilegeEscalation: ptr(false)}, true, true},
		{"allowed", &corev1.SecurityContext{AllowPrivilegeEscalation: ptr(true)}, false, false},
		{"privileged", &corev1.SecurityContext{Privileged: ptr(true)}, false, false},
		{"not privileged", &corev1.SecurityContext{Privileged: ptr(false)}, false, true},
		{"all but privileged", adds("SYS_ADMIN"), false, false},
		{"by its whole name", adds("CAP_SYS_ADMIN"), false, false},
		{"all", adds("ALL"), false, false},
		{"another", adds("NET_ADMIN"), false, true},
	} {
		if a, b := noNewPrivileges(tc.sc, false), noNewPrivileges(tc.sc, true); a != tc.plain || b != tc.hardly {
			t.Errorf("%s: %t and %t, want %t and %t", tc.name, a, b, tc.plain, tc.hardly)
		}
	}
}
