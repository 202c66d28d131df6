package harness

import (
	"fmt"
	"strings"

	"podd/test/lab"
)

// CasesDir holds manifests that others wrote; they are not part of the project.
const CasesDir = "../../../../shared/cases/kubernetes-website"

// Until runs a command until what it prints is as asked.
func (b *Board) Until(want func(out string) bool, args ...string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		out, stderr, code := b.RunCLI(args...)
		return code == 0 && want(out), fmt.Errorf("podd %s: %s%s", strings.Join(args, " "), out, stderr)
	}))
}

func Has(words ...string) func(string) bool {
	return func(out string) bool {
		for _, w := range words {
			if !strings.Contains(out, w) {
				return false
			}
		}
		return true
	}
}
