package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"podd/runtime/api/kinds"
)

// routes maps the paths of the Kubernetes API, and those of podd's own, to handlers.
func (s *server) routes() http.Handler {
	m := http.NewServeMux()
	get := func(path string, h handler) { m.Handle("GET "+path, s.handle(h)) }

	for _, p := range []string{"/healthz", "/livez", "/readyz"} {
		get(p, serveOK)
	}
	get("/version", serveVersion)
	get("/api", serveAPIVersions)
	get("/apis", serveAPIGroups(s.backend))
	get("/apis/{group}", serveAPIGroup(s.backend))
	get("/apis/{group}/{version}", serveGroupResources(s.backend))
	for _, path := range []string{"{resource}", "{resource}/{name}", "namespaces/{ns}/{resource}", "namespaces/{ns}/{resource}/{name}"} {
		get("/apis/{group}/{version}/"+path, serveStored(s))
	}
	get("/api/v1", serveResources)

	get("/api/v1/nodes", s.list(kinds.Nodes()))
	get("/api/v1/nodes/{name}", s.get(kinds.Nodes()))
	m.Handle("PATCH /api/v1/nodes/{name}", s.handle(s.patchNode))
	get("/api/v1/namespaces", s.list(kinds.Namespaces()))
	get("/api/v1/namespaces/{name}", s.get(kinds.Namespaces()))
	for _, k := range []*kinds.Kind{kinds.Pods(), kinds.Events()} {
		get("/api/v1/"+k.Resource, s.list(k))
		get("/api/v1/namespaces/{ns}/"+k.Resource, s.list(k))
		get("/api/v1/namespaces/{ns}/"+k.Resource+"/{name}", s.get(k))
	}
	for _, k := range append(kinds.Served(), kinds.StoredCore()...) {
		get(k.Root()+k.Resource, s.list(k))
		one := k.Root() + k.Resource
		if k.Namespaced {
			one = k.Root() + "namespaces/{ns}/" + k.Resource
			get(one, s.list(k))
		}
		get(one+"/{name}", s.get(k))
	}

	s.workloadRoutes(m)
	const pod = "/api/v1/namespaces/{ns}/pods/{name}"
	get(pod+"/status", s.get(kinds.Pods()))
	m.Handle("PATCH "+pod+"/status", s.handle(s.patchStatus))
	get(pod+"/log", s.podLog)
	get(pod+"/exec", s.podExec)
	get(pod+"/attach", s.podAttach)
	get(pod+"/portforward", s.podForward)
	m.Handle("POST "+pod+"/exec", s.handle(refuseSPDY))
	m.Handle("POST "+pod+"/attach", s.handle(refuseSPDY))
	get(pod+"/ephemeralcontainers", s.get(kinds.Pods()))
	for _, method := range []string{"PATCH ", "PUT "} {
		m.Handle(method+pod+"/ephemeralcontainers", s.handle(func(w http.ResponseWriter, r *http.Request) error { return addEphemeral(s, w, r) }))
	}
	m.Handle("POST "+pod+"/eviction", s.handle(s.evictPod))
	m.Handle("DELETE "+pod, s.handle(s.deletePod))

	get("/.well-known/openid-configuration", s.openIDDiscovery)
	get("/openid/v1/jwks", s.openIDKeys)

	imageServer{s}.routes(m)

	const claim = "namespaces/{ns}/persistentvolumeclaims/{name}"
	m.Handle("DELETE /api/v1/"+claim, s.handle(s.deleteClaim))
	get("/podd/v1/"+claim+"/tar", s.backupClaim)
	m.Handle("PUT /podd/v1/"+claim+"/tar", s.handle(s.restoreClaim))

	m.Handle("/", s.handle(serveUnknown))
	return m
}

type handler func(w http.ResponseWriter, r *http.Request) error

func (s *server) handle(h handler) http.Handler { return route{s, h} }

// route is a handler of a server. It is a type, because closures are compiled anew in each place that they are inlined into.
type route struct {
	*server
	handler
}

// ServeHTTP answers with the metav1.Status of the error that the handler returns.
func (rt route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && !strings.HasPrefix(r.URL.Path, ownPaths) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	var err error
	if rt.reads && !isRead(r.Pattern) {
		err = forbidden("whoever is not in socketGroup may only read, and neither Secrets nor what claims and images hold; run this as root")
	} else {
		err = rt.handler(w, r)
	}
	if err == nil {
		return
	}
	status := statusOf(err)
	rt.log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "code", status.Code, "reason", status.Message)
	writeStatus(w, status)
}

// isRead says whether a route shows what everybody may know who may look at the board at all. It goes by the pattern, and not
// by the path: there is one spelling of it.
func isRead(pattern string) bool {
	method, path, _ := strings.Cut(pattern, " ")
	if pattern == "/" { // of what there is not
		return true
	}
	parts := strings.Split(path, "/")
	switch last := parts[len(parts)-1]; {
	case method != http.MethodGet, slices.Contains(parts, "secrets"), last == "exec", last == "portforward", last == "attach":
		return false
	case strings.HasPrefix(path, ownPaths):
		return path == ownPaths+"images"
	}
	return true
}

// serveUnknown answers for whatever no other path is for.
func serveUnknown(_ http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuseWrite(r.URL.Path)
	}
	return &apierrors.StatusError{ErrStatus: unknownPath(r.URL.Path)}
}

func serveOK(w http.ResponseWriter, _ *http.Request) error {
	fmt.Fprint(w, "ok")
	return nil
}
