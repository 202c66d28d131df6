package container_test

// The test binary is its own container init, as the built binary is.
import _ "podd/runtime/container/reexec"
