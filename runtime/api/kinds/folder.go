package kinds

import (
	"cmp"
	"context"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"podd/runtime/api/printers"
)

// folderKinds are the kinds other than Pod that the folder of manifests may hold, and those that podd makes of them.
// A kind is a row here and a file that prints it, below printers. Names and short names are kubectl's.
func Folder() []*Kind {
	return append([]*Kind{
		{Resource: "configmaps", Name: "ConfigMap", Short: []string{"cm"}, Namespaced: true, Blank: blank[corev1.ConfigMap], Columns: printers.ConfigMapColumns, Row: printers.ConfigMapRow},
		{Resource: "networkpolicies", Name: "NetworkPolicy", Group: "networking.k8s.io/v1", Short: []string{"netpol"}, Namespaced: true, Blank: blank[networkingv1.NetworkPolicy], Columns: printers.NetworkPolicyColumns, Row: printers.NetworkPolicyRow},
		{Resource: "secrets", Name: "Secret", Namespaced: true, Blank: blank[corev1.Secret], Columns: printers.SecretColumns, Row: printers.SecretRow},
		{Resource: "persistentvolumeclaims", Name: "PersistentVolumeClaim", Short: []string{"pvc"}, Namespaced: true, Blank: blank[corev1.PersistentVolumeClaim], Columns: printers.ClaimColumns, Row: printers.ClaimRow},
		{Resource: "persistentvolumes", Name: "PersistentVolume", Short: []string{"pv"}, Blank: blank[corev1.PersistentVolume], Columns: printers.VolumeColumns, Row: printers.VolumeRow},
		{Resource: "storageclasses", Name: "StorageClass", Short: []string{"sc"}, Group: "storage.k8s.io/v1", Blank: blank[storagev1.StorageClass], Columns: printers.ClassColumns, Row: printers.ClassRow},
		{Resource: "runtimeclasses", Name: "RuntimeClass", Group: "node.k8s.io/v1", Blank: blank[nodev1.RuntimeClass], Columns: printers.RuntimeClassColumns, Row: printers.RuntimeClassRow},
		{Resource: "serviceaccounts", Name: "ServiceAccount", Short: []string{"sa"}, Namespaced: true, Blank: blank[corev1.ServiceAccount], Columns: printers.ServiceAccountColumns, Row: printers.ServiceAccountRow},
		{Resource: "services", Name: "Service", Short: []string{"svc"}, All: true, Namespaced: true, Blank: blank[corev1.Service], Columns: printers.ServiceColumns, Row: printers.ServiceRow},
		{Resource: "endpoints", Name: "Endpoints", Short: []string{"ep"}, Namespaced: true, Blank: blank[printers.Endpoints], Columns: printers.EndpointsColumns, Row: printers.EndpointsRow},
		{Resource: "endpointslices", Name: "EndpointSlice", Group: "discovery.k8s.io/v1", Namespaced: true, Blank: blank[discoveryv1.EndpointSlice], Columns: printers.EndpointSliceColumns, Row: printers.EndpointSliceRow},
	}, Workloads()...)
}

// Served gives the folder's kinds what they have in common.
func Served() []*Kind {
	kinds := Folder()
	for _, k := range kinds {
		k.Folder = true
		k.List = func(b Source) ([]Object, uint64) { return b.Objects(k.Name) }
		k.Watch = k.watchObjects
		k.Complete = k.completed
		if k.Fields == nil {
			k.Fields = nameFields
		}
	}
	return kinds
}

func nameFields(o Object) fields.Set {
	return fields.Set{"metadata.name": o.GetName(), "metadata.namespace": o.GetNamespace()}
}

// watchObjects follows the changes of one kind among those of all.
func (k *Kind) watchObjects(b Source, since uint64) (Changes, error) {
	ch, cancel, err := b.WatchObjects(since)
	if err != nil {
		return Changes{}, err
	}
	return Changes{
		Stop: cancel,
		Next: func(ctx context.Context) (Change, bool) {
			for {
				select {
				case e, ok := <-ch:
					if !ok {
						return Change{}, false
					}
					if e.Kind == cmp.Or(k.key, k.Name) {
						return Change{e.Type, e.Object, e.RV}, true
					}
				case <-ctx.Done():
					return Change{}, false
				}
			}
		},
	}, nil
}

// completed is a shallow copy of an object that says what it is.
func (k *Kind) completed(o Object) Object {
	value := reflect.ValueOf(o).Elem()
	out := reflect.New(value.Type())
	out.Elem().Set(value)
	meta := metav1.TypeMeta{Kind: k.Name, APIVersion: k.Version()}
	out.Elem().FieldByName("TypeMeta").Set(reflect.ValueOf(meta))
	return out.Interface().(Object)
}

// Resource is a kind of objects as a client names it.
type Resource struct {
	Plural, Singular string
	Short            []string
	Root             string // of its paths: "/api/v1/"
	Group            string // "" for v1, else as "apps"
	Namespaced       bool
	All              bool   // get all shows it
	Kind             string // as in objects
}

// FolderResources are the kinds other than Pod that come from the folder of manifests.
func Resources() []Resource {
	var list []Resource
	for _, k := range Folder() {
		list = append(list, Resource{k.Resource, k.Singular(), k.Short, k.Root(), k.GroupName(), k.Namespaced, k.All, k.Name})
	}
	return list
}
