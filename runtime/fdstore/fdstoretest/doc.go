// Package fdstoretest stands in for systemd's half of the descriptor store: it
// listens on a notify socket, keeps what is put there, and starts commands that
// get it back, so that a test can kill a daemon and start the next one.
package fdstoretest
