package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tags are those of the Makefile's build.
const tags = "netgo,osusergo,runc_nocriu,nethttpomithttp2"

type goPackage struct {
	ImportPath, Dir            string
	Standard                   bool
	Imports, GoFiles, CgoFiles []string
}

// linked lists all packages of the binary.
func linked(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,Imports,GoFiles,CgoFiles", "-tags", tags, ".")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var list []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func isOurs(path string) bool { return path == "podd" || strings.HasPrefix(path, "podd/") }

// within reports whether a package is path or below it.
func within(pkg, path string) bool { return pkg == path || strings.HasPrefix(pkg, path+"/") }

func TestBannedImports(t *testing.T) {
	banned := map[string]string{
		"github.com/containerd":              "podd is its own runtime",
		"k8s.io/client-go":                   "costs megabytes; a plain HTTP client does",
		"k8s.io/kubernetes":                  "not made to be imported",
		"sigs.k8s.io/controller-runtime":     "podd has no controllers",
		"google.golang.org/grpc":             "costs megabytes; the probe speaks the little that it needs",
		"google.golang.org/protobuf":         "comes only with grpc",
		"k8s.io/apimachinery/pkg/util/proxy": "the API server's, with all that it drags in",
		"os/exec":                            "podd starts no programs of the host",
		"text/template":                      "its reflection keeps every method of the binary alive",
		"html/template":                      "its reflection keeps every method of the binary alive",
	}
	except := map[string][]string{ // dependencies that name a banned package; the linker drops what is not called
		"github.com/containerd": {"github.com/containerd/console"},
	}
	for _, p := range linked(t) {
		for path, why := range banned {
			if within(p.ImportPath, path) && !slices.Contains(except[path], p.ImportPath) && !p.Standard {
				t.Errorf("the binary links %s: %s", p.ImportPath, why)
			}
			if !isOurs(p.ImportPath) {
				continue
			}
			for _, i := range p.Imports {
				if within(i, path) {
					t.Errorf("%s imports %s: %s", p.ImportPath, i, why)
				}
			}
		}
	}
}

// Some dependencies stay behind the one package that tames them.
func TestQuarantine(t *testing.T) {
	only := map[string][]string{
		"github.com/opencontainers/runc":         {"podd/runtime/container", "podd/runtime/container/reexec"},
		"github.com/opencontainers/cgroups":      {"podd/runtime/container", "podd/runtime/container/devicerules", "podd/cgroups"},
		"github.com/opencontainers/runtime-spec": {"podd/runtime/container", "podd/runtime/container/spec", "podd/runtime/container/seccomp"},
		"github.com/moby/profiles":               {"podd/runtime/container/seccomp"},
		"github.com/vishvananda":                 {"podd/netns", "podd/netns/rtnetlink", "podd/netns/nft", "podd/netns/inspect"},
		"github.com/google/nftables":             {"podd/netns", "podd/netns/nft"},
		"github.com/mdlayher":                    {"podd/netns", "podd/netns/nft", "podd/netns/inspect"},
		"github.com/google/go-containerregistry": {"podd/images/registry"},
		"github.com/BurntSushi":                  {"podd/images/registry"},
		"github.com/robfig/cron":                 {"podd/runtime/manifest/schedule"},
		"github.com/klauspost/compress":          {"podd/images/layer", "podd/images/delta", "podd/internal/timezone"},
		"github.com/coder/websocket":             {"podd/runtime/api", "podd/runtime/api/stream", "podd/cmd/podd/internal/client"},
		"tags.cncf.io":                           {"podd/runtime/device/cdi", "podd/runtime/executor"},
		"github.com/spf13":                       {"podd/cmd/podd", "podd/cmd/podd/internal/cli", "podd/cmd/podd/internal/cli/node", "podd/cmd/podd/internal/cli/rollout", "podd/cmd/podd/internal/cli/discovery", "podd/cmd/podd/internal/cli/imageserve", "podd/cmd/podd/internal/config", "podd/cmd/podd/internal/daemon"},
		"filippo.io":                             {"podd/runtime/seal"},
		"github.com/godbus":                      {"podd/cmd/podd/internal/logind"},
		"go.yaml.in":                             {"podd/runtime/manifest/decode"},
		"sigs.k8s.io/yaml":                       {"podd/runtime/manifest/decode", "podd/cmd/podd/internal/cli/printers"},
		"net/http":                               {"podd/runtime/api", "podd/cmd/podd/internal/client", "podd/cmd/podd/internal/cli", "podd/cmd/podd/internal/cli/node", "podd/cmd/podd/internal/cli/rollout", "podd/cmd/podd/internal/daemon", "podd/probe", "podd/images/registry", "podd/images/distribution"},
		"github.com/sirupsen":                    {"podd/runtime/container/reexec"},
		"k8s.io/klog":                            {},
		"github.com/json-iterator":               {},
		"podd/cmd":                               {"podd/cmd/podd", "podd/cmd/podd/internal/cli", "podd/cmd/podd/internal/cli/node", "podd/cmd/podd/internal/cli/rollout", "podd/cmd/podd/internal/cli/discovery", "podd/cmd/podd/internal/cli/imageserve", "podd/cmd/podd/internal/cli/printers", "podd/cmd/podd/internal/daemon"},
		"podd/cmd/podd/internal/daemon":          {"podd/cmd/podd"},
		"k8s.io/apimachinery/pkg/util/validation": {
			"podd/runtime/manifest", "podd/runtime/manifest/decode", "podd/runtime/manifest/validate", "podd/runtime/manifest/kinds", "podd/runtime/manifest/fields",
			"podd/runtime/manifest/annotation", "podd/runtime/manifest/sysctl", "podd/runtime/api", "podd/cmd/podd/internal/config", "podd/runtime", "podd/runtime/runtimeclass", "podd/runtime/controller",
		},
	}
	for _, p := range linked(t) {
		if !isOurs(p.ImportPath) {
			continue
		}
		for path, allowed := range only {
			for _, i := range p.Imports {
				if within(i, path) && !slices.Contains(allowed, p.ImportPath) {
					t.Errorf("%s imports %s, which only %s may", p.ImportPath, i, strings.Join(allowed, " and "))
				}
			}
		}
	}
}

// Leaves import none of ours, so that each can be understood, tested and replaced alone. What they share is in
// internal, which imports only what is there.
func TestLayers(t *testing.T) {
	may := map[string][]string{
		"podd/cmd/podd": {"podd/cmd/podd/internal/cli", "podd/cmd/podd/internal/daemon", "podd/runtime/container/reexec"},
		"podd/cmd/podd/internal/cli": {
			"podd/cmd/podd/internal/client", "podd/cmd/podd/internal/config", "podd/cmd/podd/internal/cli/hint", "podd/cmd/podd/internal/cli/printers",
			"podd/runtime/api", "podd/runtime/manifest", "podd/runtime/seal", "podd/runtime/sandbox", "podd/netns/diagnose", "podd/board", "podd/images",
			"podd/cmd/podd/internal/cli/node", "podd/cmd/podd/internal/cli/rollout", "podd/cmd/podd/internal/cli/discovery",
			"podd/cmd/podd/internal/cli/security",
			"podd/cmd/podd/internal/cli/terminal",
			"podd/cmd/podd/internal/cli/debug",
			"podd/cmd/podd/internal/cli/imageserve",
		},
		"podd/cmd/podd/internal/cli/printers":          {"podd/cmd/podd/internal/client", "podd/runtime/api"},
		"podd/cmd/podd/internal/cli/printers/describe": {"podd/runtime/manifest/annotation", "podd/runtime/manifest/resources"},
		"podd/cmd/podd/internal/cli/hint":              {},
		"podd/cmd/podd/internal/cli/imageserve":        {"podd/cmd/podd/internal/config", "podd/images", "podd/runtime/imagepull"},
		"podd/cmd/podd/internal/cli/debug":             {"podd/images/reference", "podd/runtime/manifest/annotation"},
		"podd/cmd/podd/internal/cli/terminal":          {"podd/runtime/api/protocol"},
		"podd/cmd/podd/internal/cli/node":              {"podd/cmd/podd/internal/client", "podd/cmd/podd/internal/logind"},
		"podd/cmd/podd/internal/cli/rollout":           {"podd/cmd/podd/internal/cli/printers", "podd/cmd/podd/internal/client", "podd/runtime/manifest/annotation"},
		"podd/cmd/podd/internal/cli/discovery":         {"podd/cmd/podd/internal/client"},
		"podd/cmd/podd/internal/cli/security":          {"podd/runtime/container/confinement", "podd/runtime/container/lsm", "podd/runtime/podsecurity", "podd/runtime/manifest/annotation"},
		"podd/cmd/podd/internal/client":                {"podd/runtime/api/protocol"},
		"podd/cmd/podd/internal/config":                {"podd/runtime/shutdown", "podd/images/gc", "podd/images/registry", "podd/images/distribution", "podd/images/trust", "podd/runtime/podsecurity", "podd/runtime/imagepull", "podd/runtime/container/rlimit", "podd/runtime/manifest", "podd/runtime/sandbox/userns", "podd/netns", "podd/board", "podd/runtime/device", "podd/runtime/runtimeclass"},
		"podd/cmd/podd/internal/daemon":                {"podd/cmd/podd/internal/config", "podd/cmd/podd/internal/logind", "podd/runtime", "podd/netns", "podd/cgroups", "podd/images", "podd/board"},
		"podd/cmd/podd/internal/logind":                {},
		"podd/runtime": {
			"podd/netns", "podd/cgroups", "podd/images", "podd/probe", "podd/board",
			"podd/runtime",
		},
		"podd/runtime/state":     {},
		"podd/runtime/imagepull": {"podd/images", "podd/runtime/state", "podd/runtime/plan"},
		"podd/runtime/plan":      {"podd/runtime/state"},
		"podd/runtime/stdio":     {"podd/runtime/container", "podd/runtime/logs"},
		"podd/runtime/rollout": {
			"podd/runtime/state", "podd/runtime/manifest",
		},
		"podd/runtime/storage": {
			"podd/runtime/state", "podd/runtime/manifest", "podd/runtime/objects", "podd/runtime/api", "podd/runtime/executor", "podd/runtime/volume",
		},
		"podd/runtime/sandbox": {
			"podd/runtime/state", "podd/runtime/container", "podd/runtime/manifest", "podd/netns", "podd/cgroups", "podd/runtime/sandbox/userns", "podd/internal",
			"podd/runtime/device", "podd/runtime/sandbox/mcs",
		},
		"podd/runtime/executor": {
			"podd/runtime/state", "podd/runtime/plan", "podd/runtime/status", "podd/runtime/sandbox", "podd/runtime/stdio", "podd/runtime/container",
			"podd/runtime/env", "podd/runtime/logs", "podd/runtime/volume", "podd/images", "podd/cgroups", "podd/runtime/sandbox/userns", "podd/internal",
			"podd/runtime/device", "podd/runtime/manifest/resources",
		},
		"podd/runtime/adoption": {
			"podd/runtime/state", "podd/runtime/executor", "podd/runtime/sandbox", "podd/runtime/container", "podd/runtime/manifest",
		},
		"podd/runtime/folders": {"podd/runtime/state"},
		"podd/runtime/backend": {
			"podd/runtime", "podd/runtime/api", "podd/runtime/event", "podd/runtime/logs", "podd/runtime/node", "podd/runtime/state",
			"podd/runtime/stdio", "podd/runtime/storage", "podd/runtime/volume", "podd/images", "podd/netns",
		},
		"podd/runtime/lifecycle": {
			"podd/runtime/state", "podd/runtime/plan", "podd/runtime/status", "podd/runtime/executor", "podd/runtime/prober", "podd/runtime/rollout",
			"podd/runtime/storage", "podd/runtime/stdio", "podd/runtime/sandbox", "podd/runtime/container", "podd/runtime/volume", "podd/runtime/manifest",
			"podd/images", "podd/probe",
		},
		"podd/runtime/prober":         {"podd/runtime/state", "podd/runtime/stdio", "podd/runtime/container", "podd/probe"},
		"podd/runtime/serviceaccount": {"podd/runtime/manifest", "podd/runtime/objects", "podd/runtime/state", "podd/runtime/token"},
		"podd/runtime/shutdown":       {"podd/runtime/state"},
		"podd/runtime/status":         {"podd/runtime/state", "podd/runtime/plan", "podd/runtime/manifest/annotation"},
		"podd/runtime/node":           {"podd/runtime/container/spec"},
		"podd/runtime/scheduler":      {"podd/runtime/node", "podd/runtime/manifest/resources"},
		"podd/runtime/objects":        {"podd/runtime/api/hub", "podd/runtime/manifest", "podd/runtime/seal", "podd/runtime/state", "podd/runtime/status"},
		"podd/runtime/networkpolicy":  {"podd/netns", "podd/runtime/objects", "podd/runtime/state"}, // what policies mean, in the words of those who act on it
		"podd/runtime/runtimeclass":   {"podd/runtime/state", "podd/runtime/manifest/sysctl"},
		"podd/runtime/env":            {},
		"podd/runtime/seal":           {},
		"podd/runtime/podsecurity":    {},
		"podd/runtime/token":          {},
		"podd/runtime/event":          {},
		"podd/runtime/fdstore":        {},
		"podd/runtime/logs":           {},
		"podd/runtime/service":        {"podd/netns", "podd/runtime/objects", "podd/runtime/state"}, // what Services mean, in the words of those who act on it
		"podd/runtime/volume":         {"podd/runtime/volume/nfs"},
		"podd/runtime/volume/nfs":     {},
		"podd/cgroups":                {},
		"podd/probe":                  {},
		"podd/board":                  {},
		"podd/runtime/sandbox/userns": {},
		"podd/runtime/sandbox/mcs":    {},

		"podd/runtime/manifest": {
			"podd/runtime/manifest/decode", "podd/runtime/manifest/defaults", "podd/runtime/manifest/validate", "podd/runtime/manifest/fields",
			"podd/runtime/manifest/kinds", "podd/runtime/manifest/annotation",
		},
		"podd/runtime/manifest/folder": {
			"podd/runtime/manifest", "podd/runtime/manifest/decode", "podd/runtime/manifest/kinds", "podd/runtime/manifest/annotation",
		},
		"podd/runtime/manifest/kinds": {
			"podd/runtime/manifest/decode", "podd/runtime/manifest/defaults", "podd/runtime/manifest/validate", "podd/runtime/manifest/fields", "podd/runtime/manifest/annotation",
			"podd/runtime/manifest/resources", "podd/runtime/manifest/sysctl", "podd/runtime/manifest/schedule", "podd/runtime/volume/nfs",
		},
		"podd/runtime/manifest/validate": {
			"podd/images/reference", // takes a password out of an image's name
			"podd/runtime/manifest/annotation", "podd/runtime/manifest/decode", "podd/runtime/manifest/fields", "podd/runtime/manifest/resources",
			"podd/runtime/manifest/sysctl",
		},
		"podd/runtime/manifest/fields": {
			"podd/runtime/manifest/annotation", "podd/runtime/manifest/decode", "podd/runtime/manifest/resources", "podd/runtime/manifest/sysctl",
		},
		"podd/runtime/manifest/update": {
			"podd/runtime/manifest/annotation", "podd/runtime/manifest/decode", "podd/runtime/manifest/kinds", "podd/runtime/manifest/resources",
		},
		"podd/runtime/manifest/defaults":   {"podd/runtime/manifest/annotation", "podd/runtime/manifest/resources"},
		"podd/runtime/manifest/decode":     {},
		"podd/runtime/manifest/annotation": {},
		"podd/runtime/manifest/resources":  {},
		"podd/runtime/manifest/sysctl":     {},
		"podd/runtime/manifest/schedule":   {},

		"podd/runtime/api": {
			"podd/runtime/api/protocol", "podd/runtime/api/hub", "podd/runtime/api/kinds", "podd/runtime/api/printers", "podd/runtime/api/stream",
			"podd/runtime/api/body", "podd/runtime/manifest/annotation",
		},
		"podd/runtime/api/protocol": {},
		"podd/runtime/api/body":     {},
		"podd/runtime/api/hub":      {},
		"podd/runtime/api/printers": {"podd/runtime/api/hub"},
		"podd/runtime/api/kinds":    {"podd/runtime/api/hub", "podd/runtime/api/printers", "podd/runtime/manifest/kinds"},
		"podd/runtime/api/stream":   {"podd/runtime/api/protocol"},

		"podd/runtime/container": {
			"podd/runtime/container/spec", "podd/runtime/container/process", "podd/runtime/container/rlimit",
			"podd/runtime/container/devicerules", "podd/runtime/container/cgroupview", "podd/runtime/container/devview",
			"podd/runtime/container/seccomp", "podd/runtime/container/lsm",
			"podd/runtime/device",
		},
		"podd/runtime/container/spec":        {"podd/runtime/container/rlimit"},
		"podd/runtime/container/process":     {},
		"podd/runtime/container/rlimit":      {},
		"podd/runtime/container/devicerules": {},
		"podd/runtime/container/cgroupview":  {},
		"podd/runtime/container/devview":     {},
		"podd/runtime/device":                {},
		"podd/runtime/device/cdi":            {"podd/runtime/manifest/decode"},
		"podd/runtime/container/reexec":      {"podd/runtime/container/cgroupview", "podd/runtime/container/devview", "podd/runtime/container/seccomp/filter"}, // and so it is initialised early

		"podd/runtime/container/seccomp":        {"podd/runtime/container/seccomp/filter"},
		"podd/runtime/container/seccomp/filter": {},
		"podd/runtime/container/confinement":    {},
		"podd/runtime/container/lsm":            {"podd/runtime/manifest/annotation"},

		"podd/runtime/controller": {
			"podd/runtime/workload", "podd/runtime/manifest", "podd/runtime/objects", "podd/runtime/state", "podd/runtime/api/hub",
		},
		"podd/runtime/workload":             {},
		"podd/runtime/workload/deployment":  {"podd/runtime/workload"},
		"podd/runtime/workload/replicaset":  {"podd/runtime/workload"},
		"podd/runtime/workload/statefulset": {"podd/runtime/workload"},
		"podd/runtime/workload/daemonset":   {"podd/runtime/workload", "podd/runtime/node"},
		"podd/runtime/workload/job":         {"podd/runtime/workload"},
		"podd/runtime/workload/cronjob":     {"podd/runtime/workload", "podd/runtime/manifest/schedule"},
		"podd/runtime/workload/disruption":  {"podd/runtime/workload"},

		"podd/netns":           {"podd/netns/rtnetlink", "podd/netns/namespace", "podd/netns/nft", "podd/netns/inspect"},
		"podd/netns/rtnetlink": {},
		"podd/netns/namespace": {"podd/netns/rtnetlink"},
		"podd/netns/procevent": {},
		"podd/netns/nft":       {"podd/netns/rtnetlink"},
		"podd/netns/inspect":   {"podd/netns/rtnetlink", "podd/netns/nft"},
		"podd/netns/dns":       {},                           // what a message is and who answers it has nothing to do with pods
		"podd/netns/diagnose":  {"podd/netns", "podd/board"}, // what board judges

		"podd/images":              {"podd/images/archive", "podd/images/trust", "podd/images/gc", "podd/images/delta", "podd/images/layer", "podd/images/reference", "podd/images/platform", "podd/images/fault"},
		"podd/images/archive":      {"podd/images/layer", "podd/images/trust", "podd/images/reference", "podd/images/platform", "podd/images/fault"},
		"podd/images/layer":        {"podd/images/fault"},
		"podd/images/reference":    {"podd/images/fault"},
		"podd/images/platform":     {"podd/images/fault"},
		"podd/images/gc":           {},
		"podd/images/delta":        {},
		"podd/images/registry":     {},
		"podd/images/distribution": {"podd/images", "podd/images/reference"},
		"podd/images/trust":        {"podd/images/reference", "podd/images/fault"},
		"podd/images/fault":        {},
	}
	for _, p := range linked(t) {
		if !isOurs(p.ImportPath) {
			continue
		}
		allowed, known := may[p.ImportPath]
		if within(p.ImportPath, "podd/internal") {
			allowed, known = []string{}, true
		}
		if !known {
			t.Errorf("%s has no place in the layers yet: say here what it may import", p.ImportPath)
		}
		for _, i := range p.Imports {
			if isOurs(i) && !within(i, "podd/internal") && !slices.ContainsFunc(allowed, func(a string) bool { return within(i, a) }) {
				t.Errorf("%s must not import %s", p.ImportPath, i)
			}
		}
	}
}

// A package is small enough to be read as a whole.
func TestPackagesAreSmall(t *testing.T) {
	const most = 25 // files, without tests
	for _, p := range linked(t) {
		if files := len(p.GoFiles) + len(p.CgoFiles); isOurs(p.ImportPath) && files > most {
			t.Errorf("%s has %d files, more than %d: what in it is a subject of its own?", p.ImportPath, files, most)
		}
	}
}

// A type whose methods are too many to be read at once has more than one subject.
func TestTypesAreSmall(t *testing.T) {
	const most = 40
	for _, p := range linked(t) {
		if !isOurs(p.ImportPath) {
			continue
		}
		for name, n := range countMethods(t, p) {
			if n > most {
				t.Errorf("%s.%s has %d methods, more than %d: what in it is a subject of its own?", p.ImportPath, name, n, most)
			}
		}
	}
}

// countMethods counts the methods that a package declares, by the name of their type.
func countMethods(t *testing.T, p goPackage) map[string]int {
	methods := map[string]int{}
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[receiver(f.Recv.List[0].Type)]++
			}
		}
	}
	return methods
}

