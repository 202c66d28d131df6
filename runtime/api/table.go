package api

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"podd/internal/objectmeta"
	"podd/runtime/api/kinds"
	"podd/runtime/manifest/annotation"
)

const metaGroupVersion = "meta.k8s.io/v1"

// tableRequest asks for metav1.Table instead of objects: server-side printing.
type tableRequest struct {
	include metav1.IncludeObjectPolicy
	headed  bool // the columns were sent: later tables of a watch go without
	refused bool // there is a column for the reasons why files were not taken
}

// wantsTable reads the Accept header; the first form that podd knows counts.
func wantsTable(r *http.Request) (*tableRequest, bool) {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, p, err := mime.ParseMediaType(part)
		if err != nil || media != "application/json" && media != "*/*" {
			continue
		}
		switch {
		case p["as"] == "":
			return nil, false
		case p["as"] == "Table" && p["g"] == "meta.k8s.io" && p["v"] == "v1":
			return &tableRequest{include: metav1.IncludeObjectPolicy(r.URL.Query().Get("includeObject"))}, true
		}
	}
	return nil, false
}

// table prints objs.
func (t *tableRequest) table(k *kinds.Kind, meta metav1.ListMeta, objs []kinds.Object, now time.Time) *metav1.Table {
	table := &metav1.Table{
		TypeMeta: metav1.TypeMeta{Kind: "Table", APIVersion: metaGroupVersion},
		ListMeta: meta,
		Rows:     make([]metav1.TableRow, 0, len(objs)),
	}
	table.ColumnDefinitions = k.Columns()
	if !t.headed {
		t.refused = k.Folder && slices.ContainsFunc(objs, func(o kinds.Object) bool { reason, _ := annotation.ProblemOf(o); return reason != "" })
	}
	if t.refused {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{
			Name: "Manifest", Type: "string", Description: "Why the file was not taken; the last good version goes on.",
		})
	}
	for _, o := range objs {
		row := k.Row(o, now)
		if t.refused {
			reason, _ := annotation.ProblemOf(o)
			row.Cells = append(row.Cells, reason)
		}
		row.Object = t.included(k, o)
		table.Rows = append(table.Rows, row)
	}
	return table
}

// event prints the object of one change.
func (t *tableRequest) event(k *kinds.Kind, typ watch.EventType, o kinds.Object, now time.Time) *metav1.Table {
	meta := metav1.ListMeta{ResourceVersion: objectmeta.Of(o).ResourceVersion}
	objs := []kinds.Object{o}
	if typ == watch.Bookmark {
		objs = nil
	}
	table := t.table(k, meta, objs, now)
	if t.headed {
		table.ColumnDefinitions = nil
	}
	t.headed = true
	return table
}

// included is what a row carries beside its cells.
func (t *tableRequest) included(k *kinds.Kind, o kinds.Object) runtime.RawExtension {
	switch t.include {
	case metav1.IncludeNone:
		return runtime.RawExtension{}
	case metav1.IncludeObject:
		return runtime.RawExtension{Object: k.Complete(o)}
	}
	meta := &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: metaGroupVersion},
	}
	if m, ok := o.(metav1.ObjectMetaAccessor).GetObjectMeta().(*metav1.ObjectMeta); ok {
		meta.ObjectMeta = *m
	}
	return runtime.RawExtension{Object: meta}
}
