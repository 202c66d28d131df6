package decode

import "testing"

func TestQuantityRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"10MB": "; write 10M or 10Mi", "10 Mi": "; write 10Mi", "1.5gb": "; write 1.5G or 1.5Gi", "64kB": "; write 64k or 64Ki", "8K": "; write 8k or 8Ki",
		"2MiB": "; write 2Mi", "lots": "; write for example 100m, 10M or 10Mi", "": "; write for example 100m, 10M or 10Mi",
	} {
		if got := quantityRemedy(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
