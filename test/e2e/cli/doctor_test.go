package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"podd/board"
	"podd/test/harness"
)

// podd doctor judges this machine, which runs all these tests: nothing that podd needs is missing. The daemon says
// what could be better, in its log and in the node's conditions.
func TestDoctor(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	stdout, stderr, code := b.RunCLI("doctor", "--root", b.Root, "--run-dir", b.Run, "--log-dir", b.Logs, "-o", "json")
	var report struct {
		Verdict  board.Verdict
		Findings []board.Finding
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	if report.Verdict != board.Worst(report.Findings) || (report.Verdict == board.Fail) != (code == 1) || len(report.Findings) < 15 {
		t.Errorf("exit %d, verdict %s of %d findings", code, report.Verdict, len(report.Findings))
	}
	for _, f := range report.Findings {
		if f.Verdict == board.Fail {
			t.Errorf("%s: %s", f.Check, f.Reason)
		}
		if f.Verdict != board.OK && f.Remedy == "" {
			t.Errorf("nothing says what to do about %q", f.Reason)
		}
	}
	text, _, _ := b.RunCLI("doctor", "--root", "/proc/podd", "--run-dir", b.Run)
	if !strings.Contains(text, "fail  folder root") {
		t.Errorf("a root on /proc is fine:\n%s", text)
	}
	if report.Verdict != board.OK {
		node := b.CLI("get", "nodes", "-o", "yaml")
		if !strings.Contains(node, "podd.dev/BoardFit") {
			t.Errorf("the node does not say it:\n%s", node)
		}
	}
}
