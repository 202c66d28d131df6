package printers

//lint:file-ignore SA1019 Endpoints are deprecated, and what `get ep` means

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

// Each kind's row has a cell for each column, with kubectl's words.
func TestTablesOfOtherKinds(t *testing.T) {
	meta := metav1.ObjectMeta{Name: "x", CreationTimestamp: ago(3 * time.Hour)}
	ports := func(list ...corev1.ServicePort) corev1.ServiceSpec {
		return corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.0.0.1", Ports: list}
	}
	web := corev1.ServicePort{Port: 80, Protocol: corev1.ProtocolTCP}
	dns := corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolUDP, NodePort: 30053}
	balanced := func(external []string, ips ...string) *corev1.Service {
		s := &corev1.Service{ObjectMeta: meta, Spec: ports(dns)}
		s.Spec.Type, s.Spec.ExternalIPs = corev1.ServiceTypeLoadBalancer, external
		for _, ip := range ips {
			s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
		}
		return s
	}
	selecting := ports(web, dns)
	selecting.Selector = map[string]string{"b": "2", "a": "1"}
	outside := ports(web)
	outside.ExternalIPs = []string{"192.0.2.1", "192.0.2.2"}
	slice := func(ports []discoveryv1.EndpointPort, addresses ...string) *discoveryv1.EndpointSlice {
		s := &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4, Ports: ports}
		for _, a := range addresses {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}})
		}
		return s
	}
	port := func(n int32) discoveryv1.EndpointPort { return discoveryv1.EndpointPort{Port: &n} }
	addresses := func(list ...string) (out []corev1.EndpointAddress) {
		for _, a := range list {
			out = append(out, corev1.EndpointAddress{IP: a})
		}
		return out
	}
	name, class := "http", "fast"
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOncePod}
	keep := corev1.PersistentVolumeReclaimRetain
	for _, tc := range []struct {
		columns func() []metav1.TableColumnDefinition
		row     func(hub.Object, time.Time) metav1.TableRow
		o       hub.Object
		want    string
	}{
		{ServiceColumns, ServiceRow, &corev1.Service{}, "||<none>|<none>|<none>|<unknown>|<none>"},
		{ServiceColumns, ServiceRow, &corev1.Service{ObjectMeta: meta, Spec: selecting}, "x|ClusterIP|10.0.0.1|<none>|80/TCP,53:30053/UDP|3h|a=1,b=2"},
		{ServiceColumns, ServiceRow, &corev1.Service{ObjectMeta: meta, Spec: outside}, "x|ClusterIP|10.0.0.1|192.0.2.1,192.0.2.2|80/TCP|3h|<none>"},
		{ServiceColumns, ServiceRow, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "db.example.com"}}, "x|ExternalName|<none>|db.example.com|<none>|3h|<none>"},
		{ServiceColumns, ServiceRow, balanced(nil), "x|LoadBalancer|10.0.0.1|<pending>|53:30053/UDP|3h|<none>"},
		{ServiceColumns, ServiceRow, balanced(nil, "192.0.2.9"), "x|LoadBalancer|10.0.0.1|192.0.2.9|53:30053/UDP|3h|<none>"},
		{ServiceColumns, ServiceRow, balanced([]string{"192.0.2.1"}, "192.0.2.9"), "x|LoadBalancer|10.0.0.1|192.0.2.9,192.0.2.1|53:30053/UDP|3h|<none>"},
		{EndpointSliceColumns, EndpointSliceRow, slice(nil), "x|IPv4|<unset>|<unset>|3h"},
		{EndpointSliceColumns, EndpointSliceRow, slice([]discoveryv1.EndpointPort{port(80), {Name: &name}, {}}, "10.0.0.2", "10.0.0.3", "10.0.0.4"), "x|IPv4|80,http,*|10.0.0.2,10.0.0.3,10.0.0.4|3h"},
		{EndpointSliceColumns, EndpointSliceRow, slice([]discoveryv1.EndpointPort{port(1), port(2), port(3), port(4)}, "a", "b", "c", "d", "e"), "x|IPv4|1,2,3 + 1 more...|a,b,c + 2 more...|3h"},
		{EndpointsColumns, EndpointsRow, &Endpoints{ObjectMeta: meta}, "x|<none>|3h"},
		{EndpointsColumns, EndpointsRow, &Endpoints{ObjectMeta: meta, Subsets: []corev1.EndpointSubset{
			{Addresses: addresses("10.0.0.2"), Ports: []corev1.EndpointPort{{Port: 80}, {Port: 443}}, NotReadyAddresses: addresses("10.0.0.9")},
			{Addresses: addresses("fd00::2"), Ports: []corev1.EndpointPort{{Port: 80}}},
		}}, "x|10.0.0.2:80,10.0.0.2:443,[fd00::2]:80|3h"},
		{EndpointsColumns, EndpointsRow, &Endpoints{ObjectMeta: meta, Subsets: []corev1.EndpointSubset{{Addresses: addresses("a", "b", "c", "d")}}}, "x|a,b,c + 1 more...|3h"},
		{ClaimColumns, ClaimRow, &corev1.PersistentVolumeClaim{ObjectMeta: meta, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}}, "x|Pending|||||3h"},
		{ClaimColumns, ClaimRow, &corev1.PersistentVolumeClaim{
			ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pvc-1", StorageClassName: &class},
			Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: size, AccessModes: modes},
		}, "x|Bound|pvc-1|5Gi|RWO,ROX,RWX,RWOP|fast|3h"},
		{VolumeColumns, VolumeRow, &corev1.PersistentVolume{ObjectMeta: meta, Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable}}, "x||||Available|||3h"},
		{VolumeColumns, VolumeRow, &corev1.PersistentVolume{
			ObjectMeta: meta, Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeBound},
			Spec: corev1.PersistentVolumeSpec{Capacity: size, AccessModes: modes[:1], PersistentVolumeReclaimPolicy: keep, StorageClassName: class, ClaimRef: &corev1.ObjectReference{Namespace: "shop", Name: "db"}},
		}, "x|5Gi|RWO|Retain|Bound|shop/db|fast|3h"},
		{ClassColumns, ClassRow, &storagev1.StorageClass{ObjectMeta: meta, Provisioner: "p"}, "x|p||3h"},
		{ClassColumns, ClassRow, &storagev1.StorageClass{ObjectMeta: meta, Provisioner: "p", ReclaimPolicy: &keep}, "x|p|Retain|3h"},
		{ConfigMapColumns, ConfigMapRow, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": "", "b": ""}, BinaryData: map[string][]byte{"c": nil}}, "x|3|3h"},
		{SecretColumns, SecretRow, &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeTLS, Data: map[string][]byte{"a": nil}}, "x|kubernetes.io/tls|1|3h"},
		{ServiceAccountColumns, ServiceAccountRow, &corev1.ServiceAccount{ObjectMeta: meta, Secrets: []corev1.ObjectReference{{Name: "s"}}}, "x|1|3h"},
		{NetworkPolicyColumns, NetworkPolicyRow, &networkingv1.NetworkPolicy{ObjectMeta: meta}, "x|<none>|3h"},
		{NetworkPolicyColumns, NetworkPolicyRow, &networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}, MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpExists}}},
		}}, "x|app=db,tier|3h"},
	} {
		checkRow(t, tc.columns, tc.row, tc.o, tc.want)
	}
}

// checkRow prints one object, and compares cells that are joined by |.
func checkRow(t *testing.T, columns func() []metav1.TableColumnDefinition, row func(hub.Object, time.Time) metav1.TableRow, o hub.Object, want string) {
	t.Helper()
	var cells []string
	for _, c := range row(o, clock()).Cells {
		cells = append(cells, fmt.Sprint(c))
	}
	if got := strings.Join(cells, "|"); got != want || len(cells) != len(columns()) {
		t.Errorf("%T: got  %s\nwant %s, of %d columns", o, got, want, len(columns()))
	}
}
