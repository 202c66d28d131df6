// Package probe asks containers how they are: over HTTP, TCP, gRPC or with a command, on a schedule.
//
// Network probes are made from inside the pod's network namespace: a socket keeps the namespace that it was made in, so
// that a thread enters only for the moment of making one. An image needs nothing for it.
//
// All probes share one timer and a heap of due times. A goroutine lives only while a probe runs.
package probe
