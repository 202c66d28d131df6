package daemon

import (
	"cmp"
	"context"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/logind"
	"podd/runtime/shutdown"
)

// watchShutdown ends the pods when the machine announces its shutdown, and holds that up meanwhile. A podd that somebody has
// started by hand is no service of the machine, which owes it nothing.
func watchShutdown(ctx context.Context, d *daemon) {
	address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	if address == "" && !d.manager.Available() {
		return
	}
	d.machine = logind.New(logind.Options{
		Bus: cmp.Or(address, logind.DefaultBus), ConfDir: logind.DefaultConfDir, WatchFile: watchFile, Log: d.log,
		EndPods: d.runtime.EndPods, CancelEnd: d.runtime.CancelEnd,
		Event: func(message string) {
			d.events.Record(time.Now(), d.nodeReference(), corev1.EventTypeNormal, "NodeShutdown", message)
		},
	})
	requireDelay(d)
	go d.machine.Run(ctx)
}

// requireDelay says how long a shutdown has to wait by the settings of now.
func requireDelay(d *daemon) {
	if d.machine != nil {
		d.machine.Require(shutdown.Total(d.config.StopGroups()))
	}
}
