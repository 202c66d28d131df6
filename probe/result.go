package probe

// UserAgent is how probes present themselves: as those of the Kubernetes whose API this is, because servers look for it
// to keep probes out of their logs.
const UserAgent = "kube-probe/1.37"

// Result is the answer of one probe.
type Result string

// The results.
const (
	Success Result = "Success"
	// Warning counts as a success that somebody should look at: a redirect that leads elsewhere.
	Warning Result = "Warning"
	Failure Result = "Failure"
	// Unknown says that the probe could not be made; it counts neither way.
	Unknown Result = "Unknown"
)

// Run is how often the same result came in a row, as far as it matters. The zero Run is before the first result.
type Run struct {
	Result Result `json:"result,omitempty"` // Success or Failure
	Count  int    `json:"count,omitempty"`  // up to the threshold of the result
}

// Thresholds are the lengths of a run from which on a result counts.
type Thresholds struct{ Success, Failure int }

func (t Thresholds) of(result Result) int {
	if result == Failure {
		return t.Failure
	}
	return t.Success
}

// next takes one more result in.
func (t Thresholds) next(run Run, result Result) Run {
	switch result {
	case Unknown:
		return run
	case Warning:
		result = Success
	case Success, Failure:
	}
	if run.Result != result {
		return Run{result, 1}
	}
	return Run{result, min(run.Count+1, max(t.of(result), 1))}
}

// Verdict is Success or Failure once a run is long enough, else Unknown: what was true before stays so.
func (t Thresholds) Verdict(run Run) Result {
	if run.Count > 0 && run.Count >= t.of(run.Result) {
		return run.Result
	}
	return Unknown
}
