package printers

//lint:file-ignore SA1019 Endpoints are deprecated, and what `get ep` means

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/hub"
)

// Endpoints are the older form of EndpointSlices.
type Endpoints = corev1.Endpoints

// EndpointsColumns are the columns of a table of such objects.
func EndpointsColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the Service.", 0},
		{"Endpoints", "The ready ones.", 0},
		{"Age", "Time since the Service was first seen.", 0},
	})
}

// EndpointsRow is the row of one of them.
func EndpointsRow(o hub.Object, now time.Time) metav1.TableRow {
	e := o.(*Endpoints)
	var list []string
	for _, s := range e.Subsets {
		for _, a := range s.Addresses {
			if len(s.Ports) == 0 {
				list = append(list, a.IP)
			}
			for _, p := range s.Ports {
				list = append(list, hostPort(a.IP, p.Port))
			}
		}
	}
	text := none
	if len(list) > 0 {
		text = shortList(list)
	}
	return metav1.TableRow{Cells: []any{e.Name, text, since(e.CreationTimestamp, now)}}
}

func hostPort(ip string, port int32) string {
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	return fmt.Sprintf("%s:%d", ip, port)
}
