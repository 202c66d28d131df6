package hint

import (
	"strings"
	"testing"
)

func TestSentences(t *testing.T) {
	for name, text := range Verbs() {
		if text == "" || strings.HasSuffix(text, ".") || strings.ContainsAny(name, " \n") {
			t.Errorf("%q: %q", name, text)
		}
	}
}
