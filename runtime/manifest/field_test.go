package manifest

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// reach calls yield for every field that a manifest can set below a type, with the path of its row. It does not
// go below a field for which yield returns false.
func reach(t reflect.Type, path string, yield func(path string, t reflect.Type) bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Struct && !decodesItself(t):
		jsonFields(t, reflect.Value{}, func(f structField, _ reflect.Value) {
			if p := path + "." + f.name; yield(p, f.typ) {
				reach(f.typ, p, yield)
			}
		})
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		reach(t.Elem(), path+"[]", yield)
	case t == reflect.TypeFor[corev1.ResourceList]():
		for _, key := range []string{"[cpu]", "[memory]", "[*]"} {
			yield(path+key, t.Elem())
		}
		for _, key := range []string{"[ephemeral-storage]", "[hugepages-*]"} { // where they have rows
			if rowOf([]byte(path+key)) != nil {
				yield(path+key, t.Elem())
			}
		}
	}
}

func TestTableHasEveryField(t *testing.T) {
	used := map[string]bool{}
	check := func(path string, _ reflect.Type) bool {
		r := rowOf([]byte(path))
		if r == nil {
			t.Errorf("the table has no row for %s", path)
			return false
		}
		if used[path] {
			t.Errorf("%s is reached twice", path)
		}
		used[path] = true
		// What is refused or left to a cluster is so with all that is below.
		return r.support == Honoured
	}
	reach(reflect.TypeFor[metav1.ObjectMeta](), "metadata", check)
	reach(reflect.TypeFor[corev1.PodSpec](), "spec", check)
	for i, r := range table {
		if !used[r.path] {
			t.Errorf("row %s stands for no field, or is below one that is refused", r.path)
		}
		for _, other := range table[:i] {
			if other.path == r.path {
				t.Errorf("%s has two rows", r.path)
			}
		}
	}
}

func TestTableSentences(t *testing.T) {
	for _, r := range table {
		switch r.support {
		case Refused:
			if !strings.Contains(r.why, "; ") {
				t.Errorf("%s: %q does not say what is wrong and then the remedy", r.path, r.why)
			}
			if r.only != "" && !strings.Contains(r.why, r.only) {
				t.Errorf("%s: %q does not name the accepted value %q", r.path, r.why, r.only)
			}
		case Honoured, Cluster:
			if r.only != "" {
				t.Errorf("%s: a condition on a field that is not refused", r.path)
			}
		default:
			t.Errorf("%s: support %q", r.path, r.support)
		}
	}
}

// page prints docs/fields.md.
func page() string {
	var b strings.Builder
	b.WriteString("# Fields of a Pod\n\n" +
		"Printed from the table in `runtime/manifest/table.go` by its test (`go test ./runtime/manifest -update`).\n\n" +
		"`honoured`: podd acts on it. `cluster`: accepted, only a cluster would act on it. `refused`: a pod that sets the\n" +
		"field is not run, and podd says why; a value in brackets is accepted all the same. A row stands for all fields below\n" +
		"it that have no row of their own.\n")
	section := ""
	for _, f := range Fields() {
		if s := sectionOf(f.Path); s != section {
			section = s
			fmt.Fprintf(&b, "\n## %s\n\n| Field | podd | |\n|---|---|---|\n", section)
		}
		support := string(f.Support)
		if f.Only != "" {
			support += " (`" + f.Only + "`)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Path, support, f.Why)
	}
	return b.String()
}

func sectionOf(path string) string {
	switch {
	case strings.HasPrefix(path, "metadata."):
		return "metadata"
	case strings.HasPrefix(path, "spec.containers"):
		return "spec.containers"
	default:
		return "spec"
	}
}

func TestFieldsPage(t *testing.T) {
	const file = "../../docs/fields.md"
	want := page()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says; run go test ./runtime/manifest -run FieldsPage -update", file)
	}
}

func TestRefusedFields(t *testing.T) {
	tests := []struct {
		name, spec, container string
		want                  string // in the message; "" is accepted
	}{
		{"probe", "", `"livenessProbe":{"exec":{"command":["true"]}}`, ""},
		{"volumes", `"volumes":[{"name":"v","emptyDir":{}}]`, `"volumeMounts":[{"name":"v","mountPath":"/v"}]`, ""},
		{"network storage", `"volumes":[{"name":"v","nfs":{"server":"a","path":"/"}}]`, "", "spec.volumes[0].nfs: Forbidden: podd has no driver for this kind of storage"},
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
		{"an amount of something else", "", `"resources":{"limits":{"cpu":"1","example.com/gpu":"1"}}`, `Pod "p" is refused: spec.containers[0].resources.limits[example.com/gpu]: Forbidden: podd limits cpu and memory only; remove this resource`},
		{"amounts", `"resources":{"limits":{"cpu":"2","memory":"1Gi"}}`, `"resources":{"limits":{"cpu":"1","memory":"64Mi"}}`, ""},
		{"sysctl of the node", `"securityContext":{"sysctls":[{"name":"vm.swappiness","value":"1"}]}`, "", "spec.securityContext.sysctls[0].name: Forbidden: vm.swappiness belongs to the whole node"},
		{"sysctl of the pod", `"securityContext":{"sysctls":[{"name":"net.ipv4.ip_local_port_range","value":"1 9"},{"name":"kernel/shm_rmid_forced","value":"1"}]}`, "", ""},
		{"what a cluster does", `"tolerations":[{"operator":"Exists"}],"affinity":{},"nodeSelector":{"a":"b"},"priority":1,"schedulerName":"x","serviceAccountName":"s","overhead":{"cpu":"1"}`, "", ""},
		{"two at once", `"runtimeClassName":"kata"`, `"securityContext":{"seLinuxOptions":{"type":"t"}}`, "[spec.containers[0].securityContext.seLinuxOptions: Forbidden: podd does not set SELinux labels; remove the field, spec.runtimeClassName: Forbidden: "},
		{"init containers have the same rows", `"initContainers":[{"name":"i","image":"x","securityContext":{"seLinuxOptions":{"type":"t"}}}]`, "", "spec.initContainers[0].securityContext.seLinuxOptions: Forbidden: podd does not set SELinux labels"},
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
		{"container.apparmor.security.beta.kubernetes.io/c", "runtime/default", "podd does not load AppArmor profiles yet; remove the annotation or set it to unconfined"},
		{"container.apparmor.security.beta.kubernetes.io/c", "localhost/mine", "podd does not load AppArmor"},
		{"container.apparmor.security.beta.kubernetes.io/c", "", "podd does not load AppArmor"},
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
}

func withAnnotation(key, value string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","annotations":{%q:%q}},"spec":{"containers":[{"name":"c","image":"i"}]}}`, key, value)
}
