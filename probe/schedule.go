package probe

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"
)

// Subject is who is probed.
type Subject interface {
	// Check makes one probe, which ends by the deadline of ctx. The text is the answer or the failure, for people.
	Check(ctx context.Context) (Result, string)
	// Report takes what is news: a failure, a warning, or a change of the run.
	Report(Report)
}

// Report is one result that is news.
type Report struct {
	Result Result
	Text   string
	Run    Run
}

// Plan is when and how often a subject is probed.
type Plan struct {
	First           time.Duration // from now until the first probe
	Period, Timeout time.Duration
	Thresholds
	Run    Run    // what an earlier schedule has counted
	Spread uint32 // a number of its own for each container, the same for its probes
}

// Scheduler probes. The zero value is ready.
type Scheduler struct {
	mu    sync.Mutex
	queue queue
	timer *time.Timer
	base  time.Time // times of the queue count from here
	added uint64
}

// Handle is one subject in the schedule.
type Handle struct {
	plan    Plan
	subject Subject
	number  uint64 // of the order in which they came
	due     time.Duration
	index   int  // in the queue; -1: not in it
	settled bool // it was moved to its place in the period
	stopped bool
}

// Add begins to probe.
func (s *Scheduler) Add(subject Subject, p Plan) *Handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		s.base = time.Now()
		s.timer = time.AfterFunc(time.Hour, s.fire)
		s.timer.Stop()
	}
	s.added++
	h := &Handle{plan: p, subject: subject, number: s.added, settled: p.Run.Count > 0}
	if h.settled {
		// An earlier daemon has probed it: all of them come at once now, and none is in a hurry.
		p.First = max(p.First, offset(p))
	}
	h.due = time.Since(s.base) + p.First
	heap.Push(&s.queue, h)
	s.arm()
	return h
}

// Stop ends the probing of a subject. One probe may still be running; its result is not reported.
func (s *Scheduler) Stop(h *Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.stopped = true
	if h.index >= 0 {
		heap.Remove(&s.queue, h.index)
		s.arm()
	}
}

// arm sets the timer to the earliest due time, or leaves it off.
func (s *Scheduler) arm() {
	if len(s.queue) == 0 {
		s.timer.Stop()
		return
	}
	s.timer.Reset(max(s.queue[0].due-time.Since(s.base), 0))
}

// fire starts what is due.
func (s *Scheduler) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.base)
	for len(s.queue) > 0 && s.queue[0].due <= now {
		h, _ := heap.Pop(&s.queue).(*Handle)
		go s.probe(h)
	}
	s.arm()
}

// probe makes one probe and puts the subject back into the queue.
func (s *Scheduler) probe(h *Handle) {
	result, text := h.subject.Check(until(time.Now().Add(h.plan.Timeout)))
	report, news := s.done(h, result, text)
	if news {
		h.subject.Report(report)
	}
}

func (s *Scheduler) done(h *Handle, result Result, text string) (report Report, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.stopped {
		return Report{}, false
	}
	run := h.plan.next(h.plan.Run, result)
	news = run != h.plan.Run || result != Success
	h.plan.Run = run
	h.due = h.next(time.Since(s.base))
	heap.Push(&s.queue, h)
	s.arm()
	return Report{result, text, run}, news
}

// next is when a probe is due again after one that is over now. It keeps the pace of the plan: one that takes longer
// than its period is made again at once.
func (h *Handle) next(now time.Duration) time.Duration {
	due := h.due + h.plan.Period
	if !h.settled && h.plan.Verdict(h.plan.Run) == Success {
		h.settled = true
		due += offset(h.plan)
	}
	return onGrid(max(due, now), h.plan.Period)
}

// until is a context that ends at a moment, and at nothing else: without a goroutine and without a timer.
type until time.Time

func (u until) Deadline() (time.Time, bool) { return time.Time(u), true }
func (until) Done() <-chan struct{}         { return nil }
func (until) Err() error                    { return nil }
func (until) Value(any) any                 { return nil }

type queue []*Handle

func (q queue) Len() int { return len(q) }

// Less keeps the order of those that are due at once, so that the time between two probes of a subject is its period.
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].due, q[j].due), cmp.Compare(q[i].number, q[j].number)) < 0
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	h, _ := x.(*Handle)
	h.index = len(*q)
	*q = append(*q, h)
}

func (q *queue) Pop() any {
	old := *q
	h := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	h.index = -1
	return h
}
