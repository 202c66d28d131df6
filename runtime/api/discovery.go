package api

import (
	"net/http"
	"runtime"
	"slices"
	"sort"
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

func serveAPIGroups(b kinds.Source) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		writeJSON(w, http.StatusOK, &metav1.APIGroupList{
			TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"},
			Groups:   apiGroups(b),
		})
		return nil
	}
}

// serveAPIGroup serves one group of those, as discovery by kubectl and client-go asks for it.
func serveAPIGroup(b kinds.Source) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		groups := apiGroups(b)
		i := slices.IndexFunc(groups, func(g metav1.APIGroup) bool { return g.Name == r.PathValue("group") })
		if i < 0 {
			return serveUnknown(w, r)
		}
		groups[i].TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
		writeJSON(w, http.StatusOK, &groups[i])
		return nil
	}
}

func serveResources(w http.ResponseWriter, _ *http.Request) error {
	see := metav1.Verbs{"get", "list", "watch"}
	writeJSON(w, http.StatusOK, &metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: "v1",
		APIResources: append(append(folderResources("v1"), storedResources(kinds.StoredCore(), "v1")...), []metav1.APIResource{
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
			if isWorkload(k) {
				r.Verbs = append(r.Verbs, "patch")
				list = append(list, metav1.APIResource{Name: k.Resource + "/status", Namespaced: true, Kind: k.Name, Verbs: metav1.Verbs{"get"}})
			}
			if scales(k) { // kubectl scale looks for it
				list = append(list, metav1.APIResource{
					Name: k.Resource + "/scale", Namespaced: true, Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: metav1.Verbs{"get", "patch", "update"},
				})
			}
			list = append(list, r)
		}
	}
	return list
}

// storedResources describes the kinds of one apiVersion that podd does not act on. Their category lets them be listed all.
func storedResources(stored []*kinds.Kind, apiVersion string) []metav1.APIResource {
	var list []metav1.APIResource
	for _, k := range stored {
		if k.Version() == apiVersion || slices.Contains(k.Versions, apiVersion) {
			list = append(list, metav1.APIResource{
				Name: k.Resource, SingularName: k.Singular(), Namespaced: k.Namespaced, Kind: k.Name,
				Verbs: metav1.Verbs{"get", "list", "watch"}, ShortNames: k.Short, Categories: []string{kinds.CategoryStored},
			})
		}
	}
	return list
}

// apiGroups lists the groups other than v1, which has none.
func apiGroups(b kinds.Source) []metav1.APIGroup {
	groups := []metav1.APIGroup{}
	for _, k := range append(kinds.Folder(), kinds.Stored(b)...) {
		name := k.GroupName()
		if name == "" {
			continue
		}
		i := slices.IndexFunc(groups, func(g metav1.APIGroup) bool { return g.Name == name })
		if i < 0 {
			i, groups = len(groups), append(groups, metav1.APIGroup{Name: name})
		}
		g := &groups[i]
		for _, served := range append([]string{k.Group}, k.Versions...) {
			_, v, _ := strings.Cut(served, "/")
			at := metav1.GroupVersionForDiscovery{GroupVersion: served, Version: v}
			if !slices.Contains(g.Versions, at) {
				g.Versions = append(g.Versions, at)
			}
		}
		sort.Slice(g.Versions, func(i, j int) bool {
			return version.CompareKubeAwareVersionStrings(g.Versions[i].Version, g.Versions[j].Version) > 0
		})
		g.PreferredVersion = g.Versions[0]
	}
	return groups
}

func serveGroupResources(b kinds.Source) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		apiVersion := r.PathValue("group") + "/" + r.PathValue("version")
		list := append(folderResources(apiVersion), storedResources(kinds.Stored(b), apiVersion)...)
		if len(list) == 0 {
			return serveUnknown(w, r)
		}
		writeJSON(w, http.StatusOK, &metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: apiVersion, APIResources: list,
		})
		return nil
	}
}

// serveStored serves a list, or one object, of a kind that podd does not act on.
func serveStored(s *server) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		k := kinds.FindStored(s.backend, r.PathValue("group")+"/"+r.PathValue("version"), r.PathValue("resource"))
		ns, name := r.PathValue("ns"), r.PathValue("name")
		switch {
		case k == nil, !k.Namespaced && ns != "", k.Namespaced && ns == "" && name != "":
			return serveUnknown(w, r)
		case name != "":
			return s.get(k)(w, r)
		}
		return s.list(k)(w, r)
	}
}
