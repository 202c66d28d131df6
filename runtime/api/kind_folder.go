package api

import (
	"context"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// folderKinds are the kinds other than Pod that the folder of manifests may hold, and those that podd makes of them.
// A kind is a row here and a file that prints it, print_KIND.go. Names and short names are kubectl's.
func folderKinds() []*kind {
	return append([]*kind{
		{resource: "configmaps", name: "ConfigMap", short: []string{"cm"}, namespaced: true, blank: blankConfigMap, columns: configMapColumns, row: configMapRow},
		{resource: "networkpolicies", name: "NetworkPolicy", group: "networking.k8s.io/v1", short: []string{"netpol"}, namespaced: true, blank: blankNetworkPolicy, columns: networkPolicyColumns, row: networkPolicyRow},
		{resource: "secrets", name: "Secret", namespaced: true, blank: blankSecret, columns: secretColumns, row: secretRow},
		{resource: "persistentvolumeclaims", name: "PersistentVolumeClaim", short: []string{"pvc"}, namespaced: true, blank: blankClaim, columns: claimColumns, row: claimRow},
		{resource: "persistentvolumes", name: "PersistentVolume", short: []string{"pv"}, blank: blankVolume, columns: volumeColumns, row: volumeRow},
		{resource: "storageclasses", name: "StorageClass", short: []string{"sc"}, group: "storage.k8s.io/v1", blank: blankStorageClass, columns: classColumns, row: classRow},
		{resource: "serviceaccounts", name: "ServiceAccount", short: []string{"sa"}, namespaced: true, blank: blankServiceAccount, columns: serviceAccountColumns, row: serviceAccountRow},
		{resource: "services", name: "Service", short: []string{"svc"}, all: true, namespaced: true, blank: blankService, columns: serviceColumns, row: serviceRow},
		{resource: "endpoints", name: "Endpoints", short: []string{"ep"}, namespaced: true, blank: blankEndpoints, columns: endpointsColumns, row: endpointsRow},
		{resource: "endpointslices", name: "EndpointSlice", group: "discovery.k8s.io/v1", namespaced: true, blank: blankEndpointSlice, columns: endpointSliceColumns, row: endpointSliceRow},
	}, workloadKinds()...)
}

// served gives the folder's kinds what they have in common.
func served() []*kind {
	kinds := folderKinds()
	for _, k := range kinds {
		k.folder = true
		k.list = func(b Backend) ([]object, uint64) { return b.Objects(k.name) }
		k.watch = k.watchObjects
		k.complete = k.completed
		if k.fields == nil {
			k.fields = nameFields
		}
	}
	return kinds
}

func nameFields(o object) fields.Set {
	return fields.Set{"metadata.name": o.GetName(), "metadata.namespace": o.GetNamespace()}
}

// watchObjects follows the changes of one kind among those of all.
func (k *kind) watchObjects(b Backend, since uint64) (changes, error) {
	ch, cancel, err := b.WatchObjects(since)
	if err != nil {
		return changes{}, err
	}
	return changes{
		stop: cancel,
		next: func(ctx context.Context) (change, bool) {
			for {
				select {
				case e, ok := <-ch:
					if !ok {
						return change{}, false
					}
					if e.Kind == k.name {
						return change{e.Type, e.Object, e.RV}, true
					}
				case <-ctx.Done():
					return change{}, false
				}
			}
		},
	}, nil
}

// completed is a shallow copy of an object that says what it is.
func (k *kind) completed(o object) object {
	value := reflect.ValueOf(o).Elem()
	out := reflect.New(value.Type())
	out.Elem().Set(value)
	meta := metav1.TypeMeta{Kind: k.name, APIVersion: k.version()}
	out.Elem().FieldByName("TypeMeta").Set(reflect.ValueOf(meta))
	return out.Interface().(object)
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
func FolderResources() []Resource {
	var list []Resource
	for _, k := range folderKinds() {
		list = append(list, Resource{k.resource, k.singular(), k.short, k.root(), k.groupName(), k.namespaced, k.all, k.name})
	}
	return list
}
