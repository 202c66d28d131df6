// Package logs writes what containers say on stdout and stderr into the CRI log
// files that shippers and kubectl know, and reads them back.
//
// # Exactly once
//
// The daemon may be killed between any two instructions, so nothing may live in
// its memory alone. A line goes pipe → spool → log:
//
//   - splice(2) moves bytes from the pipe into a spool file on tmpfs. The kernel
//     ends that call before it looks at signals, also SIGKILL, so that the size of
//     the spool always says what has left the pipe.
//   - The state file, one mapped page, says up to where the spool is in the log.
//     It holds two versions and a word that names the valid one: storing that word
//     is the only moment at which a state changes.
//   - Before a write to the log the state gets an intent: which file, from which
//     offset, how many bytes, and how far the spool is then read. Whoever finds an
//     intent compares it with the size of the file: all there is accepted, less is
//     cut off and written anew.
//
// This is about the death of the process. At a loss of power the containers are
// gone too, and the log has what the filesystem had written.
//
// # Full disk
//
// A log that cannot be written blocks no container: up to SinkConfig.SpoolMax
// bytes of a stream wait in the spool, then the oldest lines are dropped, and the
// first line that can be written again says how many bytes that were. If the
// spool's own filesystem is full, the stream goes from the pipe straight to the
// log, and only then can a kill cost or tear what is on its way.
//
// # Rest
//
// A sink at rest costs a struct of a few hundred bytes: descriptors and mappings
// belong to the few sinks used last, buffers to all of them together.
package logs
