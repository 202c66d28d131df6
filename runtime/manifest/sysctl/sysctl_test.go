package sysctl

import (
	"fmt"
	"math/rand"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestForbiddenSysctl(t *testing.T) {
	for _, tt := range []struct {
		names   string // of the pod's sysctls
		allowed string
		want    string
	}{
		{"", "", ""},
		{"kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range net.ipv4.ip_unprivileged_port_start " +
			"net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl " +
			"net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem net.ipv4.tcp_wmem", "", ""},
		{"net/ipv4/tcp_syncookies", "", ""},
		{"kernel.msgmax", "", `forbidden sysctl: "kernel.msgmax" not allowlisted`},
		{"net.ipv4.tcp_syncookies net/core/somaxconn", "", `forbidden sysctl: "net.core.somaxconn" not allowlisted`},
		{"kernel.msgmax", "kernel.msgmax", ""},
		{"kernel.msgmax", "kernel.msg*", ""},
		{"kernel.msgmax", "kernel/msg*", ""},
		{"kernel.msgmax net.core.somaxconn", "kernel.msg*", `forbidden sysctl: "net.core.somaxconn" not allowlisted`},
		{"kernel.msgmnb", "kernel.msgmn", `forbidden sysctl: "kernel.msgmnb" not allowlisted`},
		{"net/ipv4/conf/eth0.5/rp_filter", "net.ipv4.conf.eth0/5.*", ""},
	} {
		sc := &corev1.PodSecurityContext{}
		for _, name := range strings.Fields(tt.names) {
			sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: name, Value: "1"})
		}
		if got := Forbidden(&corev1.PodSpec{SecurityContext: sc}, strings.Fields(tt.allowed)); got != tt.want {
			t.Errorf("%s with %q: %q, want %q", tt.names, tt.allowed, got, tt.want)
		}
	}
	if got := Forbidden(&corev1.PodSpec{}, nil); got != "" {
		t.Error(got)
	}
}

func TestCheckSysctlPattern(t *testing.T) {
	for pattern, want := range map[string]string{
		"kernel.msgmax": "", "kernel.msg*": "", "kernel.shm*": "", "kernel.sem": "", "net.*": "", "net.core.*": "", "net/core/*": "", "fs.mqueue.*": "", "net.ipv4.tcp_*": "",
		"":                     "neither the name",
		"*":                    "not known to belong",
		"vm.*":                 "not known to belong",
		"vm.swappiness":        "not known to belong",
		"kernel.*":             "not known to belong",
		"net..core":            "neither the name",
		"net.*.x":              "neither the name",
		"net.**":               "neither the name",
		"Net.core":             "neither the name",
		"net.core.somaxconn=1": "neither the name",
	} {
		err := CheckPattern(pattern)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
}

// The names that the API server takes, and what is said of others. kubernetes pkg/apis/core/validation, IsValidSysctlName
func TestValidate(t *testing.T) {
	t.Parallel()
	form := "must have at most 253 characters and match regex " + sysctlPattern
	long := "net." + strings.Repeat("a", 249)
	for _, tc := range []struct{ name, want string }{
		{"kernel.shm_rmid_forced", ""},
		{"net.ipv4.ip_local_port_range", ""},
		{"net/ipv4/conf/eth0.5/rp_filter", ""},
		{"kernel", ""},
		{"9.a-b.c_d", ""},
		{long, ""},
		{long + "a", fmt.Sprintf("sysctls[0].name: Invalid value: %q: %s", long+"a", form)},
		{"", "sysctls[0].name: Required value"},
		{"Net.core", `sysctls[0].name: Invalid value: "Net.core": ` + form},
		{"net..core", `sysctls[0].name: Invalid value: "net..core": ` + form},
		{"net/./core", `sysctls[0].name: Invalid value: "net/./core": ` + form},
		{".net", `sysctls[0].name: Invalid value: ".net": ` + form},
		{"net.", `sysctls[0].name: Invalid value: "net.": ` + form},
		{"net.-a", `sysctls[0].name: Invalid value: "net.-a": ` + form},
		{"net.a_", `sysctls[0].name: Invalid value: "net.a_": ` + form},
		{"net.ä", `sysctls[0].name: Invalid value: "net.ä": ` + form},
		{"net.*", `sysctls[0].name: Invalid value: "net.*": ` + form},
	} {
		spec := &corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: tc.name}}}}
		if got := said(Validate(spec, field.NewPath("sysctls"))); got != tc.want {
			t.Errorf("%q: %s, want %s", tc.name, got, tc.want)
		}
		if pattern := regexp.MustCompile(sysctlPattern); isSysctl(tc.name) != (len(tc.name) <= maxSysctl && pattern.MatchString(tc.name)) {
			t.Errorf("%q: podd and the API server's pattern differ", tc.name)
		}
	}
}

