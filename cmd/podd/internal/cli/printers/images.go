package printers

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"podd/internal/escape"
	"podd/runtime/api"
)

// Images prints a line for each name; an image that has lost its name to a newer one
// is "<none>".
func Images(w io.Writer, list []api.ImageInfo, output string) error {
	switch output {
	case "":
	case "json":
		b, err := json.MarshalIndent(api.ImageList{Items: list}, "", "    ")
		if err != nil {
			return fmt.Errorf("cannot print the images: %w", err)
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	case "name":
		for i := range list {
			for _, n := range list[i].Names {
				fmt.Fprintln(w, escape.Line(n))
			}
		}
		return nil
	default:
		return fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json,name", output)
	}
	t := Table{Out: w}
	head := []string{"IMAGE", "ID", "PLATFORM", "CREATED", "SIZE"}
	signed := slices.ContainsFunc(list, func(i api.ImageInfo) bool { return len(i.SignedBy) > 0 })
	if signed { // without a policy nobody looks
		head = append(head, "SIGNED BY")
	}
	t.rows = append(t.rows, head)
	for i := range list {
		names := list[i].Names
		if len(names) == 0 {
			names = []string{"<none>"}
		}
		for _, n := range names {
			row := []string{n, shortID(list[i].ID), list[i].Platform, created(list[i].Created), Size(list[i].Size)}
			if signed {
				row = append(row, strings.Join(list[i].SignedBy, ","))
			}
			t.rows = append(t.rows, row)
		}
	}
	return t.Flush()
}

// created is the age of an image; builders that want the same bytes each time write 1970.
func created(t time.Time) string {
	if t.Unix() <= 0 {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(t)) + " ago"
}

// shortID is as much of an ID as tells images apart.
func shortID(id string) string {
	const enough = 12
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(enough, len(id))]
}

// ImageTitle names an image for a sentence.
func ImageTitle(img *api.ImageInfo) string {
	if len(img.Names) == 0 {
		return img.ID
	}
	return strings.Join(img.Names, ", ")
}

// Size is a size with three digits: 4.31MB, 120MB.
func Size(n int64) string {
	const step = 1000
	size, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for size >= step && i < len(units)-1 {
		size /= step
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%dB", n)
	}
	return fmt.Sprintf("%.3g%s", size, units[i])
}
