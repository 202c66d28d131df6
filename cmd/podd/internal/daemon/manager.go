package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/fdstore"
)

const (
	// stopMargin is what ending podd takes besides the graces of the pods: SIGKILL, unmounting, the last log lines.
	stopMargin = 30 * time.Second
	// lingerFor keeps a service manager that restarts podd at once from doing nothing else.
	lingerFor = 5 * time.Second
	// beatsPerTrim: what telling the watchdog leaves in memory is given back about once an hour.
	beatsPerTrim = 64
)

// announce tells the service manager once that the daemon is ready.
func (d *daemon) announce() func() {
	told := false
	return func() {
		if told {
			return
		}
		told = true
		d.log.Info("podd is ready", "manifests", d.config.Manifests, "socket", d.config.Socket, "cgroup", d.cgroups.Parent())
		d.status = d.describe()
		d.notify(fdstore.Ready, d.status)
	}
}

// notify sends states, which may have failed only when the service manager itself has.
func (d *daemon) notify(states ...string) {
	if err := d.manager.Notify(states...); err != nil {
		d.log.Warn("cannot notify the service manager", "error", err)
	}
}

// handleSignals carries out signals.
func (d *daemon) handleSignals(ctx context.Context, leave func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-d.signals:
			d.log.Info("signal", "signal", s.String())
			switch s {
			case syscall.SIGHUP:
				d.reload(ctx)
			case syscall.SIGUSR1:
				leave()
			default:
				d.stop(ctx)
			}
		}
	}
}

// stop ends all pods and asks for the time that it takes: TimeoutStopSec= of the unit cannot know the pods' graces.
func (d *daemon) stop(ctx context.Context) {
	grace, err := d.runtime.LongestGrace(ctx)
	if err != nil {
		return // podd ends already
	}
	d.notify(fdstore.Stopping, fdstore.ExtendTimeout(grace+stopMargin), fdstore.Status("Ending all pods"))
	d.runtime.StopAll()
}

// feedWatchdog shows the service manager that the loop still comes round, if it asks for that.
func (d *daemon) feedWatchdog(ctx context.Context) {
	interval := d.manager.WatchdogInterval()
	if interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for beats := 1; ; beats++ {
		if err := d.runtime.Beat(ctx); err != nil {
			return
		}
		d.notify(fdstore.Watchdog)
		if beats%beatsPerTrim == 0 {
			d.runtime.Touch()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// rest is called by the runtime when a burst of work is over.
func (d *daemon) rest() {
	if status := d.describe(); status != d.status {
		d.status = status
		d.notify(status)
	}
	heap.rest()
}

// describe is the line that systemctl status shows.
func (d *daemon) describe() string {
	pods, _ := d.runtime.Store().Pods()
	return fdstore.Status(summary(pods, d.refused.get()))
}

func summary(pods []*corev1.Pod, problem string) string {
	phases := map[corev1.PodPhase]int{}
	for _, p := range pods {
		phases[p.Status.Phase]++
	}
	var parts []string
	for _, phase := range []corev1.PodPhase{corev1.PodRunning, corev1.PodPending, corev1.PodSucceeded, corev1.PodFailed} {
		if n := phases[phase]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ToLower(string(phase))))
		}
	}
	text := "No pods"
	if len(parts) > 0 {
		text = "Pods: " + strings.Join(parts, ", ")
	}
	if problem != "" {
		text += "; " + problem
	}
	return text
}

// usageError is the end of a command line that cannot be used.
func usageError(err error) error {
	if err == nil {
		return nil
	}
	return (&daemon{manager: fdstore.FromEnvironment()}).delayExit(err)
}

// delayExit holds up the end of a daemon that cannot start: the service manager starts the next one at once, and that
// would fail as this one. Without a service manager somebody waits for the answer.
func (d *daemon) delayExit(err error) error {
	if !d.manager.Available() {
		return err
	}
	if d.log == nil {
		d.log = newLogger("text", slog.LevelInfo, os.Stderr)
	}
	d.log.Error("podd cannot start", "error", err, "nextTry", lingerFor)
	d.notify(fdstore.Status("Cannot start: " + err.Error()))
	timer := time.NewTimer(lingerFor)
	defer timer.Stop()
	for {
		select {
		case s := <-d.signals:
			if s == syscall.SIGHUP {
				continue
			}
		case <-timer.C:
		}
		return errLogged{}
	}
}

// errLogged ends podd; why is in the log.
type errLogged struct{}

func (errLogged) Error() string { return "podd cannot start: its log says why" }

// ExitCode is podd's.
func (errLogged) ExitCode() int { return 1 }
