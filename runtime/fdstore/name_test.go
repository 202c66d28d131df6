package fdstore

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"pid/0f3a/web/0":         true,
		strings.Repeat("n", 255): true,
		" ~":                     true,
		"":                       false,
		strings.Repeat("n", 256): false,
		"a:b":                    false,
		"a\nb":                   false,
		"a\x7f":                  false,
		"größe":                  false,
	} {
		if err := checkName(name); (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("checkName(%q) = %v, want ok=%v", name, err, ok)
		}
	}
}
