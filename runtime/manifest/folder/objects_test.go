package folder

import (
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
)

const goodTemplate = "template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: a/b:1}]}}"

// workload writes an object with a good selector and template; more is added to its spec.
func workload(apiVersion, kind, more string) string {
	selector := "selector: {matchLabels: {app: x}}, "
	if kind == "Job" || kind == "ReplicationController" {
		selector = ""
	}
	spec := selector + goodTemplate
	if kind == "Job" {
		spec = strings.Replace(spec, "spec: {", "spec: {restartPolicy: Never, ", 1)
	}
	if more != "" {
		spec += ", " + more
	}
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: x}\nspec: {" + spec + "}\n"
}

// A field that cannot change is refused with the API server's sentence, and the last version stays.
func TestImmutableWorkload(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{workload("apps/v1", "Deployment", ""), strings.ReplaceAll(workload("apps/v1", "Deployment", ""), "app: x", "app: z"), "spec.selector: Invalid value"},
		{workload("apps/v1", "Deployment", ""), workload("apps/v1", "Deployment", "replicas: 3"), ""},
		{workload("apps/v1", "StatefulSet", "serviceName: a"), workload("apps/v1", "StatefulSet", "serviceName: b"), `spec.serviceName: Invalid value: "b": field is immutable`},
		// What may change of a Job depends on its status, of which files know nothing: its controller says so.
		{workload("batch/v1", "Job", ""), strings.Replace(workload("batch/v1", "Job", ""), "b:1", "b:2", 1), ""},
	} {
		b := newBoard(t)
		b.write("a.yaml", c.before)
		if set := b.scan(); len(set.Problems) > 0 {
			t.Fatal(set.Problems)
		}
		b.write("a.yaml", c.after)
		set := b.scan()
		if c.want == "" && len(set.Problems) > 0 || c.want != "" && (len(set.Problems) != 1 || !strings.Contains(set.Problems[0].Message, c.want) || len(set.Objects) != 1 || !set.Objects[0].Stale) {
			t.Errorf("%s to %s: %v", c.before, c.after, set.Problems)
		}
	}
}

func configMap(name, data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {k: " + data + "}\n"
}

// data lists the values of the ConfigMaps and Secrets of a set.
func dataOf(set manifest.Set) string {
	var list []string
	for _, o := range set.Objects {
		text := o.Kind + "/" + o.Name
		switch v := o.Value.(type) {
		case *corev1.ConfigMap:
			text += "=" + v.Data["k"]
		case *corev1.Secret:
			text += "=" + string(v.Data["k"])
		}
		if o.Stale {
			text += " (stale)"
		}
		list = append(list, text)
	}
	for _, p := range set.Problems {
		list = append(list, p.Reason+" "+p.Kind)
	}
	return strings.Join(list, ", ")
}

func TestObjectsFollowFiles(t *testing.T) {
	b := newBoard(t)
	step := func(want string) {
		t.Helper()
		if got := dataOf(b.scan()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		b.now = b.now.Add(time.Minute)
	}
	b.write("a.yaml", configMap("a", "one"))
	step("ConfigMap/a=one")
	b.write("a.yaml", configMap("a", "[two"))
	step("ConfigMap/a=one (stale), InvalidManifest ConfigMap")
	b.restart() // the last good version outlives podd
	step("ConfigMap/a=one (stale), InvalidManifest ConfigMap")
	b.write("b.yaml", configMap("a", "other"))
	step("ConfigMap/a=one (stale), InvalidManifest ConfigMap, DuplicateConfigMap ConfigMap")
	b.remove("b.yaml")
	b.write("a.yaml", configMap("a", "three")+"immutable: true\n")
	step("ConfigMap/a=three")
	b.write("a.yaml", configMap("a", "four")+"immutable: true\n")
	step("ConfigMap/a=three (stale), ImmutableObject ConfigMap")
	b.write("a.yaml", configMap("a", "four"))
	step("ConfigMap/a=three (stale), ImmutableObject ConfigMap")
	b.write("a.yaml", configMap("a", "three")+"immutable: true\n")
	step("ConfigMap/a=three")
	b.remove("a.yaml")
	step("")
	b.write("a.yaml", configMap("a", "five")+"---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: s}\n---\n"+podYAML("a", "i"))
	step("ConfigMap/a=five, Secret/a=s")
	if set := b.scan(); len(set.Pods) != 1 {
		t.Errorf("%d pods", len(set.Pods))
	}
}

func TestDocumentsOfOtherBoards(t *testing.T) {
	b := newBoard(t)
	b.f = Open(Options{Dir: b.dir, Fits: func(e string) bool {
		return annotation.FitsNode(e, "here", map[string]string{"kubernetes.io/arch": "arm64", "site": "roof"})
	}})
	text := ""
	for _, e := range []string{"here", "there", "there, here", "site=roof", "site in (cellar)", "kubernetes.io/arch=arm64,site", "!site", "site"} {
		text += "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: n" + strconv.Itoa(len(text)) + "\n  annotations: {podd.dev/node: \"" + e + "\"}\ndata: {k: \"" + e + "\"}\n"
	}
	b.write("all.yaml", text)
	b.write("dup.yaml", strings.Replace(configMap("b", "mine"), "{name: b}", "{name: b, annotations: {podd.dev/node: here}}", 1)+
		"---\n"+strings.Replace(configMap("b", "theirs"), "{name: b}", "{name: b, annotations: {podd.dev/node: there}}", 1))
	const want = "ConfigMap/a=here, ConfigMap/a=there, here, ConfigMap/a=site=roof, ConfigMap/a=kubernetes.io/arch=arm64,site, ConfigMap/b=mine"
	if got := dataOf(b.scan()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
