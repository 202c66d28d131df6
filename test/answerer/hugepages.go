package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// takeHugePages takes pages one by one and writes into each.
func takeHugePages(count string) {
	most, err := strconv.Atoi(count)
	if err != nil {
		fmt.Fprintln(os.Stderr, "answerer:", err)
		os.Exit(1)
	}
	const size = 2 << 20
	for n := range most {
		page, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB|unix.MAP_HUGE_2MB)
		if err != nil {
			fmt.Printf("%d pages, then %s\n", n, outcome(err))
			return
		}
		page[0] = 1
	}
	fmt.Printf("%d pages\n", most)
}
