package nstest

import (
	"os"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// MountsBelow counts the mounts below dir.
func MountsBelow(t testing.TB, dir string) int {
	t.Helper()
	return CountMounts(t, "/proc/thread-self/mountinfo", dir)
}

// CountMounts counts mount points at or below dir in a file of mountinfo.
func CountMounts(t testing.TB, file, dir string) int {
	t.Helper()
	table, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	mounts, err := mountinfo.GetMountsFromReader(table, mountinfo.PrefixFilter(dir))
	if err != nil {
		t.Fatal(err)
	}
	return len(mounts)
}
