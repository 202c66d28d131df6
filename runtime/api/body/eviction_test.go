package body

import (
	"strings"
	"testing"
)

func TestEviction(t *testing.T) {
	for _, c := range []struct {
		body   string
		dryRun []string
		dry    bool
		grace  int64 // -1: the pod's own
		err    string
	}{
		{`{"metadata":{"name":"web"}}`, nil, false, -1, ""},
		{`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web"},"deleteOptions":{"gracePeriodSeconds":5}}`, nil, false, 5, ""},
		{`{"metadata":{"name":"web"},"deleteOptions":{"gracePeriodSeconds":-3}}`, nil, false, 1, ""},
		{`{"metadata":{"name":"web"}}`, []string{"All"}, true, -1, ""},
		{`{"metadata":{"name":"web"},"deleteOptions":{"dryRun":["All"]}}`, nil, true, -1, ""},
		{`{"metadata":{"name":"web"},"deleteOptions":{"dryRun":["Some"]}}`, nil, false, -1, `dryRun: Unsupported value: "Some"`},
		{`{"metadata":{"name":"web"},"deleteOptions":{"dryRun":["All"]}}`, []string{"None"}, false, -1, "Non-matching dry-run options"},
		{`{"metadata":{"name":"db"}}`, nil, false, -1, "name in URL does not match name in Eviction object"},
		{`{"kind":"Pod","metadata":{"name":"web"}}`, nil, false, -1, "not a Eviction object"},
		{`[]`, nil, false, -1, "cannot read the eviction"},
	} {
		o, err := Eviction([]byte(c.body), "web", c.dryRun)
		if err != nil {
			if c.err == "" || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.body, err)
			}
			continue
		}
		grace := int64(-1)
		if o.GracePeriodSeconds != nil {
			grace = *o.GracePeriodSeconds
		}
		if c.err != "" || grace != c.grace || (len(o.DryRun) > 0) != c.dry {
			t.Errorf("%s: %+v", c.body, o)
		}
	}
}
