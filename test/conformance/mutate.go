package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	dockerref "github.com/distribution/reference"
)

// mutation is one changed object.
type mutation struct {
	base, path, what string
	data             []byte
	api              verdict
	podd             string
}

func mutate(args []string) {
	fs := flag.NewFlagSet("mutate", flag.ExitOnError)
	podd := fs.String("podd", os.Getenv("PODD_BIN"), "podd's binary")
	out := fs.String("out", "conformance.report", "report")
	only := fs.String("only", "", "regular expression of the paths to mutate")
	_ = fs.Parse(args)
	var list []*mutation
	seen := map[string]bool{}
	filter := regexp.MustCompile(*only)
	for _, file := range fs.Args() {
		docs, err := documents(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, file, err)
			continue
		}
		for _, d := range docs {
			var root any
			if json.Unmarshal(d, &root) != nil {
				continue
			}
			base := filepath.Base(file)
			walk(&list, base, root, nil, root, filter, seen)
			grafts(&list, base, root, filter, seen)
		}
	}
	fmt.Fprintln(os.Stderr, len(list), "mutations")
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	const batch = 400
	for at := 0; at < len(list); at += batch {
		part := list[at:min(at+batch, len(list))]
		askPodd(*podd, dir, part)
		for _, m := range part {
			m.api = judge(m.data)
		}
	}
	report(*out, list)
}

// askPodd has podd validate a file for each mutation; a line of output belongs to each.
func askPodd(bin, dir string, part []*mutation) {
	args := []string{"validate"}
	for i, m := range part {
		f := filepath.Join(dir, fmt.Sprintf("m%d.json", i))
		if err := os.WriteFile(f, m.data, 0o600); err != nil {
			panic(err)
		}
		args = append(args, "-f", f)
	}
	cmd := exec.Command(bin, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, _ := cmd.Output()
	lines := answers(string(text), dir)
	if len(lines) != len(part) {
		if len(part) == 1 {
			part[0].podd = "?? " + string(text) + stderr.String()
			return
		}
		askPodd(bin, dir, part[:len(part)/2])
		askPodd(bin, dir, part[len(part)/2:])
		return
	}
	for i, m := range part {
		m.podd = strings.TrimPrefix(lines[i], filepath.Join(dir, fmt.Sprintf("m%d.json", i))+": ")
	}
}

// answers joins lines that are not the start of one: podd's quotes may hold line breaks.
func answers(text, dir string) []string {
	var out []string
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(l, dir) || strings.HasSuffix(l, ": valid") || len(out) == 0 {
			out = append(out, l)
		} else {
			out[len(out)-1] += "\n" + l
		}
	}
	return out
}

func walk(list *[]*mutation, base string, root any, path []any, node any, filter *regexp.Regexp, seen map[string]bool) {
	for _, c := range changes(path, node) {
		add(list, base, root, path, c, filter, seen)
	}
	switch n := node.(type) {
	case map[string]any:
		keys := make([]string, 0, len(n))
		for k := range n {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			walk(list, base, root, append(path[:len(path):len(path)], k), n[k], filter, seen)
		}
	case []any:
		for i := range n {
			walk(list, base, root, append(path[:len(path):len(path)], i), n[i], filter, seen)
		}
	}
}

type change struct {
	what  string
	value any
	drop  bool
}

func add(list *[]*mutation, base string, root any, path []any, c change, filter *regexp.Regexp, seen map[string]bool) {
	text := pathText(path)
	if len(path) == 0 || text == "apiVersion" || text == "kind" || !filter.MatchString(text) {
		return
	}
	changed := set(root, path, c)
	data, err := json.Marshal(changed)
	if err != nil || seen[string(data)] {
		return
	}
	seen[string(data)] = true
	*list = append(*list, &mutation{base: base, path: text, what: c.what, data: data})
}

func pathText(path []any) string {
	var b strings.Builder
	for i, p := range path {
		switch p := p.(type) {
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(p)
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		}
	}
	return b.String()
}

// set returns a copy of node with a change at path.
func set(node any, path []any, c change) any {
	if len(path) == 0 {
		return c.value
	}
	switch n := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(n))
		for k, v := range n {
			out[k] = v
		}
		k := path[0].(string)
		if len(path) == 1 && c.drop {
			delete(out, k)
		} else {
			out[k] = set(n[k], path[1:], c)
		}
		return out
	case []any:
		i := path[0].(int)
		if len(path) == 1 && c.drop {
			return append(append([]any{}, n[:i]...), n[i+1:]...)
		}
		out := append([]any{}, n...)
		out[i] = set(n[i], path[1:], c)
		return out
	case nil: // grafted along a path that is not there yet
		if k, ok := path[0].(string); ok {
			return map[string]any{k: set(nil, path[1:], c)}
		}
	}
	return node
}

