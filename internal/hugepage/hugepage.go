// Package hugepage says which huge pages the machine has, and how many of them are set aside.
// https://docs.kernel.org/admin-guide/mm/hugetlbpage.html
package hugepage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Pools are the machine's, a folder for each size of page.
type Pools string

// Machine is where the kernel has them.
const Machine Pools = "/sys/kernel/mm/hugepages"

// Sizes are the sizes of pages, in bytes, the smallest first; none where the kernel has no huge pages.
func (p Pools) Sizes() []int64 {
	entries, _ := os.ReadDir(string(p))
	var sizes []int64
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), "hugepages-")
		if kib, err := strconv.ParseInt(strings.TrimSuffix(text, "kB"), 10, 64); ok && err == nil {
			sizes = append(sizes, kib<<10)
		}
	}
	slices.Sort(sizes)
	return sizes
}

// SetAside is how many bytes of a size of page are, all pods' together.
func (p Pools) SetAside(size int64) int64 {
	data, err := os.ReadFile(filepath.Join(string(p), fmt.Sprintf("hugepages-%dkB", size>>10), "nr_hugepages"))
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0
	}
	return pages * size
}

// Any says whether pages of any size are set aside.
func (p Pools) Any() bool {
	return slices.ContainsFunc(p.Sizes(), func(size int64) bool { return p.SetAside(size) > 0 })
}

// Name is a size as the files of the controller hugetlb have it: 64KB, 2MB, 1GB.
func Name(size int64) string {
	switch {
	case size >= 1<<30:
		return fmt.Sprintf("%dGB", size>>30)
	case size >= 1<<20:
		return fmt.Sprintf("%dMB", size>>20)
	}
	return fmt.Sprintf("%dKB", size>>10)
}
