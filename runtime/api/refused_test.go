package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"podd/runtime/api/apitest"
)

// A refused manifest has no containers; every request for one says why.
func TestRefusedPod(t *testing.T) {
	c := dial(t, apitest.New(apitest.Refused("bad", "bad.yaml: line 3: no")))
	const pod = "/api/v1/namespaces/default/pods/bad"
	for _, path := range []string{"GET " + pod + "/log", "GET " + pod + "/log?container=x", "GET " + pod + "/exec?command=x&stdout=true", "DELETE " + pod} {
		method, path, _ := strings.Cut(path, " ")
		code, b := ask(t, c, method, path, "*/*", nil)
		if want := `"message":"pod bad has no containers: its manifest was refused: bad.yaml: line 3: no"`; code != 400 || !contains(b, want) {
			t.Errorf("%s %s: %d %s", method, path, code, b)
		}
	}
}

// A folder full of bad manifests does not bury the list in warnings.
func TestWarningsOfList(t *testing.T) {
	for bad, want := range map[int][]string{
		0: nil,
		2: {"0: no", "1: no"},
		5: {"0: no", "1: no", "2: no", "3: no", "4: no"},
		6: {"0: no", "1: no", "2: no", "3: no", "4: no", "and 1 more; see podd get events"},
		9: {"0: no", "1: no", "2: no", "3: no", "4: no", "and 4 more; see podd get events"},
	} {
		f := apitest.New(apitest.Pod("good"))
		for i := range bad {
			f.Put(apitest.Refused(fmt.Sprint("bad-", i), fmt.Sprint(i, ": no")))
		}
		resp, err := dial(t, f).Get("http://podd/api/v1/pods")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var got []string
		for _, h := range resp.Header.Values("Warning") {
			got = append(got, strings.Trim(strings.TrimPrefix(h, "299 - "), `"`))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d bad: got %q, want %q", bad, got, want)
		}
	}
}
