// Package atomicfile keeps state in files. A file is read without following a link and without waiting for a FIFO, and never
// beyond a limit; it is replaced whole; and what cannot be believed is renamed out of the way, never acted on and never
// thrown away.
package atomicfile
