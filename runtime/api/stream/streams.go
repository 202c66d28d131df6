package stream

import (
	"io"

	"podd/runtime/api/protocol"
)

// Streams are the ends of an exec session. Stdin is nil when the client asked for none;
// it ends when the client closes it or goes away. Stderr is nil with a terminal. Resize
// is nil without one, holds only the newest size, and is never closed.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Resize         <-chan protocol.Size
}
