package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// podLog streams a container's log as plain text.
func (s *server) podLog(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	o, err := parseLogOptions(p.Name, r.URL.Query())
	if err != nil {
		return err
	}
	if o.Container, err = chooseContainer(p, o.Container); err != nil {
		return err
	}
	if err := checkLog(p, o); err != nil {
		return err
	}
	out := &logWriter{w: w}
	w.Header().Set("Content-Type", "text/plain")
	if o.Follow {
		// The backend writes, be it nothing, as soon as there is a log to follow.
		out.ctl = http.NewResponseController(w)
	}
	err = s.backend.Logs(r.Context(), p.Namespace, p.Name, o, out)
	if err == nil || r.Context().Err() != nil {
		return nil
	}
	if out.begun {
		// Too late for a status: cutting the connection tells the client that this is not all.
		s.log.Warn("log stream broken", "pod", p.Namespace+"/"+p.Name, "container", o.Container, "err", err)
		panic(http.ErrAbortHandler)
	}
	w.Header().Del("Content-Type")
	return err
}

// logWriter sends what it gets at once when it has a ctl.
type logWriter struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	begun bool
}

func (l *logWriter) begin() {
	l.begun = true
	l.w.WriteHeader(http.StatusOK)
}

func (l *logWriter) Write(b []byte) (int, error) {
	if !l.begun {
		l.begin()
	}
	n, err := l.w.Write(b)
	if err == nil && l.ctl != nil {
		err = l.ctl.Flush()
	}
	return n, err
}

// parseLogOptions reads the query of a log request (corev1.PodLogOptions), and refuses what
// the API server refuses, in its words.
func parseLogOptions(pod string, q url.Values) (*corev1.PodLogOptions, error) {
	o := &corev1.PodLogOptions{
		Container:  q.Get("container"),
		Follow:     isTrue(q.Get("follow")),
		Previous:   isTrue(q.Get("previous")),
		Timestamps: isTrue(q.Get("timestamps")),
	}
	var errs field.ErrorList
	number := func(name string, least int64, want string) *int64 {
		if q.Get(name) == "" {
			return nil
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || n < least {
			errs = append(errs, field.Invalid(field.NewPath(name), q.Get(name), want))
		}
		return &n
	}
	o.TailLines = number("tailLines", 0, "must be greater than or equal to 0")
	o.LimitBytes = number("limitBytes", 1, "must be greater than 0")
	o.SinceSeconds = number("sinceSeconds", 1, "must be greater than 0")
	if v := q.Get("sinceTime"); v != "" {
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			errs = append(errs, field.Invalid(field.NewPath("sinceTime"), v, "must be a time as 2006-01-02T15:04:05Z"))
		}
		o.SinceTime = &metav1.Time{Time: t}
	}
	if o.SinceSeconds != nil && o.SinceTime != nil {
		errs = append(errs, field.Forbidden(field.NewPath(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
	}
	switch v := q.Get("stream"); v {
	case "":
	case corev1.LogStreamStdout, corev1.LogStreamStderr, corev1.LogStreamAll:
		o.Stream = &v
	default:
		errs = append(errs, field.NotSupported(field.NewPath("stream"), v, []string{corev1.LogStreamAll, corev1.LogStreamStdout, corev1.LogStreamStderr}))
	}
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(schema.GroupKind{Kind: "PodLogOptions"}, pod, errs)
	}
	return o, nil
}
