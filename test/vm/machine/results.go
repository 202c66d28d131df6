package machine

import (
	"regexp"
	"strings"
)

// Outcome is what became of one test that ran in a machine.
type Outcome struct {
	Name     string // with a / before each subtest's own
	Verdict  string // PASS, FAIL or SKIP; "" if it never ended
	Seconds  string
	Output   []string
	Subtests []*Outcome
}

// Results follows what a test binary writes under -test.v=test2json.
type Results struct {
	Tests  []*Outcome
	Loose  []string // what belongs to no test, such as a panic
	byName map[string]*Outcome
	now    *Outcome
}

// marker begins the lines that the testing package itself writes under -test.v=test2json.
const marker = "\x16"

var verdict = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(([0-9.]+)s\)$`)

// Line takes the next line.
func (r *Results) Line(line string) {
	if at := strings.LastIndex(line, marker); at >= 0 {
		if before := line[:at]; before != "" {
			r.add(before)
		}
		line = line[at+1:]
		if verb, name, ok := strings.Cut(strings.TrimPrefix(line, "=== "), " "); ok && strings.HasPrefix(line, "=== ") {
			name = strings.TrimSpace(name)
			switch strings.TrimSpace(verb) {
			case "RUN", "CONT", "NAME":
				r.now = r.outcome(name)
			}
			return
		}
		if found := verdict.FindStringSubmatch(line); found != nil {
			o := r.outcome(found[2])
			o.Verdict, o.Seconds, r.now = found[1], found[3], o
			return
		}
	}
	r.add(line)
}

func (r *Results) add(line string) {
	if r.now == nil {
		r.Loose = append(r.Loose, line)
		return
	}
	r.now.Output = append(r.now.Output, line)
}

func (r *Results) outcome(name string) *Outcome {
	if name == "" {
		return nil
	}
	if o := r.byName[name]; o != nil {
		return o
	}
	if r.byName == nil {
		r.byName = map[string]*Outcome{}
	}
	o := &Outcome{Name: name}
	r.byName[name] = o
	if parent, _, ok := cutLast(name, "/"); ok && r.byName[parent] != nil {
		r.byName[parent].Subtests = append(r.byName[parent].Subtests, o)
	} else {
		r.Tests = append(r.Tests, o)
	}
	return o
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
