package probe

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scripted answers as it is told and notes when it was asked.
type scripted struct {
	began   time.Time
	answer  func(n int) Result
	lasts   time.Duration
	mu      sync.Mutex
	at      []time.Duration
	reports []Report
}

func (s *scripted) Check(context.Context) (Result, string) {
	s.mu.Lock()
	n := len(s.at)
	s.at = append(s.at, time.Since(s.began))
	s.mu.Unlock()
	time.Sleep(s.lasts)
	if s.answer == nil {
		return Success, ""
	}
	return s.answer(n), fmt.Sprint(n)
}

// asked are the times of the checks so far, told what was reported.
func (s *scripted) asked() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.at)
}

func (s *scripted) told() []Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reports)
}

func (s *scripted) Report(r Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r)
}

func every(period time.Duration, first time.Duration) Plan {
	return Plan{First: first, Period: period, Timeout: time.Second, Thresholds: Thresholds{Success: 1, Failure: 3}}
}

func seconds(list ...float64) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, time.Duration(s*float64(time.Second)))
	}
	return out
}

func TestPace(t *testing.T) {
	failing := func(int) Result { return Failure }
	for _, tc := range []struct {
		name    string
		subject *scripted
		plan    Plan
		want    []time.Duration
	}{
		{"first delay, then period", &scripted{answer: failing}, every(10*time.Second, 5*time.Second), seconds(5, 15, 25, 35)},
		{"a success moves it once", &scripted{}, withSpread(every(10*time.Second, 0), 3), seconds(0, 10.75, 20.75, 30.75)},
		{"failures keep the pace", &scripted{answer: failing}, withSpread(every(10*time.Second, 0), 3), seconds(0, 10, 20, 30)},
		{"one that lasts longer than its period goes on at once", &scripted{answer: failing, lasts: 15 * time.Second}, every(10*time.Second, 0), seconds(0, 15, 30)},
		{"between two ticks", &scripted{answer: failing}, every(10*time.Second, 5100*time.Millisecond), seconds(5.1, 15.25, 25.25, 35.25)},
		{"a run of an earlier daemon has its place at once", &scripted{}, resumed(withSpread(every(10*time.Second, 0), 3)), seconds(0.75, 10.75, 20.75, 30.75)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s Scheduler
				tc.subject.began = time.Now()
				h := s.Add(tc.subject, tc.plan)
				time.Sleep(39 * time.Second)
				s.Stop(h)
				time.Sleep(time.Minute)
				if !slices.Equal(tc.subject.asked(), tc.want) {
					t.Errorf("asked at %v, want %v", tc.subject.asked(), tc.want)
				}
			})
		})
	}
}

func withSpread(p Plan, spread uint32) Plan {
	p.Spread = spread
	return p
}

func resumed(p Plan) Plan {
	p.Run = Run{Success, 1}
	return p
}

// What goes on as before is not told; each failure and each change is.
func TestNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := []Result{Success, Success, Failure, Failure, Failure, Failure, Unknown, Success, Success, Warning}
		var s Scheduler
		subject := &scripted{answer: func(n int) Result { return script[min(n, len(script)-1)] }}
		h := s.Add(subject, every(time.Second, 0))
		time.Sleep(9*time.Second + 500*time.Millisecond)
		s.Stop(h)
		synctest.Wait()
		var got []string
		for _, r := range subject.told() {
			got = append(got, fmt.Sprintf("%s %s %d", r.Text, r.Result, r.Run.Count))
		}
		want := []string{"0 Success 1", "2 Failure 1", "3 Failure 2", "4 Failure 3", "5 Failure 3", "6 Unknown 3", "7 Success 1", "9 Warning 1"}
		if !slices.Equal(got, want) {
			t.Errorf("reports %q, want %q", got, want)
		}
	})
}

// A hundred probes that begin at once are made in a few waves, and at most four times a second.
func TestWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var s Scheduler
		var subjects []*scripted
		var handles []*Handle
		for i := range 100 {
			subject := &scripted{began: began}
			subjects = append(subjects, subject)
			handles = append(handles, s.Add(subject, withSpread(every(5*time.Second, 0), SpreadOf(fmt.Sprintf("uid/c%d", i)))))
		}
		time.Sleep(60 * time.Second)
		at := map[time.Duration]int{}
		for i, subject := range subjects {
			for _, when := range subject.asked()[1:] {
				at[when]++
			}
			s.Stop(handles[i])
		}
		for when, n := range at {
			if when%tick != 0 {
				t.Errorf("a probe at %v, between two ticks", when)
			}
			if n > 30 {
				t.Errorf("%d of 100 probes at %v", n, when)
			}
		}
	})
}

// Those that are due at once keep their order from wave to wave, whatever order they were put back in: else the time between two
// probes of one would differ by the length of a wave.
func TestOrderInAWave(t *testing.T) {
	var q queue
	for i, n := range rand.Perm(100) {
		heap.Push(&q, &Handle{number: uint64(n), due: time.Duration(i%2) * time.Second})
	}
	last := &Handle{}
	for len(q) > 0 {
		h, _ := heap.Pop(&q).(*Handle)
		if h.due < last.due || h.due == last.due && h.number < last.number {
			t.Fatalf("number %d of %s comes after number %d of %s", h.number, h.due, last.number, last.due)
		}
		last = h
	}
}

// A subject that hangs delays nobody.
func TestHangingSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Scheduler
		hung, well := &scripted{lasts: time.Hour}, &scripted{}
		var handles []*Handle
		for range 20 {
			handles = append(handles, s.Add(hung, every(time.Second, 0)))
		}
		h := s.Add(well, every(time.Second, 0))
		time.Sleep(10*time.Second + time.Millisecond)
		s.Stop(h)
		if len(well.asked()) != 11 {
			t.Errorf("asked %d times in ten seconds", len(well.asked()))
		}
		for _, h := range handles {
			s.Stop(h)
		}
		time.Sleep(time.Hour)
	})
}

// The result of a probe that was running when its subject was stopped is nobody's any more.
func TestStopWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Scheduler
		subject := &scripted{lasts: 2 * time.Second, answer: func(int) Result { return Failure }}
		h := s.Add(subject, every(10*time.Second, 0))
		time.Sleep(time.Second)
		s.Stop(h)
		time.Sleep(time.Minute)
		if len(subject.asked()) != 1 || len(subject.told()) != 0 {
			t.Errorf("asked %d times, %d reports", len(subject.asked()), len(subject.told()))
		}
	})
}
