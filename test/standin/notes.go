package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"podd/runtime/fdstore/fdstoretest"
)

// notes is a file of what a command has told; nil: nobody wants to know.
type notes struct{ file *os.File }

func newNotes(path string) (*notes, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	return &notes{f}, err
}

// add writes the assignments of a datagram on one line, sorted, each with a tabulator behind it.
func (n *notes) add(m fdstoretest.Message) {
	if n == nil {
		return
	}
	var line strings.Builder
	for _, key := range slices.Sorted(maps.Keys(m.Fields)) {
		fmt.Fprintf(&line, "%s=%s\t", key, m.Fields[key])
	}
	fmt.Fprintln(n.file, line.String())
}

func (n *notes) close() {
	if n != nil {
		n.file.Close()
	}
}
