package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"

	dockerref "github.com/distribution/reference"
)

var errorPath = regexp.MustCompile(`(?:^|[\[ ,])([a-zA-Z][^ :,]*(?:\{[^}]*\})?): (Required value|Invalid value|Forbidden|Duplicate value|Unsupported value|Not found|Too long|Too many|Internal error)`)

type group struct {
	key      string
	count    int
	examples []*mutation
	detail   string
}

var indexes = regexp.MustCompile(`\[\d+\]`)

func normal(p string) string { return indexes.ReplaceAllString(p, "[]") }

func report(out string, list []*mutation) {
	groups := map[string]*group{}
	note := func(m *mutation, key, detail string) {
		g := groups[key]
		if g == nil {
			g = &group{key: key, detail: detail}
			groups[key] = g
		}
		g.count++
		if len(g.examples) < 3 {
			g.examples = append(g.examples, m)
		}
	}
	total := map[string]int{}
	byKind := map[string]map[string]int{}
	for _, m := range list {
		valid := strings.HasSuffix(m.podd, ": valid")
		refused := strings.Contains(m.podd, "is refused: ")
		class := ""
		switch {
		case m.api.Accepted && valid:
			class = "both accept"
		case m.api.Accepted && refused:
			class = "podd refuses as unsupported"
			for _, item := range poddItems(m.podd) {
				note(m, "R "+class+" | "+item, "")
			}
		case m.api.Accepted && stricter(m):
			class = "podd says at once what the kubelet, the allocator or a gated API would say"
			for _, item := range poddItems(m.podd) {
				note(m, "S "+class+" | "+item, "")
			}
		case m.api.Accepted:
			class = "FALSE REFUSAL (API accepts, podd says invalid)"
			for _, item := range poddItems(m.podd) {
				note(m, "A "+class+" | "+item, "")
			}
		case valid:
			class = "FALSE ACCEPT (API rejects, podd accepts)"
			note(m, "B "+class+" | "+normal(firstCause(m)), "")
		case m.api.Decode && strings.Contains(m.podd, "is invalid") || m.api.Decode && !refused:
			class = "both reject, at decoding"
		case refused:
			class = "MISSED (API rejects as invalid, podd only as unsupported)"
			note(m, "C "+class+" | "+normal(firstCause(m)), "")
		default:
			class = "both reject"
			missing, wording := 0, 0
			has := map[string]bool{}
			for _, p := range poddPaths(m.podd) {
				has[p] = true
			}
			api := map[string]bool{}
			for _, c := range m.api.Causes {
				api[normal(c.Field)] = true
				if !has[normal(c.Field)] {
					missing++
					if !strings.Contains(m.podd, " more]") {
						note(m, "D path not named by podd: "+normal(c.Field)+" | "+c.Type, c.Text)
					}
				} else if !strings.Contains(m.podd, c.Text) {
					wording++
					note(m, "F other words: "+normal(c.Field)+" | "+c.Type+" | "+wordsOf(c.Text), c.Text)
				}
			}
			for p := range has {
				if !api[p] && !onlyUnsupported(m.podd, p) {
					note(m, "E path only named by podd: "+p+" (API: "+normal(firstCause(m))+")", "")
				}
			}
			switch {
			case missing > 0:
				class += ", other paths"
			case wording > 0:
				class += ", other words"
			default:
				class += ", same paths and words"
			}
		}
		if strings.HasPrefix(m.podd, "??") {
			class = "NO ANSWER of podd"
			note(m, "0 "+class, "")
		}
		total[class]++
		if byKind[m.api.Kind] == nil {
			byKind[m.api.Kind] = map[string]int{}
		}
		byKind[m.api.Kind][class]++
	}
	f, err := os.Create(out)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "%d mutations\n", len(list))
	bad := 0
	for _, k := range sorted(total) {
		fmt.Fprintf(f, "%6d  %s\n", total[k], k)
		fmt.Printf("%6d  %s\n", total[k], k)
		if strings.HasPrefix(k, "FALSE") || strings.HasPrefix(k, "NO ANSWER") {
			bad += total[k]
		}
	}
	if bad > 0 {
		defer func() {
			fmt.Fprintf(os.Stderr, "podd and the API server differ about %d objects; see %s\n", bad, out)
			os.Exit(1)
		}()
	}
	for _, kind := range sorted(byKind) {
		fmt.Fprintf(f, "\n%s\n", kind)
		for _, k := range sorted(byKind[kind]) {
			fmt.Fprintf(f, "%6d  %s\n", byKind[kind][k], k)
		}
	}
	fmt.Fprintln(f)
	for _, k := range sorted(groups) {
		g := groups[k]
		fmt.Fprintf(f, "%5d x %s\n", g.count, g.key)
		for _, m := range g.examples {
			fmt.Fprintf(f, "        %s %s %s\n          api:  %s\n          podd: %s\n", m.base, m.path, m.what, clip(causes(m)), clip(m.podd))
		}
	}
}

