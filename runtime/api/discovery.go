package api

import (
	"net/http"
	"runtime"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"podd/runtime/api/kinds"
)

// Kubernetes release whose API objects podd speaks, as /version says it; the minor version
// is that of k8s.io/api.
const (
	apiMajor   = "1"
	apiMinor   = "37"
	apiRelease = "v1.37.0+podd"
)

func serveVersion(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, &version.Info{
		Major:      apiMajor,
		Minor:      apiMinor,
		GitVersion: apiRelease,
		GoVersion:  runtime.Version(),
		Compiler:   runtime.Compiler,
		Platform:   runtime.GOOS + "/" + runtime.GOARCH,
	})
	return nil
}

func serveAPIVersions(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, &metav1.APIVersions{
		TypeMeta: metav1.TypeMeta{Kind: "APIVersions", APIVersion: "v1"},
		Versions: []string{"v1"},
	})
	return nil
}

func serveAPIGroups(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, &metav1.APIGroupList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"},
		Groups:   apiGroups(),
	})
	return nil
}

func serveResources(w http.ResponseWriter, _ *http.Request) error {
	see := metav1.Verbs{"get", "list", "watch"}
	writeJSON(w, http.StatusOK, &metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: "v1",
		APIResources: append(folderResources("v1"), []metav1.APIResource{
			{Name: "events", SingularName: "event", Namespaced: true, Kind: "Event", Verbs: see, ShortNames: []string{"ev"}},
			{Name: "namespaces", SingularName: "namespace", Kind: "Namespace", Verbs: see, ShortNames: []string{"ns"}},
			{Name: "nodes", SingularName: "node", Kind: "Node", Verbs: append(see[:3:3], "patch"), ShortNames: []string{"no"}},
			{Name: "pods", SingularName: "pod", Namespaced: true, Kind: "Pod", Verbs: append(see[:3:3], "delete"), ShortNames: []string{"po"}, Categories: []string{"all"}},
			{Name: "pods/ephemeralcontainers", Namespaced: true, Kind: "Pod", Verbs: metav1.Verbs{"get", "patch", "update"}},
			{Name: "pods/eviction", Namespaced: true, Group: "policy", Version: "v1", Kind: "Eviction", Verbs: metav1.Verbs{"create"}},
			{Name: "pods/attach", Namespaced: true, Kind: "PodAttachOptions", Verbs: metav1.Verbs{"create", "get"}},
			{Name: "pods/exec", Namespaced: true, Kind: "PodExecOptions", Verbs: metav1.Verbs{"create", "get"}},
			{Name: "pods/log", Namespaced: true, Kind: "Pod", Verbs: metav1.Verbs{"get"}},
			{Name: "pods/status", Namespaced: true, Kind: "Pod", Verbs: metav1.Verbs{"get", "patch"}},
		}...),
	})
	return nil
}

// folderResources describes the folder's kinds of one apiVersion.
func folderResources(version string) []metav1.APIResource {
	var list []metav1.APIResource
	for _, k := range kinds.Folder() {
		if k.Version() == version {
			r := metav1.APIResource{
				Name: k.Resource, SingularName: k.Singular(), Namespaced: k.Namespaced, Kind: k.Name,
				Verbs: metav1.Verbs{"get", "list", "watch"}, ShortNames: k.Short,
			}
			if k.All {
				r.Categories = []string{"all"}
			}
			list = append(list, r)
		}
	}
	return list
}

// apiGroups lists the groups other than v1, which has none.
func apiGroups() []metav1.APIGroup {
	groups := []metav1.APIGroup{}
	for _, k := range kinds.Folder() {
		name := k.GroupName()
		if name == "" || slices.ContainsFunc(groups, func(g metav1.APIGroup) bool { return g.Name == name }) {
			continue
		}
		_, version, _ := strings.Cut(k.Group, "/")
		at := metav1.GroupVersionForDiscovery{GroupVersion: k.Group, Version: version}
		groups = append(groups, metav1.APIGroup{Name: name, Versions: []metav1.GroupVersionForDiscovery{at}, PreferredVersion: at})
	}
	return groups
}

func serveGroupResources(w http.ResponseWriter, r *http.Request) error {
	version := r.PathValue("group") + "/" + r.PathValue("version")
	list := folderResources(version)
	if len(list) == 0 {
		return serveUnknown(w, r)
	}
	writeJSON(w, http.StatusOK, &metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version, APIResources: list,
	})
	return nil
}
