package networkpolicy

import (
	"errors"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/netns"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// kernel refuses policies for a while.
type kernel struct {
	refusals, asked int
	table           netns.PolicyTable
}

func (k *kernel) SetPolicies(t netns.PolicyTable) error {
	k.table = t
	if k.asked++; k.asked <= k.refusals {
		return errors.New("no room")
	}
	return nil
}

// What is refused is tried again after a while, or as soon as something has changed; what was taken is left alone.
func TestSyncTriesAgain(t *testing.T) {
	s := &Syncer{Network: &kernel{refusals: 3}, Objects: &objects.Desired{}}
	at := state.Instant{Mono: state.BootTime(time.Hour)}
	if s.Due(at.Mono) {
		t.Error("due before anything has changed")
	}
	for i, step := range []struct {
		after   time.Duration
		changed bool
		due     bool
	}{
		{0, true, true},
		{4 * time.Second, false, false},
		{time.Second, false, true},
		{time.Second, true, true},
		{4 * time.Second, false, false},
		{time.Second, false, true},
		{time.Hour, false, false},
		{0, true, true},
	} {
		at.Mono = at.After(step.after)
		if step.changed {
			s.MarkChanged()
		}
		if s.Due(at.Mono) != step.due {
			t.Fatalf("step %d: due: %t", i, !step.due)
		}
		if !step.due {
			continue
		}
		err, k := s.Sync(nil, at), s.Network.(*kernel)
		if refused := k.asked <= k.refusals; (err != nil) != refused || (s.RetryAt() != 0) != refused || refused && s.RetryAt() != at.After(5*time.Second) {
			t.Errorf("step %d: %v, again at %s", i, err, s.RetryAt())
		}
	}
}

// The table is about the pods of now, the policies and the labels of namespaces that the folder has.
func TestSyncTakesTheFolder(t *testing.T) {
	k := &kernel{}
	s := &Syncer{Network: k, Objects: &objects.Desired{}}
	from := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}}
	policy := &networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{from}}},
	}}
	policy.Namespace, policy.Name = "default", "from-a"
	namespace := &corev1.Namespace{}
	namespace.Name, namespace.Labels = "a", map[string]string{"team": "a"}
	s.Objects.Replace([]manifest.Object{
		{Kind: "NetworkPolicy", Namespace: "default", Name: "from-a", Hash: "1", Value: policy},
		{Kind: "Namespace", Name: "a", Hash: "1", Value: namespace},
	}, time.Now())
	pods := []*corev1.Pod{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "u1"}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "client", UID: "u2"}},
	}
	if err := s.Sync(pods, state.Instant{}); err != nil {
		t.Fatal(err)
	}
	want := Build([]*networkingv1.NetworkPolicy{policy}, newPolicyPeers(pods, map[string]map[string]string{"a": {"team": "a"}}), nil)
	if !reflect.DeepEqual(k.table, want) || reflect.DeepEqual(want, Build(nil, newPolicyPeers(pods, nil), nil)) {
		t.Errorf("the network was told %+v, want %+v", k.table, want)
	}
}
