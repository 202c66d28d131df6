package api_test

import (
	"context"
	"errors"
	"io"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

// A refusal of the backend keeps its sentence, and gets the code and reason that a client acts on.
func TestRefusals(t *testing.T) {
	sentence := errors.New("image \"x\": a sentence")
	const head = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"image \"x\": a sentence","reason":"`
	for _, tt := range []struct {
		err  error
		code int
		want string
	}{
		{api.AsNotFound(sentence), 404, head + `NotFound","code":404}`},
		{api.AsConflict(sentence), 409, head + `Conflict","code":409}`},
		{api.AsBadRequest(sentence), 400, head + `BadRequest","code":400}`},
	} {
		if !errors.Is(tt.err, sentence) {
			t.Errorf("%d: the error's kind is lost", tt.code)
		}
		f := apitest.New(apitest.Pod("a"))
		f.OnLoad = func(io.Reader, api.ImageLoad) ([]api.ImageInfo, error) { return nil, tt.err }
		f.OnLogs = func(context.Context, string, *corev1.PodLogOptions, io.Writer) error { return tt.err }
		f.OnRemove = func(string) ([]string, error) { return nil, tt.err }
		c := dial(t, f)
		for _, request := range [][2]string{{"POST", "/podd/v1/images"}, {"DELETE", "/podd/v1/images?ref=x"}, {"GET", logPath}} {
			if code, b := ask(t, c, request[0], request[1], "*/*", nil); code != tt.code || b != tt.want+"\n" {
				t.Errorf("%s: got %d %s, want %s", request, code, b, tt.want)
			}
		}
	}
}
