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
