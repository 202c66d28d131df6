package printers

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"podd/internal/escape"
	"podd/runtime/api"
)

// ImageHistory prints the steps by which an image was built, the last first, with the layers that they have made.
func ImageHistory(w io.Writer, l api.ImageLayers) error {
	var config struct {
		History []struct {
			Created   time.Time `json:"created"`
			CreatedBy string    `json:"created_by"`
			Comment   string    `json:"comment"`
			Empty     bool      `json:"empty_layer"`
		} `json:"history"`
	}
	if len(l.Configuration) == 0 {
		return fmt.Errorf("the configuration of image %s was not kept by the podd that loaded it: load it again", ImageTitle(&l.ImageInfo))
	}
	if err := json.Unmarshal(l.Configuration, &config); err != nil {
		return fmt.Errorf("the history of image %s cannot be read: %w", ImageTitle(&l.ImageInfo), err)
	}
	t := Table{Out: w}
	var rows [][]string
	layer := 0
	for _, h := range config.History {
		size, id := "0B", "<none>"
		if !h.Empty && layer < len(l.Layers) {
			size, id = Size(l.Layers[layer].Size), shortID(l.Layers[layer].DiffID)
			layer++
		}
		by := strings.Join(strings.Fields(h.CreatedBy), " ")
		if h.Comment != "" {
			by = strings.TrimSpace(by + " # " + strings.Join(strings.Fields(h.Comment), " "))
		}
		rows = append(rows, []string{id, created(h.Created), size, by})
	}
	for ; layer < len(l.Layers); layer++ { // whoever has built it has not said how
		rows = append(rows, []string{shortID(l.Layers[layer].DiffID), "<unknown>", Size(l.Layers[layer].Size), ""})
	}
	slices.Reverse(rows)
	t.rows = append([][]string{{"LAYER", "CREATED", "SIZE", "CREATED BY"}}, rows...)
	return t.Flush()
}

// ImageTree prints the layers of an image, the lowest first, each with the other images that have it.
func ImageTree(w io.Writer, l api.ImageLayers) error {
	if _, err := fmt.Fprintf(w, "%s  %s\n", escape.Line(ImageTitle(&l.ImageInfo)), Size(l.ImageInfo.Size)); err != nil {
		return err
	}
	for i, layer := range l.Layers {
		branch := "├── "
		if i == len(l.Layers)-1 {
			branch = "└── "
		}
		shared := ""
		if len(layer.Shared) > 0 {
			shared = "  also in " + strings.Join(layer.Shared, ", ")
		}
		if _, err := fmt.Fprintf(w, "%s%s  %s%s\n", branch, escape.Line(shortID(layer.DiffID)), Size(layer.Size), escape.Line(shared)); err != nil {
			return err
		}
	}
	return nil
}
