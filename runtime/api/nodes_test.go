package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"podd/runtime/api/apitest"
)

func TestPatchNode(t *testing.T) {
	const merge = "application/strategic-merge-patch+json"
	client := dial(t, apitest.New())
	for _, c := range []struct {
		media, path, body string
		code              int
		says              string
	}{
		{merge, "board", `{"spec":{"unschedulable":true}}`, 200, `"unschedulable":true`},
		{merge, "board?dryRun=All", `{"spec":{"unschedulable":null}}`, 200, `"unschedulable":true`},
		{merge, "board?dryRun=Some", `{"spec":{"unschedulable":true}}`, 400, `dryRun: Unsupported value`},
		{merge, "board", `{"spec":{"unschedulable":null}}`, 200, `"spec":{}`},
		{merge, "board", `{"spec":{"unschedulable":"no"}}`, 400, "must be true or false"},
		{merge, "board", `{"spec":{"taints":[]}}`, 400, "spec.taints cannot be changed here"},
		{merge, "board", `{"metadata":{"labels":{"a":"b"}}}`, 400, "metadata cannot be changed here"},
		{merge, "board", `{"metadata":{"annotations":{"podd.dev/uncordon-after-boot":"true"}},"spec":{"unschedulable":true}}`, 200, `"podd.dev/uncordon-after-boot":"true"`},
		{merge, "board", `{"spec":{"unschedulable":null}}`, 200, `"spec":{}`},
		{merge, "board", `{"metadata":{"annotations":{"podd.dev/uncordon-after-boot":"false"}},"spec":{"unschedulable":true}}`, 400, "metadata cannot be changed here"},
		{merge, "board", `{"metadata":{"annotations":{"a":"true"}},"spec":{"unschedulable":true}}`, 400, "metadata cannot be changed here"},
		{merge, "board", `{}`, 400, "the patch has no spec.unschedulable"},
		{merge, "board", `[]`, 400, "cannot read the patch"},
		{merge, "other", `{"spec":{"unschedulable":true}}`, 404, "not found"},
		{"application/json-patch+json", "board", `[]`, 415, "unknown format"},
	} {
		req, err := http.NewRequest(http.MethodPatch, "http://podd/api/v1/nodes/"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", c.media)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		code, body := resp.StatusCode, string(data)
		if code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s, want %d %s", c.path, c.body, code, body, c.code, c.says)
		}
	}
}
