package sysctl

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
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
