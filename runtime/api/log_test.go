package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/apitest"
)

const logPath = "/api/v1/namespaces/default/pods/a/log"

func TestLog(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	f.OnLogs = func(_ context.Context, _ string, o *corev1.PodLogOptions, w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s tail=%d since=%d limit=%d previous=%t timestamps=%t stream=%s\n",
			o.Container, *o.TailLines, *o.SinceSeconds, *o.LimitBytes, o.Previous, o.Timestamps, *o.Stream)
		return err
	}
	code, b := ask(t, dial(t, f), "GET", logPath+"?tailLines=0&sinceSeconds=5&limitBytes=9&timestamps=true&stream=Stderr", "*/*", nil)
	if want := "app tail=0 since=5 limit=9 previous=false timestamps=true stream=Stderr\n"; code != 200 || b != want {
		t.Errorf("got %d %q", code, b)
	}
}

// Lines of a followed log come at once, and the stream ends with the log.
func TestLogFollow(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	more := make(chan string)
	f.OnLogs = func(_ context.Context, _ string, _ *corev1.PodLogOptions, w io.Writer) error {
		if _, err := w.Write(nil); err != nil {
			return err
		}
		for s := range more {
			if _, err := io.WriteString(w, s); err != nil {
				return err
			}
		}
		return nil
	}
	resp, err := dial(t, f).Get("http://podd" + logPath + "?follow=true") // answers before the first line
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, want := range []string{"one\n", "two\n"} {
		more <- want
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	close(more)
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestLogErrors(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	c := dial(t, f)
	f.OnLogs = func(context.Context, string, *corev1.PodLogOptions, io.Writer) error { return errors.New("disk gone") }
	for _, path := range []string{logPath, logPath + "?follow=true"} {
		if code, b := ask(t, c, "GET", path, "*/*", nil); code != http.StatusInternalServerError || !contains(b, "disk gone") {
			t.Errorf("%s: an error before the first byte: got %d %s", path, code, b)
		}
	}
	f.OnLogs = func(_ context.Context, _ string, _ *corev1.PodLogOptions, w io.Writer) error {
		io.WriteString(w, "half")
		return errors.New("disk gone")
	}
	resp, err := c.Get("http://podd" + logPath + "?follow=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("an error after the first byte is not seen: %q", b)
	}
}

func TestLogWaiting(t *testing.T) {
	waiting := func(reason string) *apitest.Fake {
		return apitest.New(apitest.Pod("a", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0] = apitest.Waiting("app", reason, 0, apitest.Ago(0))
		}))
	}
	for reason, want := range map[string]string{
		"ContainerCreating": "ContainerCreating",
		"ErrImagePull":      "image can't be pulled",
		"ImagePullBackOff":  "trying and failing to pull image",
	} {
		code, b := ask(t, dial(t, waiting(reason)), "GET", logPath, "*/*", nil)
		if msg := `"container \"app\" in pod \"a\" is waiting to start: ` + want + `"`; code != 400 || !contains(b, msg) {
			t.Errorf("%s: got %d %s", reason, code, b)
		}
	}
}
