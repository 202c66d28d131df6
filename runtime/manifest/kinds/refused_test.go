package kinds

import "testing"

// What may be meant by a misspelt kind is a kind that podd acts on.
func TestNames(t *testing.T) {
	for _, name := range names() {
		if name != KindPod && Of(name) == nil {
			t.Errorf("podd has no rules of kind %s", name)
		}
	}
}
