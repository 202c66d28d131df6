package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"podd/internal/escape"
)

// journalHandler writes a record as an entry of the journal: its message with all attributes as text, and those
// that one searches for as fields: POD, NAMESPACE, POD_UID and CONTAINER. Others would only fill the flash.
type journalHandler struct {
	level  slog.Leveler
	out    *journal
	text   string // attributes of With
	fields []journalField
	group  string // "" or "a.b."
}

// Enabled asks the level anew each time: a reload may change it.
func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle writes one entry.
func (h *journalHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(escape.Line(r.Message))
	b.WriteString(h.text)
	fields := slices.Clip(h.fields)
	r.Attrs(func(a slog.Attr) bool {
		fields = appendAttr(&b, fields, h.group, a)
		return true
	})
	return h.out.write(priority(r.Level), b.String(), fields)
}

// WithAttrs renders a once for all entries.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	var b strings.Builder
	b.WriteString(h.text)
	next.fields = slices.Clip(h.fields)
	for _, a := range attrs {
		next.fields = appendAttr(&b, next.fields, h.group, a)
	}
	next.text = b.String()
	return &next
}

// WithGroup puts name in front of the keys that follow.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.group += name + "."
	}
	return &next
}

// appendAttr writes " key=value" and returns the fields with those of a.
func appendAttr(b *strings.Builder, fields []journalField, group string, a slog.Attr) []journalField {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			fields = appendAttr(b, fields, group, inner)
		}
		return fields
	}
	if a.Key == "" {
		return fields
	}
	text := v.String()
	fmt.Fprintf(b, " %s%s=%s", group, a.Key, quoteIfNeeded(text))
	if group != "" {
		return fields
	}
	return append(fields, fieldsOf(a.Key, text)...)
}

// fieldsOf are the fields that an attribute is worth.
func fieldsOf(key, text string) []journalField {
	switch key {
	case "pod":
		if namespace, name, ok := strings.Cut(text, "/"); ok {
			return []journalField{{"NAMESPACE", namespace}, {"POD", name}}
		}
		return []journalField{{"POD", text}}
	case "uid":
		return []journalField{{"POD_UID", text}}
	case "container":
		return []journalField{{"CONTAINER", text}}
	case "containerID": // UID of the pod, name, attempt; neither has a dot
		if parts := strings.Split(text, "."); len(parts) == 3 {
			return []journalField{{"POD_UID", parts[0]}, {"CONTAINER", parts[1]}}
		}
	}
	return nil
}

// quoteIfNeeded keeps a value in one word, and bytes that are no text from whoever shows it.
func quoteIfNeeded(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '=' || r == utf8.RuneError || !unicode.IsPrint(r)
	}) {
		return strconv.Quote(s)
	}
	return s
}

// priority of syslog for a level.
func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}
