// Package fdstore speaks systemd's notification protocol: it keeps file
// descriptors with the service manager so that they outlive this process, takes
// back those that an earlier process left there, and reports readiness.
//
// Without a service manager (no $NOTIFY_SOCKET) every verb is a no-op that
// succeeds: a daemon started from a shell runs the same code.
//
// Sources: man 3 sd_notify, man 3 sd_listen_fds, man 3 sd_watchdog_enabled,
// https://systemd.io/FILE_DESCRIPTOR_STORE.
package fdstore
