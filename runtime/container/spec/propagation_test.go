package spec

import "testing"

func TestMountOf(t *testing.T) {
	for path, want := range map[string]string{
		"/proc":            "/proc",
		"/proc/self/attr":  "/proc",
		"/processes":       "/", // begins like a mount point, and is not below it
		"/":                "/",
		"/no/such/folders": "/",
	} {
		if point, _, err := mountOf(path); err != nil || point != want {
			t.Errorf("%s is on %q, want %q; %v", path, point, want, err)
		}
	}
}
