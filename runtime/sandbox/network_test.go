package sandbox

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A manifest that an earlier podd accepted may say what this one refuses.
func TestHostIPThatIsNoAddressOpensNothing(t *testing.T) {
	for ip, want := range map[string]int{"": 1, "127.0.0.1": 1, "::1": 1, "localhost": 0, "127.0.0.01": 0, " 127.0.0.1": 0} {
		c := corev1.Container{Ports: []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080, HostIP: ip}}}
		if got := hostPorts(&c); len(got) != want {
			t.Errorf("hostIP %q: %v", ip, got)
		}
	}
}