func wordsOf(text string) string {
	if i := strings.LastIndex(text, "\": "); i >= 0 {
		text = text[i+3:]
	}
	return clipTo(numbers.ReplaceAllString(text, "#"), 60)
}

// purposes are refusals that podd makes on purpose where the API server leaves it to the kubelet (a bad image name, a probe's
// port that has no name, an unknown capability), to an allocator (node ports), or has the field behind a gate that is off.
var purposes = regexp.MustCompile(`\.image: Invalid value|: port .* not found: |capabilities\.(add|drop)|hostIP: Invalid|(healthCheckN|\.n)odePort: Invalid value|` +
	`-bandwidth\]: Invalid|(^| )ports\[\d*\]\.port: Invalid value|no container can start with less|no machine has more than|stopSignal: |emptyDir\.mode: |folder of the pod's logs`)

// stricter tells whether podd refuses for such reasons only, and for an image whether the kubelet would.
func stricter(m *mutation) bool {
	for _, item := range poddItems(m.podd) {
		if !purposes.MatchString(item) && !purposes.MatchString(m.podd) {
			return false
		}
		if strings.Contains(item, "image: Invalid value") && !badImage(m.data) {
			return false
		}
	}
	return true
}

func badImage(data []byte) bool {
	var pod struct {
		Spec struct {
			Containers, InitContainers []struct{ Image string }
		}
	}
	_ = json.Unmarshal(data, &pod)
	for _, c := range append(pod.Spec.Containers, pod.Spec.InitContainers...) {
		if _, err := dockerref.ParseNormalizedNamed(c.Image); err != nil {
			return true
		}
	}
	return false
}

// poddItems are podd's errors as "path: Type: words", less those that say that podd does not do it while others are there.
var numbers = regexp.MustCompile(`\d+`)

func poddItems(text string) []string {
	at := errorPath.FindAllStringSubmatchIndex(text, -1)
	if len(at) == 0 {
		return []string{"(no path) " + clipTo(text, 120)}
	}
	var own, unsupported []string
	seen := map[string]bool{}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		path, kind, words := normal(text[m[2]:m[3]]), text[m[4]:m[5]], strings.TrimRight(text[m[5]:end], ",] ")
		words = wordsOf(strings.TrimPrefix(words, ": "))
		item := path + ": " + kind + ": " + values.ReplaceAllString(words, "…")
		if seen[item] {
			continue
		}
		seen[item] = true
		if kind == "Forbidden" && isUnsupported(words) {
			unsupported = append(unsupported, item)
		} else {
			own = append(own, item)
		}
	}
	if len(own) > 0 && strings.Contains(text, "is invalid") {
		return own
	}
	return append(own, unsupported...)
}

var values = regexp.MustCompile(`^(?:"[^"]*"|-?\d+|true|false)`)

func isUnsupported(words string) bool {
	for _, w := range []string{"podd ", "nobody ", "there are no ", "there is no ", "remove the field", "remove this", "ephemeral containers are"} {
		if strings.Contains(words, w) {
			return true
		}
	}
	return false
}

// onlyUnsupported tells whether all that podd says of a path is that it does not do it.
func onlyUnsupported(text, path string) bool {
	at := errorPath.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		if normal(text[m[2]:m[3]]) == path && !(text[m[4]:m[5]] == "Forbidden" && isUnsupported(text[m[5]:end])) {
			return false
		}
	}
	return true
}

func poddPaths(text string) []string {
	seen := map[string]bool{}
	var out []string
	for _, m := range errorPath.FindAllStringSubmatch(text, -1) {
		if p := normal(m[1]); !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	sort.Strings(out)
	return out
}

func firstCause(m *mutation) string {
	if len(m.api.Causes) == 0 {
		return ""
	}
	c := m.api.Causes[0]
	if c.Field == "" {
		return clipTo(c.Text, 60)
	}
	return c.Field + " " + c.Type
}

func causes(m *mutation) string {
	if m.api.Accepted {
		return "ACCEPT"
	}
	var t []string
	for _, c := range m.api.Causes {
		t = append(t, c.Text)
	}
	return strings.Join(t, "; ")
}

func clip(s string) string { return clipTo(s, 420) }

func clipTo(s string, n int) string {
	s = strings.ReplaceAll(s, "\n", "\\n")
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

func sorted[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
