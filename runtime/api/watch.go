package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"podd/internal/objectmeta"
	"podd/runtime/api/kinds"
)

// watchRequest is where a watch begins.
type watchRequest struct {
	since   uint64
	initial bool // send what is there as ADDED first
	marked  bool // and a BOOKMARK after that (KEP-3157)
}

// parseWatch reads resourceVersion, sendInitialEvents, resourceVersionMatch and allowWatchBookmarks.
func parseWatch(q url.Values) (watchRequest, error) {
	rv := q.Get("resourceVersion")
	if isTrue(q.Get("sendInitialEvents")) {
		if q.Get("resourceVersionMatch") != string(metav1.ResourceVersionMatchNotOlderThan) {
			return watchRequest{}, BadRequest("sendInitialEvents needs resourceVersionMatch=NotOlderThan")
		}
		return watchRequest{initial: true, marked: isTrue(q.Get("allowWatchBookmarks"))}, nil
	}
	if rv == "" || rv == "0" {
		return watchRequest{initial: true}, nil
	}
	since, err := strconv.ParseUint(rv, 10, 64)
	if err != nil {
		return watchRequest{}, BadRequest("invalid resource version " + strconv.Quote(rv))
	}
	return watchRequest{since: since}, nil
}

// watch streams the changes of what sel selects until the client leaves, lags behind, or
// its timeoutSeconds are over. Between changes nothing runs.
func (s *server) watch(w http.ResponseWriter, r *http.Request, sel *selection) error {
	q := r.URL.Query()
	req, err := parseWatch(q)
	if err != nil {
		return err
	}
	objs, now := sel.kind.List(s.backend)
	if req.initial {
		req.since = now
	}
	source, err := sel.kind.Watch(s.backend, req.since)
	if err != nil {
		return err
	}
	defer source.Stop()
	ctx, cancel := watchContext(r.Context(), q.Get("timeoutSeconds"))
	defer cancel()

	f := newFilter(sel, objs, now)
	out := s.newWatchWriter(w, r, sel.kind)
	if err := out.begin(req, f, objs, now); err != nil {
		return nil // the client is gone
	}
	for {
		c, ok := source.Next(ctx)
		if !ok {
			return nil
		}
		if c, ok = f.filter(c); !ok {
			continue
		}
		if err := out.send(c.Type, c.Obj); err != nil {
			return nil
		}
	}
}

func watchContext(ctx context.Context, timeout string) (context.Context, context.CancelFunc) {
	if n, err := strconv.ParseInt(timeout, 10, 32); err == nil && n > 0 {
		return context.WithTimeout(ctx, time.Duration(n)*time.Second)
	}
	return context.WithCancel(ctx)
}

// watchWriter sends metav1.WatchEvents, each at once.
type watchWriter struct {
	kind  *kinds.Kind
	table *tableRequest // nil: objects
	now   func() time.Time
	enc   *json.Encoder
	ctl   *http.ResponseController
}

func (s *server) newWatchWriter(w http.ResponseWriter, r *http.Request, k *kinds.Kind) *watchWriter {
	out := &watchWriter{kind: k, now: s.now, enc: json.NewEncoder(w), ctl: http.NewResponseController(w)}
	if t, ok := wantsTable(r); ok {
		out.table = t
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	return out
}

// begin sends the headers and, if asked for, what is there.
func (out *watchWriter) begin(req watchRequest, f *filter, objs []kinds.Object, rv uint64) error {
	if req.initial {
		picked := f.selection.pick(objs)
		sortObjects(out.kind, picked)
		for _, o := range picked {
			if err := out.send(watch.Added, o); err != nil {
				return err
			}
		}
	}
	if req.marked {
		mark := out.kind.Blank()
		meta := objectmeta.Of(mark)
		meta.ResourceVersion = formatRV(rv)
		meta.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
		if err := out.send(watch.Bookmark, mark); err != nil {
			return err
		}
	}
	return out.ctl.Flush()
}

// send gives the client writeTimeout to take one change; the deadline is taken back so
// that no timer outlives the write.
func (out *watchWriter) send(t watch.EventType, o kinds.Object) error {
	e := struct {
		Type   watch.EventType `json:"type"`
		Object any             `json:"object"`
	}{t, nil}
	if out.table != nil {
		e.Object = out.table.event(out.kind, t, o, out.now())
	} else {
		e.Object = out.kind.Complete(o)
	}
	if err := out.ctl.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if err := out.enc.Encode(&e); err != nil {
		return err
	}
	if err := out.ctl.Flush(); err != nil {
		return err
	}
	return out.ctl.SetWriteDeadline(time.Time{})
}