var (
	quantities = []any{
		"-1", "0", "1", "100m", "1m", "0.5m", "1e3", "1E3", "1Ki", "1Mi", "0.1", "1.5", "abc", "", "1 Gi", "1gb", "9223372036854775807",
		"9223372036854775808", "1e20", "1n", " 1", 5, 0.25, -3, "4Mi", "3Mi", "2", "1T",
	}
	strs = []any{
		"", " ", strings.Repeat("x", 64), strings.Repeat("x", 254), "UPPER", "-bad-", "a b", "a_b", "a.b", "a/b", "/abs/path", "/", ".", "..", "../up",
		"a/../b", "..data", "a:b", "$(X)", "é", "0", "1234", "bogus", "a\nb", "x'y", "None", "::1", "10.0.0.1", "010.0.0.1", "10.0.0.0/8", "kubernetes.io/x", "a=b", "true", "\x00",
	}
	ints  = []any{-1, 0, 1, 2, 63, 64, 100, 101, 511, 512, 1023, 32767, 32768, 65535, 65536, 86400, 86401, 2147483647, 2147483648, 4294967296, 9223372036854775807, 1.5, 1000000.0, "1", "x", ""}
	wrong = []any{nil, 7, true, "str", []any{}, map[string]any{}}
)

// isQuantity tells whether the last parts of a path are a resource's.
func isQuantity(path []any) bool {
	n := len(path)
	if n < 1 {
		return false
	}
	last, _ := path[n-1].(string)
	if last == "sizeLimit" || last == "divisor" {
		return true
	}
	if n < 2 {
		return false
	}
	switch before, _ := path[n-2].(string); before {
	case "limits", "requests", "overhead", "capacity":
		return true
	}
	return false
}

func isStringMap(path []any) bool {
	last, _ := path[len(path)-1].(string)
	switch last {
	case "labels", "annotations", "nodeSelector", "matchLabels", "selector", "data", "stringData", "binaryData":
		return true
	}
	return false
}

func changes(path []any, node any) []change {
	if len(path) == 0 {
		return []change{}
	}
	out := []change{{what: "dropped", drop: true}}
	put := func(values ...any) {
		for _, v := range values {
			out = append(out, change{what: "= " + short(v), value: v})
		}
	}
	put(wrong...)
	if isQuantity(path) {
		put(quantities...)
		return out
	}
	switch n := node.(type) {
	case string:
		put(strs...)
		put(enums...)
		put(strings.ToUpper(n), strings.ToLower(n), n+" ", " "+n, n+".", strings.Repeat(n+".", 60)+n)
	case float64:
		put(ints...)
	case bool:
		put(!n, "true", "yes", 1)
	case []any:
		put([]any{nil}, []any{map[string]any{}}, []any{""}, []any{7})
		if len(n) > 0 {
			out = append(out, change{what: "first doubled", value: append([]any{n[0]}, n...)})
			many := []any{}
			for range 40 {
				many = append(many, n[0])
			}
			out = append(out, change{what: "first 40 times", value: many})
		}
		if len(n) > 1 {
			rev := []any{}
			for i := range n {
				rev = append(rev, n[len(n)-1-i])
			}
			out = append(out, change{what: "reversed", value: rev})
		}
	case map[string]any:
		with := func(k string, v any) {
			m := map[string]any{}
			for a, b := range n {
				m[a] = b
			}
			m[k] = v
			out = append(out, change{what: "with " + short(k) + ": " + short(v), value: m})
		}
		with("bogusField", 1)
		with("", "x")
		if isStringMap(path) {
			for _, k := range []string{"a b", "-a", "a/b/c", "UPPER.example/x", strings.Repeat("a", 64), "x/" + strings.Repeat("a", 64), strings.Repeat("a", 254) + "/x", "/x", "x/", "a.", "A", "é", "..", "../x", ".", "..x", strings.Repeat("k", 253), strings.Repeat("k", 254)} {
				with(k, "v")
			}
			for _, v := range []any{"a b", "-x", strings.Repeat("x", 64), strings.Repeat("x", 63), "é", "", 1, true, nil, "YQ==", "not base64!"} {
				with("k", v)
			}
		}
	}
	return out
}

func short(v any) string {
	b, _ := json.Marshal(v)
	if len(b) > 40 {
		return fmt.Sprintf("%s…(%d)", b[:24], len(b))
	}
	return string(b)
}

// enums are tried in every string.
var enums = []any{
	"Always", "Never", "OnFailure", "TCP", "UDP", "SCTP", "HTTP", "HTTPS", "File", "FallbackToLogsOnError", "IfNotPresent", "Default", "ClusterFirst",
	"Memory", "HugePages", "HugePages-1Gi", "Directory", "BlockDevice", "CharDevice", "Socket", "Bidirectional", "Disabled", "Enabled", "Unmasked", "Localhost", "RuntimeDefault",
	"windows", "linux", "Exists", "Equal", "In", "NotIn", "Gt", "Lt", "NoSchedule", "NoExecute", "Cluster", "Local", "ClientIP", "NodePort", "LoadBalancer", "ExternalName",
	"SingleStack", "RequireDualStack", "IPv6", "IPv4", "FQDN", "Block", "Delete", "Recycle", "ReadWriteMany", "ReadWriteOncePod", "WaitForFirstConsumer", "Egress",
	"cpu", "memory", "limits.cpu", "limits.memory", "requests.hugepages-2Mi", "limits.ephemeral-storage", "limits.example.com/x", "metadata.uid", "metadata.labels", "metadata.annotations",
	"metadata.labels['x']", "metadata.labels['a b']", "metadata.annotations['A']", "spec.nodeName", "status.hostIP", "status.podIPs", "status.phase", "spec.serviceAccountName", "v1beta1", "v1",
	"kubernetes.io/tls", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson", "kubernetes.io/service-account-token",
	"bootstrap.kubernetes.io/token", "ALL", "CAP_SYS_ADMIN", "CAP_BOGUS", "PreferSameZone", "PreferSameNode", "PreferClose",
}

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
