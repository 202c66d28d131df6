package printers

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
)

// Table prints the server's tables as kubectl does.
type Table struct {
	Out                               io.Writer
	Namespaces, Wide, Labels, Headers bool
	Steady                            bool // a watch: columns keep their widths
	// Kind is shown before the names, as deployment.apps; "": it is not.
	Kind string

	columns []metav1.TableColumnDefinition
	rows    [][]string
	widths  []int
	headed  bool
}

const (
	columnGap = 3 // blanks between columns
	minColumn = 6 // width of a column with its gap
)

func (t *Table) Accept() string { return client.AcceptTable }

// Print takes in a table; flush prints it.
func (t *Table) Print(answer []byte) (int, error) {
	var table metav1.Table
	if err := json.Unmarshal(answer, &table); err != nil {
		return 0, fmt.Errorf("cannot understand the daemon's table: %w", err)
	}
	if len(table.ColumnDefinitions) > 0 {
		t.columns = table.ColumnDefinitions
	}
	for i := range table.Rows {
		row, err := t.row(&table.Rows[i])
		if err != nil {
			return 0, err
		}
		t.rows = append(t.rows, row)
	}
	return len(table.Rows), nil
}

func (t *Table) row(r *metav1.TableRow) ([]string, error) {
	var o metav1.PartialObjectMetadata
	if t.Namespaces || t.Labels {
		if err := json.Unmarshal(r.Object.Raw, &o); err != nil {
			return nil, fmt.Errorf("cannot understand the daemon's table: %w", err)
		}
	}
	var cells []string
	if t.Namespaces {
		cells = append(cells, o.Namespace)
	}
	for i, c := range r.Cells {
		if i < len(t.columns) && t.shows(&t.columns[i]) {
			cell := fmt.Sprint(c)
			if t.Kind != "" && t.columns[i].Format == "name" {
				cell = t.Kind + "/" + cell
			}
			cells = append(cells, cell)
		}
	}
	if t.Labels {
		cells = append(cells, labels.FormatLabels(o.Labels))
	}
	return cells, nil
}

func (t *Table) shows(c *metav1.TableColumnDefinition) bool { return t.Wide || c.Priority == 0 }

// cells shows only the first line of each, and no control characters.
func cells(row []string) []string {
	for i, s := range row {
		if end := strings.IndexAny(s, "\f\n\r"); end >= 0 {
			s = s[:end] + "..."
		}
		row[i] = escape.Line(s)
	}
	return row
}

func (t *Table) header() []string {
	var cells []string
	if t.Namespaces {
		cells = append(cells, "NAMESPACE")
	}
	for i := range t.columns {
		if t.shows(&t.columns[i]) {
			cells = append(cells, strings.ToUpper(t.columns[i].Name))
		}
	}
	if t.Labels {
		cells = append(cells, "LABELS")
	}
	return cells
}

func (t *Table) Flush() error {
	rows := t.rows
	t.rows = nil
	if len(rows) == 0 {
		return nil
	}
	if t.Headers && !t.headed {
		t.headed = true
		rows = append([][]string{t.header()}, rows...)
	}
	if !t.Steady {
		t.widths = nil
	}
	for _, r := range rows {
		t.widen(cells(r))
	}
	var b strings.Builder
	for _, r := range rows {
		t.line(&b, r)
	}
	_, err := io.WriteString(t.Out, b.String())
	return err
}

func (t *Table) widen(row []string) {
	for i, c := range row {
		if i == len(t.widths) {
			t.widths = append(t.widths, minColumn)
		}
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c)+columnGap)
	}
}

func (t *Table) line(b *strings.Builder, row []string) {
	for i, c := range row {
		b.WriteString(c)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(c)))
		}
	}
	b.WriteByte('\n')
}
