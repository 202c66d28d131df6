// Package board says what this machine is, and whether podd can do its work on it: one check a file, each with a
// verdict, the reason, and the remedy for this board. It reads /proc, /sys and the like below a root that tests
// replace, and is told by its caller what only system calls know.
package board
