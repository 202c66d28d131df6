package imagepull

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"podd/images"
	"podd/images/imagetest"
)

// An index gives each board the newest code that it runs: a newer ARM runs that of the older ones, a 64-bit one that of the
// 32-bit ones, and what is made for it always goes first, wherever in the index it stands.
func TestBoardsTakeTheVariantThatFits(t *testing.T) {
	b := newBoard(t)
	for _, c := range []struct {
		board, index, want string // "": nothing in the index runs on the board
	}{
		{"linux/arm64", "arm/v5 arm/v6 arm/v7 arm/v8 arm64/v8", "linux/arm64"},
		{"linux/arm64", "arm/v5 arm/v6 arm/v7 arm/v8", "linux/arm/v8"},
		{"linux/arm64", "arm/v5 arm/v7 amd64 arm/v6", "linux/arm/v7"},
		{"linux/arm64", "arm/v7", "linux/arm/v7"},
		{"linux/arm64", "arm/v5 arm/v6", "linux/arm/v6"},
		{"linux/arm64/v8", "arm/v5", "linux/arm/v5"},
		{"linux/arm64", "amd64 arm/8v", ""},
		{"linux/arm/v7", "arm64 arm/v8 arm/v5 arm/v6 arm/v7", "linux/arm/v7"},
		{"linux/arm/v7", "arm/v5 arm/v6", "linux/arm/v6"},
		{"linux/arm/v7", "arm", "linux/arm/v7"}, // docker's old images for 32-bit ARM say no variant
		{"linux/arm/v7", "arm64 arm/v8", ""},
		{"linux/arm/v6", "arm/v7 arm/v6 arm/v5", "linux/arm/v6"},
		{"linux/arm/v6", "arm/v7 arm/v5", "linux/arm/v5"},
		{"linux/arm/v6", "arm arm/v7", ""},
		{"linux/arm/v5", "arm/v6 arm/v5", "linux/arm/v5"},
		{"linux/amd64", "386 amd64", "linux/amd64"},
		{"linux/amd64", "arm64 386", "linux/386"},
	} {
		tag := strings.NewReplacer("/", ".", " ", "-").Replace(c.board + " " + c.index)
		var list []imagetest.Image
		for have := range strings.FieldsSeq(c.index) {
			img := small()
			img.Names = []string{"app:1"}
			img.Architecture, img.Variant, _ = strings.Cut(have, "/")
			list = append(list, img)
		}
		if len(list) == 1 { // else it were no index
			list = append(list, imagetest.Image{Names: list[0].Names, Architecture: "s390x", Layers: small().Layers})
		}
		b.reg.Add(t, "app", tag, list...)
		got := b.puller.Pull(t.Context(), Request{Image: b.host + "/app:" + tag, Platform: c.board, ByHand: true})
		if c.want == "" {
			if !errors.Is(got.Err, images.ErrPlatform) {
				t.Errorf("%s of %s: %v, %s", c.board, c.index, got.Err, got.Image.Platform)
			}
			continue
		}
		if got.Err != nil || got.Image.Platform != c.want {
			t.Errorf("%s of %s: got %q, want %q: %v", c.board, c.index, got.Image.Platform, c.want, got.Err)
		}
		if found := slices.Clone(b.store.List()); len(found) != 1 {
			t.Errorf("%s of %s: %d images came", c.board, c.index, len(found))
		}
		if _, err := b.store.Remove(got.Image.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
}
