package body

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Of a node only spec.unschedulable can be set, and with it that the next boot ends that: all else is refused by its name.
func TestCordon(t *testing.T) {
	const until = `"metadata":{"annotations":{"podd.dev/uncordon-after-boot":"true"}}`
	for _, c := range []struct{ name, text, want string }{
		{"cordon", `{"spec":{"unschedulable":true}}`, "true false"},
		{"uncordon", `{"spec":{"unschedulable":false}}`, "false false"},
		{"take away", `{"spec":{"unschedulable":null}}`, "false false"},
		{"as kubectl sends it", `{"apiVersion":"v1","kind":"Node","spec":{"unschedulable":true}}`, "true false"},
		{"until the boot", `{` + until + `,"spec":{"unschedulable":true}}`, "true true"},
		{"an uncordon ends at once", `{` + until + `,"spec":{"unschedulable":false}}`, "false false"},
		{"an uncordon by null too", `{` + until + `,"spec":{"unschedulable":null}}`, "false false"},

		{"until the boot alone", `{` + until + `}`, "the patch has no spec.unschedulable"},
		{"nothing", `{}`, "the patch has no spec.unschedulable"},
		{"null", `null`, "the patch has no spec.unschedulable"},
		{"a spec that is null", `{"spec":null}`, "the patch has no spec.unschedulable"},
		{"a spec that is a list", `{"spec":[]}`, "the patch has no spec.unschedulable"},
		{"a word", `{"spec":{"unschedulable":"yes"}}`, "spec.unschedulable must be true or false"},
		{"taints", `{"spec":{"taints":[],"unschedulable":true}}`, "spec.taints cannot be changed here: of a node only spec.unschedulable can"},
		{"labels", `{"metadata":{"labels":{"a":"b"}},"spec":{"unschedulable":true}}`, "metadata cannot be changed here"},
		{"labels beside the annotation", `{"metadata":{"labels":{},"annotations":{"podd.dev/uncordon-after-boot":"true"}},"spec":{"unschedulable":true}}`, "metadata cannot be changed here"},
		{"another annotation", `{"metadata":{"annotations":{"a":"true"}},"spec":{"unschedulable":true}}`, "metadata cannot be changed here"},
		{"two annotations", `{"metadata":{"annotations":{"a":"b","podd.dev/uncordon-after-boot":"true"}},"spec":{"unschedulable":true}}`, "metadata cannot be changed here"},
		{"another value", `{"metadata":{"annotations":{"podd.dev/uncordon-after-boot":"false"}},"spec":{"unschedulable":true}}`, "metadata cannot be changed here"},
		{"metadata that is null", `{"metadata":null,"spec":{"unschedulable":true}}`, "metadata cannot be changed here"},
		{"a status", `{"spec":{"unschedulable":true},"status":{},"zone":1}`, "status cannot be changed here"},
		{"no object", `[]`, "cannot read the patch"},
		{"cut short", `{"spec":{"unschedulable":tr`, "cannot read the patch"},
	} {
		unschedulable, untilBoot, err := Cordon([]byte(c.text))
		got := fmt.Sprint(unschedulable, untilBoot)
		if err != nil {
			got = err.Error()
			if !apierrors.IsBadRequest(err) {
				t.Errorf("%s: %T is no bad request", c.name, err)
			}
			if unschedulable || untilBoot {
				t.Errorf("%s: refused, and cordoned", c.name)
			}
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestDryRun(t *testing.T) {
	for _, c := range []struct {
		values []string
		dry    bool
		err    string
	}{
		{nil, false, ""},
		{[]string{"All"}, true, ""},
		{[]string{"All", "All"}, true, ""},
		{[]string{"all"}, false, `dryRun: Unsupported value: "all": supported values: "All"`},
		{[]string{"All", ""}, false, `dryRun: Unsupported value: "": supported values: "All"`},
	} {
		dry, err := DryRun(c.values)
		if dry != c.dry || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: %v, %v", c.values, dry, err)
		}
	}
}

// The ephemeral containers of a whole pod, or of a patch of one; a field that does not exist is an error, as elsewhere.
func TestEphemeral(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"one", `{"spec":{"ephemeralContainers":[{"name":"debug","image":"tools","targetContainerName":"app"}]}}`, "debug of app"},
		{"of a whole pod", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"app"}],"ephemeralContainers":[{"name":"a"},{"name":"b"}]}}`, "a of , b of "},
		{"none of them", `{"spec":{"ephemeralContainers":[]}}`, ""},
		{"nothing", `{}`, "spec.ephemeralContainers is all that can be set here, and it is not there"},
		{"something else", `{"spec":{"containers":[]}}`, "spec.ephemeralContainers is all that can be set here"},
		{"a field that there is not", `{"spec":{"ephemeralContainers":[{"name":"debug","colour":"red"}]}}`, `cannot read the ephemeral containers: json: unknown field "colour"`},
		{"no list", `{"spec":{"ephemeralContainers":{"name":"debug"}}}`, "cannot read the ephemeral containers: "},
		{"no object", `"pod"`, "cannot read the ephemeral containers: "},
		{"cut short", `{"spec":`, "cannot read the ephemeral containers: "},
	} {
		list, err := Ephemeral([]byte(c.text))
		var words []string
		for _, e := range list {
			words = append(words, e.Name+" of "+e.TargetContainerName)
		}
		got := strings.Join(words, ", ")
		if err != nil {
			got = err.Error()
			if !apierrors.IsBadRequest(err) {
				t.Errorf("%s: %T is no bad request", c.name, err)
			}
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
