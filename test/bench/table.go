package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// columns are the contenders, in the order of the table.
var columns = []string{"podd", "podman", "crun", "runc"}

// row is one line of the table: a value for each contender that was measured, and what podd's must be.
type row struct {
	name, unit string
	cells      map[string]string
	target     string
	verdict    string // "pass", "FAIL" or "" for nothing to judge
}

func newRow(name, unit string) *row { return &row{name: name, unit: unit, cells: map[string]string{}} }

func (r *row) set(contender, value string) *row {
	r.cells[contender] = value
	return r
}

// judge adds a target; a row with several passes when all of them are reached.
func (r *row) judge(reached bool, format string, args ...any) *row {
	if r.target != "" {
		r.target += ", "
	}
	r.target += fmt.Sprintf(format, args...)
	switch {
	case !reached:
		r.verdict = "FAIL"
	case r.verdict == "":
		r.verdict = "pass"
	}
	return r
}

// atMost judges a duration against a fixed limit.
func (r *row) atMost(value, limit time.Duration) *row {
	return r.judge(value <= limit, "<= %s ms", ms(limit))
}

// atMostOf judges a duration against a share of another contender's, when that one was measured.
func (r *row) atMostOf(value, other time.Duration, share float64, words string) *row {
	if other == 0 {
		return r
	}
	return r.judge(float64(value) <= share*float64(other), "%s (%s)", words, ms(time.Duration(share*float64(other))))
}

// print writes the table.
func print(w io.Writer, rows []*row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "what\tunit")
	for _, column := range columns {
		fmt.Fprintf(t, "\t%s", column)
	}
	fmt.Fprintln(t, "\ttarget of podd\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s", r.name, r.unit)
		for _, column := range columns {
			cell := r.cells[column]
			if cell == "" {
				cell = "-"
			}
			fmt.Fprintf(t, "\t%s", cell)
		}
		fmt.Fprintf(t, "\t%s\t%s\n", r.target, r.verdict)
	}
	return t.Flush()
}
