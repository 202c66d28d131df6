package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNamerIsTheSameAgain(t *testing.T) {
	in := Input{Sequence: 7}
	a, b := NewNamer("owner", &in), NewNamer("owner", &in)
	for range 100 {
		n1, u1 := a.Generate("web-")
		n2, u2 := b.Generate("web-")
		if n1 != n2 || u1 != u2 {
			t.Fatalf("%s %s and then %s %s", n1, u1, n2, u2)
		}
		if len(n1) != len("web-")+5 {
			t.Fatalf("name %q", n1)
		}
	}
	if a.Sequence() != 107 {
		t.Errorf("sequence %d", a.Sequence())
	}
}

// A sequence that was lost must not make a second pod under a name that is in use.
func TestNamerLeavesNamesInUse(t *testing.T) {
	first, _ := NewNamer("owner", &Input{}).Generate("web-")
	in := Input{Pods: []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: first}}}}
	if again, _ := NewNamer("owner", &in).Generate("web-"); again == first {
		t.Errorf("%s twice", first)
	}
}

func TestNamerCutsLongPrefixes(t *testing.T) {
	long := "a123456789a123456789a123456789a123456789a123456789a123456789a123456789-"
	name, _ := NewNamer("owner", &Input{}).Generate(long)
	if len(name) != 63 || name[:58] != long[:58] {
		t.Errorf("%q", name)
	}
}

func TestSafeEncode(t *testing.T) {
	if got, want := safeEncode("1234567890"), "56789bcdf4"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
