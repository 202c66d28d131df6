package runtime

import (
	"time"

	"podd/runtime/manifest"
	"podd/runtime/state"
)

// scanPatience is how long the folder of manifests may take to be looked at before podd says that it hangs. It is longer
// than the files of a folder that answers can take that do not (folder.Folder.Scan).
const scanPatience = 15 * time.Second

// scanner is the loop's side of looking at the folder of manifests: one Scan at a time, in a goroutine of its own. One that
// never returns, because the folder's file system does not answer, keeps that goroutine and nothing else.
type scanner struct {
	r              *Runtime
	running, again bool           // again: asked for meanwhile
	began          state.BootTime // since boot
	hangs          bool           // it is past scanPatience, which was told
	seen           bool           // the pods are those of a folder, or of the records where that hangs
	waiting, next  []chan struct{}
}

// begin begins to look at the folder, or again once that is done.
func (s *scanner) begin(now state.Instant) {
	if s.running {
		s.again = true
		return
	}
	s.running, s.began, s.waiting, s.next = true, now.Mono, s.next, nil
	s.r.recheck = 0
	go func() { s.r.inbox.put(msgScanned{s.r.Folder.Scan(now.Wall)}) }()
}

// take takes in what the folder says.
func (s *scanner) take(set manifest.Set, now state.Instant) {
	if s.hangs {
		s.r.Log.Info("the folder of manifests answers again")
	}
	s.running, s.hangs, s.seen = false, false, true
	s.r.takeSet(set, now)
	release(&s.waiting)
	if s.again {
		s.again = false
		s.begin(now)
	}
}

// check says when the folder does not answer. What it said last goes on; at the start that are the pods of the records.
func (s *scanner) check(now state.Instant) {
	if !s.running || s.hangs || now.Mono < s.began.Add(scanPatience) {
		return
	}
	s.hangs = true
	problem := s.r.Folder.Unanswered()
	if s.seen {
		s.r.takeProblems(append(s.r.problems, problem), now)
	} else {
		s.seen = true
		s.r.takeSet(manifest.Set{Pods: LastKnown(s.r.RunDir), Gone: true, Problems: []manifest.Problem{problem}}, now)
	}
	release(&s.waiting)
	release(&s.next)
}

func release(waiting *[]chan struct{}) {
	for _, done := range *waiting {
		close(done)
	}
	*waiting = nil
}

// folderProblem is the sentence about the folder as a whole; "": it can be read.
func folderProblem(problems []manifest.Problem) string {
	text := ""
	for i := range problems {
		if reason := problems[i].Reason; reason == manifest.ReasonFolder || reason == manifest.ReasonHangs {
			text = problems[i].Message
		}
	}
	return text
}
