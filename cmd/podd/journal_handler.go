package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// journalHandler writes a record as an entry of the journal: its message with all attributes as text, and those
// that one searches for as fields: POD, NAMESPACE and CONTAINER. Others would only fill the flash.
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
	b.WriteString(r.Message)
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
	switch a.Key {
	case "pod":
		namespace, name, ok := strings.Cut(text, "/")
		if !ok {
			namespace, name = "", text
		} else {
			fields = append(fields, journalField{"NAMESPACE", namespace})
		}
		return append(fields, journalField{"POD", name})
	case "container":
		return append(fields, journalField{"CONTAINER", text})
	}
	return fields
}

// quoteIfNeeded keeps a value in one word.
func quoteIfNeeded(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || !unicode.IsPrint(r) }) {
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
