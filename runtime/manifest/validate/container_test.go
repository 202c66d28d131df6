package validate

import "testing"

func TestStopSignals(t *testing.T) {
	if n := len(stopSignals()); n != 65 {
		t.Errorf("%d signals, the API has 65", n)
	}
}
