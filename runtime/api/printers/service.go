package printers

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"podd/runtime/api/hub"
)

// ServiceColumns are the columns of a table of such objects.
func ServiceColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the Service.", 0},
		{"Type", "How it is reached.", 0},
		{"Cluster-IP", "Its address within the node.", 0},
		{"External-IP", "Its addresses outside.", 0},
		{"Port(s)", "Its ports, and the node's.", 0},
		{"Age", "Time since its manifest was first seen.", 0},
		{"Selector", "The labels of the pods behind it.", 1},
	})
}

// ServiceRow is the row of one of them.
func ServiceRow(o hub.Object, now time.Time) metav1.TableRow {
	s := o.(*corev1.Service)
	ip := cmp.Or(s.Spec.ClusterIP, none)
	selector := cmp.Or(labels.Set(s.Spec.Selector).String(), none)
	return metav1.TableRow{Cells: []any{s.Name, string(s.Spec.Type), ip, externalAddress(s), portWords(s.Spec.Ports), since(s.CreationTimestamp, now), selector}}
}

func externalAddress(s *corev1.Service) string {
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return s.Spec.ExternalName
	}
	var list []string
	for _, i := range s.Status.LoadBalancer.Ingress {
		list = append(list, i.IP)
	}
	list = append(list, s.Spec.ExternalIPs...)
	switch {
	case len(list) > 0:
		return strings.Join(list, ",")
	case s.Spec.Type == corev1.ServiceTypeLoadBalancer:
		return "<pending>"
	}
	return none
}

func portWords(ports []corev1.ServicePort) string {
	var list []string
	for _, p := range ports {
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.NodePort != 0 {
			text = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
		}
		list = append(list, text)
	}
	return cmp.Or(strings.Join(list, ","), none)
}

// EndpointSliceColumns are the columns of a table of such objects.
func EndpointSliceColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the EndpointSlice.", 0},
		{"AddressType", "What its addresses are.", 0},
		{"Ports", "Where its endpoints serve.", 0},
		{"Endpoints", "Its addresses.", 0},
		{"Age", "Time since it was first seen.", 0},
	})
}

// EndpointSliceRow is the row of one of them.
func EndpointSliceRow(o hub.Object, now time.Time) metav1.TableRow {
	s := o.(*discoveryv1.EndpointSlice)
	var ports, addresses []string
	for _, p := range s.Ports {
		text := "*" // any, as kubectl writes it
		if p.Port != nil {
			text = fmt.Sprint(*p.Port)
		} else if p.Name != nil {
			text = *p.Name
		}
		ports = append(ports, text)
	}
	for i := range s.Endpoints {
		addresses = append(addresses, s.Endpoints[i].Addresses...)
	}
	return metav1.TableRow{Cells: []any{s.Name, string(s.AddressType), shortList(ports), shortList(addresses), since(s.CreationTimestamp, now)}}
}

// shortList shows three and how many more there are, as kubectl does.
func shortList(list []string) string {
	const most = 3
	switch n := len(list); {
	case n == 0:
		return "<unset>"
	case n > most:
		return fmt.Sprintf("%s + %d more...", strings.Join(list[:most], ","), n-most)
	}
	return strings.Join(list, ",")
}