// receiver is the name of a receiver's type, be it a pointer or generic.
func receiver(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.StarExpr:
		return receiver(typ.X)
	case *ast.IndexExpr:
		return receiver(typ.X)
	case *ast.IndexListExpr:
		return receiver(typ.X)
	case *ast.Ident:
		return typ.Name
	}
	return ""
}

// Every start of a container runs the initialisers of the whole binary: a regular expression
// that is compiled there is paid each time.
func TestNoRegexpAtStart(t *testing.T) {
	for _, p := range linked(t) {
		if !isOurs(p.ImportPath) {
			continue
		}
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tree.Decls {
				if runsAtStart(d) && compilesRegexp(d) {
					t.Errorf("%s compiles a regular expression when the program starts: do it in a function, or with sync.OnceValue", file)
				}
			}
		}
	}
}

// runsAtStart is about variables of a package and init functions.
func runsAtStart(d ast.Decl) bool {
	switch d := d.(type) {
	case *ast.GenDecl:
		return d.Tok == token.VAR
	case *ast.FuncDecl:
		return d.Recv == nil && d.Name.Name == "init"
	}
	return false
}

func compilesRegexp(d ast.Decl) bool {
	found := false
	ast.Inspect(d, func(n ast.Node) bool {
		if _, later := n.(*ast.FuncLit); later {
			return false
		}
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "regexp" {
					found = true
				}
			}
		}
		return !found
	})
	return found
}
