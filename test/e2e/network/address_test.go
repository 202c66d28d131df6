package network

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A pod that runs keeps its address and its host ports when the leases are lost while no daemon is there, and of two pods
// that have one address after all the newer one is replaced.
func TestLostLeases(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("one", harness.PortPod("one", "{containerPort: 8080, hostPort: 54340}"))
	one := b.Running("one")
	b.MustDrop("two", harness.PortPod("two", "{containerPort: 8080, hostPort: 54341}"))
	two := b.Running("two")
	leases := filepath.Join(b.Run, "leases")
	b.MustKill9()
	b.Must(os.RemoveAll(leases))
	b.Must(os.WriteFile(leases, []byte("nonsense"), 0o600))
	b.MustStart()
	b.MustDrop("three", harness.PortPod("three", ""))
	three := b.Running("three")
	if three.Status.PodIP == one.Status.PodIP || three.Status.PodIP == two.Status.PodIP {
		t.Errorf("the new pod got %s, which another one has", three.Status.PodIP)
	}
	for port, pod := range map[string]*corev1.Pod{"54340": one, "54341": two} {
		b.WantAnswer("127.0.0.1:"+port, pod.Name)
		b.WantAnswer(pod.Status.PodIP+":8080", pod.Name)
	}
	b.Event("leases is damaged")

	// A record that says otherwise than another one cannot be put right by guessing.
	b.MustKill9()
	record := filepath.Join(b.Run, "pods", string(two.UID)+".json")
	text, err := os.ReadFile(record)
	b.Must(err)
	was, is := []byte(`"ip":"`+two.Status.PodIP+`"`), []byte(`"ip":"`+one.Status.PodIP+`"`)
	if !bytes.Contains(text, was) {
		t.Fatalf("the record does not say %s:\n%s", was, text)
	}
	b.Must(errors.Join(os.WriteFile(record, bytes.Replace(text, was, is, 1), 0o600), os.RemoveAll(leases)))
	b.MustStart()
	b.Event(`pod "default/one" has ` + one.Status.PodIP)
	again := b.WaitPod("two", func(p *corev1.Pod) string {
		if p.Status.ContainerStatuses[0].ContainerID == two.Status.ContainerStatuses[0].ContainerID {
			return "it is the same pod still"
		}
		return harness.IsRunning(p)
	})
	if ip := again.Status.PodIP; ip == one.Status.PodIP || ip == three.Status.PodIP || ip == "" {
		t.Errorf("it has %q now, others have %s and %s", ip, one.Status.PodIP, three.Status.PodIP)
	}
	for port, name := range map[string]string{"54340": "one", "54341": "two"} {
		b.WantAnswer("127.0.0.1:"+port, name)
	}
	if now := b.Running("one"); now.Status.ContainerStatuses[0].ContainerID != one.Status.ContainerStatuses[0].ContainerID || now.Status.PodIP != one.Status.PodIP {
		t.Errorf("the older pod is another one: %+v", now.Status)
	}
}
