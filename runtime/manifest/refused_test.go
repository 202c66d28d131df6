package manifest

import (
	"fmt"
	"strings"
	"testing"
)

func TestRefusedFields(t *testing.T) {
	tests := []struct {
		name, spec, container string
		want                  string // in the message; "" is accepted
	}{
		{"probe", "", `"livenessProbe":{"exec":{"command":["true"]}}`, ""},
		{"volumes", `"volumes":[{"name":"v","emptyDir":{}}]`, `"volumeMounts":[{"name":"v","mountPath":"/v"}]`, ""},
		{"network storage", `"volumes":[{"name":"v","iscsi":{"targetPortal":"a","iqn":"iqn.2001-04.com.example:b","lun":0}}]`, "", "spec.volumes[0].iscsi: Forbidden: podd has no driver for this kind of storage"},
		{"empty volumes", `"volumes":[]`, `"volumeMounts":[]`, ""},
		{"host port", "", `"ports":[{"containerPort":80,"hostPort":80}]`, ""},
		{"host port on the host", `"hostNetwork":true`, `"ports":[{"containerPort":80,"hostPort":80}]`, ""},
		{"defaulted host port", `"hostNetwork":true`, `"ports":[{"containerPort":80}]`, ""},
		{"seccomp", `"securityContext":{"seccompProfile":{"type":"RuntimeDefault"}}`, "", ""},
		{"no seccomp", `"securityContext":{"seccompProfile":{"type":"Unconfined"}}`, "", ""},
		{"fqdn", `"setHostnameAsFQDN":true,"subdomain":"s"`, "", ""},
		{"user namespace", `"hostUsers":false`, `"securityContext":{"procMount":"Unmasked"}`, ""},
		{"no user namespace", `"hostUsers":true`, "", ""},
		{"windows", `"os":{"name":"windows"}`, "", "spec.os.name: Forbidden: podd runs Linux containers only"},
		{"linux", `"os":{"name":"linux"}`, "", ""},
		{"storage", "", `"resources":{"limits":{"cpu":"1","ephemeral-storage":"1Gi","hugepages-2Mi":"4Mi"}}`, ""},
		{"huge pages of a pod", `"resources":{"limits":{"cpu":"1","hugepages-2Mi":"4Mi"}}`, "", ""},
		{"an amount of something else", "", `"resources":{"limits":{"cpu":"1","kubernetes.io/gpu":"1"}}`, `Pod "p" is refused: spec.containers[0].resources.limits[kubernetes.io/gpu]: Forbidden: podd limits cpu and memory only; remove this resource`},
		{"a device", "", `"resources":{"limits":{"cpu":"1","example.com/gpu":"1"}}`, ""},
		{"amounts", `"resources":{"limits":{"cpu":"2","memory":"1Gi"}}`, `"resources":{"limits":{"cpu":"1","memory":"64Mi"}}`, ""},
		{"sysctl of the node", `"securityContext":{"sysctls":[{"name":"vm.swappiness","value":"1"}]}`, "", "spec.securityContext.sysctls[0].name: Forbidden: vm.swappiness belongs to the whole node"},
		{"sysctl of the pod", `"securityContext":{"sysctls":[{"name":"net.ipv4.ip_local_port_range","value":"1 9"},{"name":"kernel/shm_rmid_forced","value":"1"}]}`, "", ""},
		{"what a cluster does", `"tolerations":[{"operator":"Exists"}],"affinity":{},"nodeSelector":{"a":"b"},"priority":1,"schedulerName":"x","serviceAccountName":"s","overhead":{"cpu":"1"}`, "", ""},
		{"two at once", `"os":{"name":"windows"}`, `"securityContext":{"windowsOptions":{}}`, "[spec.containers[0].securityContext.windowsOptions: Forbidden: podd runs Linux containers only; remove the field, spec.os.name: Forbidden: "},
		{"runtime class", `"runtimeClassName":"kata"`, "", ""},
		{"init containers have the same rows", `"initContainers":[{"name":"i","image":"x","securityContext":{"windowsOptions":{}}}]`, "", "spec.initContainers[0].securityContext.windowsOptions: Forbidden: podd runs Linux containers only"},
		{"labels where there may be none", "", `"securityContext":{"seLinuxOptions":{"type":"t"}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, specJSON(tt.spec, tt.container), tt.want)
		})
	}
}

// refused wants a manifest not to be run, with this in the sentence; "": it is run.
func refused(t *testing.T, text, want string) {
	t.Helper()
	pods, problems := ParseFile("p.json", []byte(text))
	if want == "" {
		if len(pods) != 1 || len(problems) != 0 {
			t.Fatalf("refused: %+v", problems)
		}
		return
	}
	if len(problems) != 1 || problems[0].Reason != ReasonUnsupported || !strings.Contains(problems[0].Message, want) {
		t.Fatalf("problems are %+v, want %q", problems, want)
	}
}

// Annotations that confined pods before there were fields are refused as those are, with their paths.
func TestRefusedAnnotations(t *testing.T) {
	at := func(key string) string { return "metadata.annotations[" + key + "]: Forbidden: " }
	for _, tt := range []struct{ key, value, want string }{
		{"container.apparmor.security.beta.kubernetes.io/c", "runtime/default", ""},
		{"container.apparmor.security.beta.kubernetes.io/c", "localhost/mine", ""},
		{"container.apparmor.security.beta.kubernetes.io/c", "", ""},
		{"container.apparmor.security.beta.kubernetes.io/c", "unconfined", ""},
		{"seccomp.security.alpha.kubernetes.io/pod", "runtime/default", ""},
		{"seccomp.security.alpha.kubernetes.io/pod", "docker/default", ""},
		{"seccomp.security.alpha.kubernetes.io/pod", "", `non-functional in v1.27+; use the "seccompProfile" field instead`},
		{"seccomp.security.alpha.kubernetes.io/pod", "unconfined", ""},
		{"container.seccomp.security.alpha.kubernetes.io/c", "localhost/p.json", `non-functional in v1.27+; use the "seccompProfile" field instead`},
		{"container.seccomp.security.alpha.kubernetes.io/c", "unconfined", ""},
		{"security.alpha.kubernetes.io/sysctls", "net.ipv4.tcp_syncookies=0", "spec.securityContext.sysctls"},
		{"security.alpha.kubernetes.io/unsafe-sysctls", "kernel.msgmax=9", "spec.securityContext.sysctls"},
		{"seccomp.example.org/pod", "strict", ""},
	} {
		want := tt.want
		if want != "" && !strings.HasPrefix(want, "spec.") {
			want = at(tt.key) + want
		}
		refused(t, withAnnotation(tt.key, tt.value), want)
	}
	check(t, withAnnotation("container.apparmor.security.beta.kubernetes.io/other", "unconfined"),
		`metadata.annotations[container.apparmor.security.beta.kubernetes.io/other]: Invalid value: "other": container not found`)
	check(t, withAnnotation("container.apparmor.security.beta.kubernetes.io/c", "mine"),
		`metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: Invalid value: "mine": invalid AppArmor profile name: "mine"`)
	for value, want := range map[string]string{"": "type", "unconfined": "type", "localhost/other": "profile"} {
		both := strings.Replace(withAnnotation("container.apparmor.security.beta.kubernetes.io/c", value), `"image":"i"`,
			`"image":"i","securityContext":{"appArmorProfile":{"type":"Localhost","localhostProfile":"mine"}}`, 1)
		check(t, both, `spec.containers[0].securityContext.appArmorProfile.`+map[string]string{"type": "type", "profile": "localhostProfile"}[want]+`: Forbidden: apparmor `+want+` in annotation and field must match`)
	}
}

func withAnnotation(key, value string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","annotations":{%q:%q}},"spec":{"containers":[{"name":"c","image":"i"}]}}`, key, value)
}
