package describe

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest/annotation"
)

// Object prints an object of any other kind, given as JSON, with its events: as kubectl's generic describer, field by field.
// remark is what podd does with it, if that is not what a cluster does. Of a Secret it shows the sizes.
func Object(w io.Writer, data []byte, remark string, events func(name string) ([]corev1.Event, error), now time.Time) error {
	var head metav1.PartialObjectMetadata
	var fields map[string]any
	for _, into := range []any{&head, &fields} {
		if err := json.Unmarshal(data, into); err != nil {
			return fmt.Errorf("cannot understand the daemon's answer: %w", err)
		}
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	d := &printer{w: tw, now: now}
	d.field(0, "Name", head.Name)
	d.optional("Namespace", head.Namespace)
	d.pairs("Labels", head.Labels, "=")
	annotations := maps.Clone(head.Annotations)
	delete(annotations, annotation.ProblemKey) // the message below says it
	d.pairs("Annotations", annotations, ": ")
	d.field(0, "API Version", head.APIVersion)
	d.field(0, "Kind", head.Kind)
	d.optional("Remark", remark)
	if !head.CreationTimestamp.IsZero() {
		d.field(0, "CreationTimestamp", stamp(head.CreationTimestamp))
	}
	d.manifest(&head)
	if head.APIVersion == "v1" && head.Kind == "Secret" {
		hideData(fields)
	}
	for _, known := range []string{"apiVersion", "kind", "metadata"} {
		delete(fields, known)
	}
	tree(d, 0, fields)
	list, err := events(head.Name)
	if err != nil {
		return err
	}
	d.events(list)
	return tw.Flush()
}

// hideData leaves of a Secret's values their sizes.
func hideData(secret map[string]any) {
	values, _ := secret["data"].(map[string]any)
	for key, v := range values {
		text, _ := v.(string)
		size := base64.StdEncoding.DecodedLen(len(text)) - strings.Count(text, "=")
		values[key] = fmt.Sprintf("%d bytes", size)
	}
	delete(secret, "stringData")
}

// tree prints the fields of a part of an object, by name.
func tree(d *printer, level int, fields map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		branch(d, level, label(key), fields[key])
	}
}

func branch(d *printer, level int, name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		d.line(level, "%s:", name)
		tree(d, level+1, v)
	case []any:
		d.line(level, "%s:", name)
		for _, one := range v {
			if fields, ok := one.(map[string]any); ok {
				tree(d, level+1, fields)
				continue
			}
			d.line(level+1, "%v", scalar(one))
		}
	default:
		d.field(level, name, scalar(v))
	}
}

// scalar is a value as people write it: numbers of JSON are float64 here, and large ones would be shown with an exponent.
func scalar(v any) any {
	switch v := v.(type) {
	case nil:
		return none
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

// label is a field's name as kubectl writes it: defaultBackend becomes Default Backend. What is no field's name but a user's
// own (a file of a ConfigMap, a label) has other signs in it, mostly, and stays.
func label(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return key
	}
	var b strings.Builder
	runes := []rune(key)
	for i, r := range runes {
		upper := unicode.IsUpper(r)
		switch {
		case i == 0:
			r = unicode.ToUpper(r)
		case upper && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
