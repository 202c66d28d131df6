package annotation

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var path = field.NewPath("metadata", "annotations")

// said are the sentences of errors, without the path of annotations.
func said(errs field.ErrorList) string {
	var list []string
	for _, err := range errs {
		list = append(list, strings.TrimPrefix(err.Error(), "metadata.annotations"))
	}
	return strings.Join(list, " / ")
}

// What an annotation of the past would confine, and a cluster of today does not.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#seccomp-security-alpha-kubernetes-io-pod
func TestRefused(t *testing.T) {
	t.Parallel()
	const pod, container, sysctls = "seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/c", "security.alpha.kubernetes.io/sysctls"
	const seccomp, taken = `Forbidden: non-functional in v1.27+; use the "seccompProfile" field instead`, "Forbidden: Kubernetes has taken this from spec.securityContext.sysctls since 1.11; write it there"
	for _, tc := range []struct {
		annotations map[string]string
		want        string
	}{
		{nil, ""},
		{map[string]string{"example.com/note": "localhost/x"}, ""},
		{map[string]string{pod: "unconfined", container: "runtime/default"}, ""},
		{map[string]string{container: "docker/default"}, ""},
		{map[string]string{pod: "localhost/x"}, "[" + pod + "]: " + seccomp},
		{map[string]string{pod: ""}, "[" + pod + "]: " + seccomp},
		{map[string]string{container: "localhost/x"}, "[" + container + "]: " + seccomp},
		{map[string]string{pod + "s": "localhost/x"}, ""},
		{map[string]string{sysctls: "a=b"}, "[" + sysctls + "]: " + taken},
		{map[string]string{"security.alpha.kubernetes.io/unsafe-sysctls": "", container: "x"}, "[" + container + "]: " + seccomp + " / [security.alpha.kubernetes.io/unsafe-sysctls]: " + taken},
	} {
		if got := said(Refused(tc.annotations, path)); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.annotations, got, tc.want)
		}
	}
}

