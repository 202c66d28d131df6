package body

import (
	"fmt"
	"strings"
	"testing"
)

// What kubectl scale, rollout and the like send is understood; all else is refused with what can be set.
func TestWorkload(t *testing.T) {
	for _, c := range []struct{ media, text, want string }{
		{MergePatch, `{"spec":{"replicas":3}}`, "map[replicas:3] false -"},
		{StrategicPatch, `{"spec":{"paused":null}}`, "map[paused:<nil>] false -"},
		{StrategicPatch, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`, "map[] true -"},
		{StrategicPatch, `{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"x","pod-template-hash":"h"}},"spec":{"containers":[{"name":"main"}]}}}}`, "map[] false map[app:x] main"},
		{JSONPatch, `[{"op":"replace","path":"/spec/template","value":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"main"}]}}},{"op":"replace","path":"/metadata/annotations","value":{"a":"b"}}]`, "map[] false map[app:x] main"},
		{JSONPatch, `[{"op":"add","path":"/spec/suspend","value":true},{"op":"remove","path":"/spec/parallelism"}]`, "map[parallelism:<nil> suspend:true] false -"},

		{MergePatch, `{"spec":{"template":{"$patch":"replace"}}}`, "only the annotation"},
		{MergePatch, `{"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}`, "only the annotation"},
		{StrategicPatch, `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"b"}]}}}}`, "only the annotation"},
		{MergePatch, `{"spec":{"selector":null}}`, "spec.selector cannot be changed here"},
		{MergePatch, `{"metadata":{"labels":{"a":"b"}}}`, "only spec.replicas"},
		{MergePatch, `[]`, "cannot read the patch"},
		{JSONPatch, `[{"op":"replace","path":"/metadata/annotations","value":{}}]`, "only spec.replicas"},
		{JSONPatch, `[{"op":"test","path":"/spec/replicas","value":1}]`, `operation "test" is not known here`},
		{JSONPatch, `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"x"}]`, "only spec.replicas"},
		{JSONPatch, `{}`, "cannot read the patch"},
	} {
		p, err := Workload(c.media, []byte(c.text))
		got := fmt.Sprintf("%v %v -", p.Fields, p.Restart)
		if p.Template != nil && err == nil {
			got = fmt.Sprintf("%v %v %v %s", p.Fields, p.Restart, p.Template.Labels, p.Template.Spec.Containers[0].Name)
		}
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}
