package process

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOffspring(t *testing.T) {
	dir := t.TempDir()
	for _, line := range []string{
		"1 (init) S 0 1 1", "10 (sh) S 1 10 10", "11 (a) S 10 10 10", "12 (own session) S 11 12 12", "13 (its child) R 12 12 12",
		"14 (orphan) S 1 10 10", "15 (zombie) Z 10 10 10", "20 (other) S 1 20 20", "21 (daemon) S 1 21 21",
	} {
		pid, _, _ := strings.Cut(line, " ")
		if err := os.Mkdir(dir+"/"+pid, 0o755); err != nil {
			t.Fatal(err)
		}
		line += strings.Repeat(" 0", 52-len(strings.Fields(strings.NewReplacer("own session", "x", "its child", "x").Replace(line))))
		if err := os.WriteFile(dir+"/"+pid+"/stat", []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for _, v := range Descendants(dir, []int{1, 10, 11, 12, 13, 14, 15, 16, 20, 21}, 10) {
		got = append(got, v.PID)
	}
	if want := []int{10, 11, 12, 13, 14}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
