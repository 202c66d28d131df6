package semver

import "testing"

func TestOf(t *testing.T) {
	for build, want := range map[string]string{
		"v1.2.3": "v1.2.3", "v0.1.0-dev": "v0.1.0-dev", "v0.1.0-4-gabcdef0-dirty": "v0.1.0-4-gabcdef0-dirty", "1.2.3+4.gabcdef": "v1.2.3+4.gabcdef",
		"1.0": "v1.0.0", "68ccfc9": "v0.0.0-dev-68ccfc9", "1234567-dirty": "v0.0.0-dev-1234567-dirty", "unknown": "v0.0.0-dev-unknown",
		"v1.2.3-a b": "v0.0.0-dev-v1-2-3-a-b", "v01.2.3": "v0.0.0-dev-v01-2-3", "": "v0.0.0-dev-",
	} {
		if got := Of(build); got != want {
			t.Errorf("%q is %q, want %q", build, got, want)
		}
	}
}
