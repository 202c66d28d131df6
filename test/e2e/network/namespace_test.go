package network

import (
	"net"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// inNamespace puts a manifest into a namespace.
func inNamespace(manifest, namespace string) string {
	return strings.Replace(manifest, "metadata:\n", "metadata:\n  namespace: "+namespace+"\n", 1)
}

// Namespaces are there as soon as something is in them. One that is declared has labels, by which policies know it, at once
// when they change.
//
// test/e2e/network/netpol: should enforce policy to allow traffic only from a different namespace, based on
// NamespaceSelector; should allow ingress access from updated namespace
func TestNamespaceSelectors(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	shop := func(labels string) string {
		return "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels: {" + labels + "}\n  annotations: {owner: me}\n"
	}
	b.MustDrop("policy", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: shops}\nspec:\n  podSelector: {matchLabels: {app: web}}\n"+
		"  ingress: [{from: [{namespaceSelector: {matchLabels: {kind: shop}}}]}]\n")
	b.MustDrop("web", labelled(harness.OnePod("web", harness.Forever), "web"))
	b.MustDrop("client", inNamespace(harness.OnePod("client", harness.Forever), "shop"))
	b.MustDrop("mine", harness.OnePod("mine", harness.Forever))
	b.Answer(b.NetnsOf("web"), "web", 7000)
	pod, client := b.Running("web"), b.NetnsOf("client")
	shut := func(from string) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			_, _, err := harness.Asked(from, "tcp", net.JoinHostPort(pod.Status.PodIP, "7000"))
			return err != nil, nil
		}))
	}
	shut(client)
	b.Shows([]string{"shop", "Active"}, "get", "ns", "shop")
	b.MustDrop("shop", shop("kind: shop"))
	for _, ip := range pod.Status.PodIPs {
		reached(b, client, net.JoinHostPort(ip.IP, "7000"), "web")
	}
	shut(b.NetnsOf("mine"))
	if got := b.CLI("get", "ns", "shop", "-o", "yaml"); !strings.Contains(got, "kind: shop") || !strings.Contains(got, "owner: me") || !strings.Contains(got, "kubernetes.io/metadata.name: shop") {
		t.Errorf("get ns shop:\n%s", got)
	}
	if got := strings.Fields(b.CLI("get", "ns", "--no-headers")); len(got) != 6 || got[0] != "default" || got[3] != "shop" {
		t.Errorf("get ns: %v", got)
	}
	b.MustDrop("shop", shop("kind: mill"))
	shut(client)
	b.MustDrop("shop", shop("kind: shop"))
	reached(b, client, net.JoinHostPort(pod.Status.PodIP, "7000"), "web")
	b.MustRemove("shop")
	shut(client)
	b.Shows([]string{"shop", "Active"}, "get", "ns", "shop")
	b.MustDrop("bad", "apiVersion: v1\nkind: Namespace\nmetadata: {name: Not_DNS}\n")
	b.Event(`metadata.name: Invalid value: "Not_DNS": a lowercase RFC 1123 label must consist of`)
}
