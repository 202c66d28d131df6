package logind

import (
	"strings"
	"testing"
)

func TestGoDown(t *testing.T) {
	b := newBoard(t)
	if err := Answers(t.Context(), b.Address); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{Reboot, PowerOff} {
		if err := GoDown(t.Context(), b.Address, way); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(b.WentDown(), ","); got != "Reboot,PowerOff" {
		t.Errorf("asked for %s", got)
	}
	b.Preparing(true)
	if err := GoDown(t.Context(), b.Address, Reboot); err == nil || !strings.Contains(err.Error(), "a shutdown is under way") {
		t.Errorf("while a shutdown is under way: %v", err)
	}
	if err := b.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if err := Answers(t.Context(), b.Address); err == nil {
		t.Error("nobody answers, and all is well")
	}
	if err := Answers(t.Context(), "unix:path="+t.TempDir()+"/none"); err == nil || !strings.Contains(err.Error(), "system bus") {
		t.Errorf("without a bus: %v", err)
	}
}
