package executor

import (
	"errors"
	"testing"

	"podd/runtime/plan"
)

// TestEveryActionHasAnOutcome: an action that is left out has an outcome of its own type, with the reason.
func TestEveryActionHasAnOutcome(t *testing.T) {
	for _, a := range plan.AllActions() {
		o := OutcomeOf(a, ErrSkipped)
		if o.String() != a.String() || !errors.Is(o.Failure(), ErrSkipped) {
			t.Errorf("%s: the outcome is %s, %v", a, o, o.Failure())
		}
		if StandsAlone(o) != plan.StandsAlone(a) {
			t.Errorf("%s: whether it stands alone differs from its outcome", a)
		}
	}
}
