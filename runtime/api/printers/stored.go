package printers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/objectmeta"
	"podd/runtime/api/hub"
)

// notActedOn is what is said of objects that podd stores.
const notActedOn = "stored, not acted on"

// StoredColumns are the columns of a table of objects that podd does not act on.
func StoredColumns() []metav1.TableColumnDefinition {
	return columns([]column{
		{"Name", "Name of the object.", 0},
		{"Remark", "What podd does with it.", 0},
		age,
	})
}

// StoredRow is the row of one of them.
func StoredRow(o hub.Object, now time.Time) metav1.TableRow {
	return metav1.TableRow{Cells: []any{o.GetName(), notActedOn, since(objectmeta.Of(o).CreationTimestamp, now)}}
}
