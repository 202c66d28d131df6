// Package printers turns answers of the daemon into what commands print: tables, YAML, JSON and names as kubectl has them.
package printers

// Printer prints pieces of answers; Flush prints what only the whole can show.
type Printer interface {
	Accept() string // the form of answers that it prints
	Print(answer []byte) (int, error)
	Flush() error
}
