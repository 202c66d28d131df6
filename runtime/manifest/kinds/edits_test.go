package kinds_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest"
	"podd/runtime/manifest/kinds"
	"podd/runtime/workload/workloadtest"
)

// What of a workload may change, and what is said of what may not, is what the API server's own code says (hack/tools/controllers).
func TestEdits(t *testing.T) {
	data, err := os.ReadFile("../../workload/testdata/edits.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string][]string
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	edits := workloadtest.Edits()
	if len(recorded) != len(edits) {
		t.Errorf("%d edits are recorded of %d", len(recorded), len(edits))
	}
	for _, e := range edits {
		want, ok := recorded[e.Name]
		if !ok {
			t.Errorf("%s is not recorded", e.Name)
			continue
		}
		before, problems := manifest.Parse("before.yaml", []byte(e.Before))
		if len(problems) > 0 {
			t.Errorf("%s: %v", e.Name, problems)
			continue
		}
		got := []string{}
		after, problems := manifest.Parse("after.yaml", []byte(e.After))
		switch {
		case len(problems) > 0: // it is wrong by itself, or podd has not got it
			if len(want) == 0 && problems[0].Reason != manifest.ReasonUnsupported {
				t.Errorf("%s: %v, the API server takes it", e.Name, problems)
			}
			continue
		default:
			got = append(got, sayEdit(t, &e, &before[0], &after[0])...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\nwant\n%q", e.Name, got, want)
		}
	}
}

func sayEdit(t *testing.T, e *workloadtest.Edit, before, after *manifest.Object) (said []string) {
	t.Helper()
	if j, ok := before.Value.(*batchv1.Job); ok && e.Status != "" {
		if err := json.Unmarshal([]byte(e.Status), &j.Status); err != nil {
			t.Fatal(err)
		}
	}
	rules := kinds.Of(before.Kind)
	if rules.Update == nil {
		return nil
	}
	for _, err := range rules.Update(before.Value, after.Value) {
		said = append(said, err.Field+": "+workloadtest.Plain(errorBody(err)))
	}
	return said
}

func errorBody(err *field.Error) string { return err.ErrorBody() }
