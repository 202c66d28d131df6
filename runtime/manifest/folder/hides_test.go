package folder

import (
	"strings"
	"testing"
	"time"

	"podd/runtime/manifest"
)

const configured = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers: [{name: main, image: busybox}]
`

// A daemon that died knows the pods that ran from its records, and the rest of a bad file from what was kept of it.
func TestLastGoodObjectsOutliveTheDaemon(t *testing.T) {
	b := newBoard(t)
	b.write("web.yaml", configured)
	good := b.scan()
	b.write("web.yaml", "bad: [")
	b.scan()
	for range 2 {
		b.restart(good.Pods...)
		set := b.scan()
		if len(set.Pods) != 1 || len(set.Objects) != 2 || !set.Pods[0].Stale || !set.Objects[0].Stale {
			t.Fatalf("after a restart there are %d pods and %d other objects: %+v", len(set.Pods), len(set.Objects), set)
		}
		if since := set.Objects[0].Since; !since.Equal(good.Objects[0].Since) {
			t.Errorf("the ConfigMap is there since %s, not %s", since, good.Objects[0].Since)
		}
	}
	b.write("web.yaml", configured)
	if set := b.scan(); len(set.Pods) != 1 || len(set.Objects) != 2 || len(set.Problems) != 0 || set.Objects[0].Stale {
		t.Errorf("the repaired file is %+v", set)
	}
}

// The apiVersion of a kind that podd knows may be wrong: the object stays as it was.
func TestBadVersionOfAKnownKindKeepsIt(t *testing.T) {
	for _, kind := range []string{"PersistentVolumeClaim", "ConfigMap"} {
		b := newBoard(t)
		b.write("web.yaml", configured)
		b.scan()
		b.write("web.yaml", strings.Replace(configured, "apiVersion: v1\nkind: "+kind, "apiVersion: v9\nkind: "+kind, 1))
		if set := b.scan(); len(set.Objects) != 2 || len(set.Problems) != 1 {
			t.Errorf("%s: %d objects are left: %+v", kind, len(set.Objects), set.Problems)
		}
	}
}

func TestHides(t *testing.T) {
	for name, c := range map[string]struct {
		text               string
		age                time.Duration
		claim, other, pods bool
	}{
		"nothing wrong":             {"", time.Hour, false, false, false},
		"cannot be parsed":          {"bad: [", time.Hour, true, true, true},
		"still written":             {"bad: [", 0, true, true, true},
		"a bad claim":               {"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {bad: 1}\n", time.Hour, true, false, false},
		"a claim of a bad version":  {"apiVersion: v9\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n", time.Hour, true, false, false},
		"a bad pod of the name":     {"apiVersion: v1\nkind: Pod\nmetadata: {name: data}\nspec: {bad: 1}\n", time.Hour, false, false, true},
		"a kind that podd lacks":    {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: data}\n", time.Hour, false, false, false},
		"an object without a name":  {"apiVersion: v1\nkind: PersistentVolumeClaim\nspec: {bad: 1}\n", time.Hour, true, true, false},
		"a pod without a name":      {"apiVersion: v1\nkind: Pod\nspec: {bad: 1}\n", time.Hour, false, false, true},
		"a bad claim of other name": {"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: other}\nspec: {bad: 1}\n", time.Hour, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			if c.text != "" {
				b.writeAged("a.yaml", c.text, c.age)
			}
			set := b.f.Scan(b.now)
			if claim, other, pods := set.Hides("PersistentVolumeClaim", "default", "data"), set.Hides("PersistentVolumeClaim", "default", "other"), set.Hides("Pod", "", ""); claim != c.claim || other != c.other || pods != c.pods {
				t.Errorf("hides the claim %v, another %v, pods %v; want %v, %v, %v; problems: %+v", claim, other, pods, c.claim, c.other, c.pods, set.Problems)
			}
		})
	}
	gone := manifest.Set{Gone: true}
	if !gone.Hides("Pod", "default", "web") {
		t.Error("a folder that is away hides nothing")
	}
}
