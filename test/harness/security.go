package harness

import (
	"fmt"
	"strings"

	"podd/test/lab"
)

func (b *Board) HasEvent(text string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		events := b.CLI("get", "events")
		return strings.Contains(events, text), fmt.Errorf("no event with %q:\n%s", text, events)
	}))
}
