package boundedjson

import (
	"errors"
	"strings"
	"testing"
)

func TestUnmarshal(t *testing.T) {
	for text, want := range map[string]int{
		`{}`: 1, `[]`: 1, `{"a,{[": [1,2,{"b":"\",,\\"}]}`: 5, `"\\"`: 0, ``: 0,
	} {
		if got := Count([]byte(text)); got != want {
			t.Errorf("%s counts %d, not %d", text, got, want)
		}
	}
	var list []struct{ A, B, C, D string }
	if err := Unmarshal([]byte("["+strings.Repeat("{},", Most/2)+"{}]"), &list); !errors.Is(err, ErrTooMany) || list != nil {
		t.Errorf("too many: %v, %d elements", err, len(list))
	}
	if err := Unmarshal([]byte(`[{"a":"x"},{}]`), &list); err != nil || len(list) != 2 || list[0].A != "x" {
		t.Errorf("a good one: %v, %v", list, err)
	}
	if err := Unmarshal([]byte(`[`), &list); err == nil {
		t.Error("half a document is taken")
	}
}