// Annotations of AppArmor beside the fields. kubernetes pkg/apis/core/validation, ValidateAppArmorPodAnnotations and
// validatePodAppArmorAnnotations.
func TestArmor(t *testing.T) {
	t.Parallel()
	local, other := "mine", "theirs"
	spec := &corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "i"}},
		Containers: []corev1.Container{
			{Name: "c"},
			{Name: "u", SecurityContext: &corev1.SecurityContext{AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}}},
			{Name: "l", SecurityContext: &corev1.SecurityContext{AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &local}}},
		},
	}
	const key = "container.apparmor.security.beta.kubernetes.io/"
	const differs = "spec.containers[1].securityContext.appArmorProfile.type: Forbidden: apparmor type in annotation and field must match"
	for _, tc := range []struct{ name, value, want string }{
		{"c", "", ""},
		{"c", "unconfined", ""},
		{"i", "runtime/default", ""},
		{"c", "localhost/mine", ""},
		{"c", "localhost/", ""},
		{"c", "strict", "[" + key + `c]: Invalid value: "strict": invalid AppArmor profile name: "strict"`},
		{"x", "unconfined", "[" + key + `x]: Invalid value: "x": container not found`},
		{"x", "strict", "[" + key + `x]: Invalid value: "x": container not found / [` + key + `x]: Invalid value: "strict": invalid AppArmor profile name: "strict"`},
		{"u", "unconfined", ""},
		{"u", "runtime/default", differs},
		{"u", "", differs},
		{"u", "localhost/mine", differs},
		{"l", "localhost/mine", ""},
		{"l", "localhost/theirs", "spec.containers[2].securityContext.appArmorProfile.localhostProfile: Forbidden: apparmor profile in annotation and field must match"},
	} {
		if got := said(ValidateArmor(map[string]string{key + tc.name: tc.value, "a": "b"}, spec, path, field.NewPath("spec"))); got != tc.want {
			t.Errorf("%s of %s: %s, want %s", tc.value, tc.name, got, tc.want)
		}
	}
	for value, want := range map[string]*corev1.AppArmorProfile{
		"": nil, "localhost/": nil, "strict": nil, "unconfined": {Type: "Unconfined"}, "runtime/default": {Type: "RuntimeDefault"}, "localhost/theirs": {Type: "Localhost", LocalhostProfile: &other},
	} {
		got := ArmorOf(value)
		if (got == nil) != (want == nil) || got != nil && got.String() != want.String() {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// Limits of traffic are from 1k to 1P bits a second. kubernetes pkg/util/bandwidth
func TestBandwidth(t *testing.T) {
	t.Parallel()
	const small, large, none = "resource is unreasonably small (< 1kbit)", "resource is unreasonably large (> 1Pbit)", "must be a quantity of bits a second, such as 10M"
	for text, want := range map[string]string{
		"1k": "", "1000": "", "1P": "", "10M": "", "1Mi": "", "1e6": "", "999": small, "0": small, "-1M": small, "1m": small, "1001T": large, "1Pi": large, "": none, "10 M": none, "fast": none,
	} {
		for _, key := range []string{"kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth"} {
			sentence := ""
			if want != "" {
				sentence = "[" + key + `]: Invalid value: "` + text + `": ` + want
			}
			if got := said(ValidateBandwidth(map[string]string{key: text}, path)); got != sentence {
				t.Errorf("%q: %s, want %s", text, got, sentence)
			}
		}
	}
	if errs := ValidateBandwidth(map[string]string{"kubernetes.io/bandwidth": "x"}, path); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	has := map[string]string{"kubernetes.io/arch": "arm64", "tier": "edge"}
	for _, tc := range []struct {
		expression string
		valid      bool
		fits       bool // on board-1 with these labels
	}{
		{"board-1", true, true},
		{"board-2", true, false},
		{"board-2,board-1", true, true},
		{" board-2 , board-1 ", true, true},
		{"board-10", true, false},
		{"board", true, false},
		{"tier", true, false}, // the name of a board, not the key of a label
		{"kubernetes.io/arch=arm64", true, true},
		{"kubernetes.io/arch=amd64", true, false},
		{"kubernetes.io/arch = arm64,tier!=cloud", true, true},
		{"tier in (edge, fog)", true, true},
		{"tier notin (edge)", true, false},
		{"!tier", true, false},
		{"!gpu", true, true},
		{"kubernetes.io/arch", true, true},
		{"gpu/x", true, false},
		{"", false, false},
		{"  ", false, false},
		{"a b", false, false},
		{"tier in edge", false, false},
		{"=x", false, false},
		{"board-1,,board-2", false, false},
		{"Board-1", true, false},
	} {
		if got := FitsNode(tc.expression, "board-1", has); got != tc.fits && tc.valid {
			t.Errorf("%q fits: %t", tc.expression, got)
		}
		want := ""
		if !tc.valid {
			want = `[podd.dev/node]: Invalid value: "` + tc.expression + `": must be the name of a node, a list of names, or a label selector such as kubernetes.io/arch=arm64`
		}
		if got := said(ValidateNode(map[string]string{NodeKey: tc.expression}, path)); got != want {
			t.Errorf("%q: %s, want %s", tc.expression, got, want)
		}
	}
	if errs := ValidateNode(nil, path); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	const number = "must be a number of seconds greater than 0"
	for _, tc := range []struct{ key, value, want string }{
		{RollbackKey, "true", ""},
		{RollbackKey, "false", ""},
		{RollbackKey, "", `Unsupported value: "": supported values: "true", "false"`},
		{RollbackKey, "True", `Unsupported value: "True": supported values: "true", "false"`},
		{ProgressDeadlineKey, "1", ""},
		{MinReadyKey, "86400", ""},
		{ProgressDeadlineKey, "0", `Invalid value: "0": ` + number},
		{MinReadyKey, "-1", `Invalid value: "-1": ` + number},
		{MinReadyKey, "10s", `Invalid value: "10s": ` + number},
		{MinReadyKey, "", `Invalid value: "": ` + number},
		{ProgressDeadlineKey, "99999999999999999999", `Invalid value: "99999999999999999999": ` + number},
	} {
		want := ""
		if tc.want != "" {
			want = "[" + tc.key + "]: " + tc.want
		}
		annotations := map[string]string{tc.key: tc.value}
		if got := said(ValidateRollback(annotations, path)); got != want {
			t.Errorf("%v: %s, want %s", annotations, got, want)
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}}
		if got := WantsRollback(pod); got != (tc.key == RollbackKey && tc.value == "true") {
			t.Errorf("%v: %t", annotations, got)
		}
	}
	// What is not said, or wrong, is the default: the deadline of a Deployment, and ten seconds.
	for text, want := range map[string][2]time.Duration{
		"": {600 * time.Second, 10 * time.Second}, "0": {600 * time.Second, 10 * time.Second}, "x": {600 * time.Second, 10 * time.Second}, "90": {90 * time.Second, 90 * time.Second},
	} {
		annotations := map[string]string{ProgressDeadlineKey: text, MinReadyKey: text}
		if got := [2]time.Duration{ProgressDeadline(annotations), MinReady(annotations)}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// The sum of a sealed Secret is one of its keys and values, however they are divided, and of nothing else.
func TestSealedSum(t *testing.T) {
	t.Parallel()
	secret := func(data map[string][]byte) *corev1.Secret { return &corev1.Secret{Data: data} }
	seen := map[string]string{}
	for name, data := range map[string]map[string][]byte{
		"none": nil, "a key": {"a": nil}, "a value": {"a": []byte("b")}, "another": {"a": []byte("c")}, "two": {"a": []byte("b"), "b": []byte("a")}, "other way": {"a": []byte("a"), "b": []byte("b")},
		"joined": {"ab": nil}, "quoted": {"a\" \"b": nil}, "a line": {"a": []byte("\n\"b\" \"c\"")},
	} {
		sum := SealedSum(secret(data))
		if len(sum) != 32 || seen[sum] != "" || sum != SealedSum(secret(data)) {
			t.Errorf("%s has the sum of %s: %s", name, seen[sum], sum)
		}
		seen[sum] = name
	}
	one := secret(map[string][]byte{"a": []byte("b")})
	sum := SealedSum(one)
	one.Name, one.Type, one.Labels = "x", "y", map[string]string{"c": "d"}
	if SealedSum(one) != sum {
		t.Error("the sum depends on the name")
	}
	if IsSealed(one) {
		t.Error("it is not sealed")
	}
	one.Annotations = map[string]string{SealedKey: "age"}
	if !IsSealed(one) {
		t.Error("it is sealed")
	}
}

// What is added to a pod that is shown goes again, and others' annotations stay as they are.
func TestHandler(t *testing.T) {
	t.Parallel()
	own := map[string]string{"a": "b"}
	m := metav1.ObjectMeta{Annotations: own}
	SetHandler(&m, "gpu")
	if m.Annotations[HandlerKey] != "gpu" || len(own) != 1 {
		t.Errorf("%v, of %v", m.Annotations, own)
	}
	SetSource(&m, "f")
	SetSource(&m, "f")
	if DropSource(&m); len(m.Annotations) != 1 || m.Annotations["a"] != "b" {
		t.Errorf("%v", m.Annotations)
	}
	empty := metav1.ObjectMeta{}
	SetHandler(&empty, "gpu")
	if DropSource(&empty); empty.Annotations != nil {
		t.Errorf("%v", empty.Annotations)
	}
	kept := metav1.ObjectMeta{Annotations: own}
	if DropProblem(&kept); len(kept.Annotations) != 1 {
		t.Errorf("%v", kept.Annotations)
	}
}
