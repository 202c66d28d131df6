// Package lab is a small machine in a folder: namespaces and a cgroup of its own, a daemon in them, and hands to
// work it with. The tests of the built binary and the bench are made of it. It knows podd only from outside: its
// command line, its folders, its socket.
package lab
