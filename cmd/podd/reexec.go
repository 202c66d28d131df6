package main

// The first process of a container, of an exec and of a shared PID namespace is this binary, started again.
import _ "podd/runtime/container/reexec"
