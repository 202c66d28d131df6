package annotation

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestValidateLogDriver(t *testing.T) {
	path := field.NewPath("metadata", "annotations")
	for value, want := range map[string]string{
		"file": "", "journald": "",
		"syslog": `metadata.annotations[podd.dev/log-driver]: Unsupported value: "syslog": supported values: "file", "journald"`,
		"":       `metadata.annotations[podd.dev/log-driver]: Unsupported value: "": supported values: "file", "journald"`,
	} {
		got := ""
		if errs := ValidateLogDriver(map[string]string{LogDriverKey: value}, path); len(errs) > 0 {
			got = errs[0].Error()
		}
		if got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
	if errs := ValidateLogDriver(nil, path); len(errs) > 0 {
		t.Error(errs)
	}
}
