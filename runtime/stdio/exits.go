package stdio

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container/process"
)

// ExitEvents tells of the end of processes, as the process connector does.
type ExitEvents func(ctx context.Context, fn func(pid int, status uint32), pids ...int) error

// exitStatuses keeps the exit statuses of adopted processes on kernels whose pidfds do not: the process
// connector tells them to whoever listens at that moment.
type exitStatuses struct {
	mu       sync.Mutex
	statuses map[int]uint32 // of PIDs that are waited for; absent until known
	wanted   map[int]bool
	told     chan struct{} // replaced at each status
	stop     context.CancelFunc
}

// exitPatience is how long an event may be behind the pidfd that announced the same death.
const exitPatience = 500 * time.Millisecond

// await begins to listen for the end of processes that are not our children. It is called once.
func (e *exitStatuses) await(pids []int, listen ExitEvents, failed func(error)) {
	if len(pids) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.statuses, e.wanted, e.told = map[int]uint32{}, map[int]bool{}, make(chan struct{})
	for _, pid := range pids {
		e.wanted[pid] = true
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	go func() {
		if err := listen(ctx, e.note, pids...); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}()
}

func (e *exitStatuses) note(pid int, status uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.wanted[pid] {
		return
	}
	e.statuses[pid] = status
	close(e.told)
	e.told = make(chan struct{})
}

// take gives the status of a process and forgets it; the listening ends with the last one waited for.
func (e *exitStatuses) take(pid int) (process.ExitStatus, error) {
	deadline := time.NewTimer(exitPatience)
	defer deadline.Stop()
	for {
		e.mu.Lock()
		status, known := e.statuses[pid]
		wanted, told := e.wanted[pid], e.told
		e.mu.Unlock()
		if !wanted {
			return process.ExitStatus{}, process.ErrStatusUnknown
		}
		if known {
			e.forget(pid)
			return process.ParseWaitStatus(status), nil
		}
		select {
		case <-told:
		case <-deadline.C:
			e.forget(pid)
			return process.ExitStatus{}, process.ErrStatusUnknown
		}
	}
}

// forget stops waiting for a process.
func (e *exitStatuses) forget(pid int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.wanted, pid)
	delete(e.statuses, pid)
	if len(e.wanted) == 0 && e.stop != nil {
		e.stop()
		e.stop = nil
	}
}

// pidfdsKeepStatus says whether this kernel's pidfds give the exit status of a reaped process: Linux 6.15.
func pidfdsKeepStatus() bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	major, minor, err := parseRelease(unix.ByteSliceToString(u.Release[:]))
	return err == nil && (major > 6 || major == 6 && minor >= 15)
}

func parseRelease(release string) (major, minor int, err error) {
	parts := strings.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) < 2 {
		return 0, 0, fmt.Errorf("cannot parse kernel release %q", release)
	}
	if major, err = strconv.Atoi(parts[0]); err == nil {
		minor, err = strconv.Atoi(parts[1])
	}
	return major, minor, err
}