func said(errs field.ErrorList) string {
	var list []string
	for _, err := range errs {
		list = append(list, err.Error())
	}
	return strings.Join(list, " / ")
}

// isSysctl is the API server's pattern, for whatever is asked.
func TestIsSysctl(t *testing.T) {
	t.Parallel()
	pattern, random := regexp.MustCompile(sysctlPattern), rand.New(rand.NewSource(9))
	for range 5000 {
		name := make([]byte, random.Intn(9))
		for i := range name {
			name[i] = "ab0-_./A"[random.Intn(8)]
		}
		if got := isSysctl(string(name)); got != pattern.Match(name) {
			t.Fatalf("%q: %t", name, got)
		}
	}
}

// A pod cannot set what it has no namespace of its own for, and what no namespace has.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	const node = " belongs to the whole node, not to the pod's network or IPC namespace; set it on the node and remove it here"
	for _, tc := range []struct {
		name         string
		net, ipc     bool // of the host
		want, refuse string
		hosts        bool
	}{
		{"net.core.somaxconn", false, false, "", "", false},
		{"net.core.somaxconn", false, true, "", "", false},
		{"net.core.somaxconn", true, false, "sysctls[0].name: Invalid value: \"net.core.somaxconn\": may not be specified when 'hostNetwork' is true", "", true},
		{"kernel.shmmax", true, false, "", "", false},
		{"kernel.shmmax", false, true, "sysctls[0].name: Invalid value: \"kernel.shmmax\": may not be specified when 'hostIPC' is true", "", true},
		{"kernel/msgmax", false, true, "sysctls[0].name: Invalid value: \"kernel/msgmax\": may not be specified when 'hostIPC' is true", "", true},
		{"kernel.sem", false, true, "sysctls[0].name: Invalid value: \"kernel.sem\": may not be specified when 'hostIPC' is true", "", true},
		{"fs.mqueue.msg_max", false, true, "sysctls[0].name: Invalid value: \"fs.mqueue.msg_max\": may not be specified when 'hostIPC' is true", "", true},
		{"vm.swappiness", true, true, "", "sc.sysctls[0].name: Forbidden: vm.swappiness" + node, false},
		{"kernel.semaphore", true, true, "", "sc.sysctls[0].name: Forbidden: kernel.semaphore" + node, false},
		{"netfilter.a", true, true, "", "sc.sysctls[0].name: Forbidden: netfilter.a" + node, false},
		{"fs.mqueues", true, true, "", "sc.sysctls[0].name: Forbidden: fs.mqueues" + node, false},
	} {
		spec := &corev1.PodSpec{HostNetwork: tc.net, HostIPC: tc.ipc, SecurityContext: &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: tc.name}}}}
		if got := said(Validate(spec, field.NewPath("sysctls"))); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		if got := said(Refused(spec.SecurityContext, field.NewPath("sc"))); got != tc.refuse {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.refuse)
		}
		if got := IsHosts(tc.name, spec); got != tc.hosts {
			t.Errorf("%s is the host's: %t", tc.name, got)
		}
	}
	twice := &corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "net.a"}, {Name: "net.b"}, {Name: "net.a"}}}}
	if got := said(Validate(twice, field.NewPath("sysctls"))); got != `sysctls[2].name: Duplicate value: "net.a"` {
		t.Error(got)
	}
}

// man 8 sysctl: the first separator says which of the two separates.
func TestName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "kernel": "kernel", "net.core.x": "net.core.x", "net/core/x": "net.core.x", "net.ipv4.conf.eth0/5.x": "net.ipv4.conf.eth0/5.x",
		"net/ipv4/conf/eth0.5/x": "net.ipv4.conf.eth0/5.x",
	} {
		if got := Name(name); got != want || Name(got) != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"kernel.msgmax": "", "net/core/somaxconn": "", "net.core.*": `"net.core.*" must be the name of one sysctl`, "*": `"*" must be the name of one sysctl`,
	} {
		got := ""
		if err := CheckName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if err := CheckName("vm.swappiness"); err == nil || !strings.Contains(err.Error(), "is not known to belong to the network or IPC namespace") {
		t.Error(err)
	}
}
