package manifest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"podd/runtime/manifest/fields"
	"podd/runtime/manifest/validate"
)

func TestParseDocuments(t *testing.T) {
	pod := func(name string) string { return podYAML(name, "i") }
	js := func(name string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q},"spec":{"containers":[{"name":"c","image":"i"}]}}`, name)
	}
	indent := func(s string) string { return strings.ReplaceAll(s, "\n", "\n    ") }
	tests := []struct{ name, text, want string }{
		{"one", pod("a"), "a0"},
		{"several", pod("a") + "---\n" + pod("b") + "---\n" + pod("c"), "a0 b1 c2"},
		{"no last newline", strings.TrimSpace(pod("a")), "a0"},
		{"windows line ends and a byte order mark", "\ufeff" + strings.ReplaceAll(pod("a")+"---\n"+pod("b"), "\n", "\r\n"), "a0 b1"},
		{"empty documents do not count", "---\n# nothing\n---\n" + pod("a") + "---\n---\n\n" + pod("b") + "...\n---\n", "a0 b1"},
		{"directive", "%YAML 1.1\n---\n" + pod("a"), "a0"},
		{"content on the marker's line", "--- " + js("a") + "\n--- # comment\n" + pod("b"), "a0 b1"},
		{"marker inside a text", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    x: |\n      ---\n      y\nspec:\n  containers:\n  - {name: c, image: i}\n", "a0"},
		{"json", js("a"), "a0"},
		{"json with tabs", strings.ReplaceAll(js("a"), ",", ",\n\t"), "a0"},
		{"json stream", js("a") + "\n" + js("b") + js("c"), "a0 b1 c2"},
		{"flow yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: i}]}}", "a0"},
		{"list", "apiVersion: v1\nkind: List\nmetadata: {}\nitems:\n  - " + indent(pod("a")) + "\n  - " + indent(pod("b")) + "\n---\n" + pod("c"), "a0 b1 c2"},
		{"list in a list", `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[` + js("a") + `]},` + js("b") + `]}`, "a0 b1"},
		{"empty list", "apiVersion: v1\nkind: List\nitems: []\n", ""},
		{"anchors", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - &c {name: c, image: i}\n  - <<: *c\n    name: d\n", "a0"},
		{"status is a report", pod("a") + "status:\n  phase: Running\n", "a0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pods, problems := ParseFile("f", []byte(tt.text))
			var got []string
			for _, p := range pods {
				got = append(got, fmt.Sprintf("%s%d", p.Object.Name, p.Doc))
			}
			if s := strings.Join(got, " "); s != tt.want || len(problems) > 0 {
				t.Errorf("got %q and %+v, want %q", s, problems, tt.want)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	head := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n" // 4 lines
	one := "spec:\n  containers:\n  - name: c\n    image: i\n"    // lines 5 to 8
	tests := []struct {
		name, text string
		line       int
		reason     string
		want       string // the whole message
	}{
		{
			"unknown field", head + one + "    imagePullPolcy: Always\n", 9, ReasonInvalid,
			`f: Pod "web" is invalid: unknown field "spec.containers[0].imagePullPolcy": did you mean imagePullPolicy? (line 9)`,
		},
		{
			"wrong case", head + "spec:\n  Containers: []\n  containers: [{name: c, image: i}]\n", 6, ReasonInvalid,
			`f: Pod "web" is invalid: unknown field "spec.Containers": did you mean containers? (line 6)`,
		},
		{
			"doubled field", head + one + "    image: j\n", 9, ReasonInvalid,
			`f: Pod "web" is invalid: duplicate field "spec.containers[0].image": keep one of the two (line 9)`,
		},
		{
			"doubled field in JSON", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\n\"metadata\":{\"name\":\"web\",\n\t\"name\":\"web\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}", 3, ReasonInvalid,
			`f: Pod "web" is invalid: duplicate field "metadata.name": keep one of the two (line 3)`,
		},
		{
			"lines count from the start of the file", "---\n" + head + one + "---\n\n" + head + one + "  nodeSelektor: {}\n", 20, ReasonInvalid,
			`f: Pod "web" is invalid: unknown field "spec.nodeSelektor": did you mean nodeSelector? (line 20)`,
		},
		{
			"several", head + one + "    foo: 1\n    bar: 2\n", 9, ReasonInvalid,
			`f: Pod "web" is invalid: [unknown field "spec.containers[0].foo": correct its spelling or remove it (line 9), unknown field "spec.containers[0].bar": correct its spelling or remove it (line 10)]`,
		},
		{
			"number for a string", head + "spec:\n  containers:\n  - name: c\n    image: i\n    args: [a, 1]\n", 9, ReasonInvalid,
			`f: Pod "web" is invalid: spec.containers[0].args[1]: Invalid value: 1: must be a string: put it in quotes (line 9)`,
		},
		{
			"string for a number", head + one + "    ports:\n    - containerPort: http\n", 10, ReasonInvalid,
			`f: Pod "web" is invalid: spec.containers[0].ports[0].containerPort: Invalid value: "http": must be a whole number of at most 32 bits (line 10)`,
		},
		{
			"mapping for a list", head + "spec:\n  containers:\n    name: c\n    image: i\n", 6, ReasonInvalid,
			`f: Pod "web" is invalid: spec.containers: Invalid value: {"image":"i","name":"c"}: must be a list (line 6)`,
		},
		{
			"quantity", head + one + "    resources:\n      limits: {memory: 64MB}\n", 10, ReasonInvalid,
			`f: Pod "web" is invalid: spec.containers[0].resources.limits[memory]: Invalid value: "64MB": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'; write 64M or 64Mi (line 10)`,
		},
		{
			"in a list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: web\n  spec:\n    containers:\n    - name: c\n      imagee: i\n", 11, ReasonInvalid,
			`f: Pod "web" is invalid: unknown field "spec.containers[0].imagee": did you mean image? (line 11)`,
		},
		{"no kind", "apiVersion: v1\nmetadata: {name: x}\n", 1, ReasonKind, "f: object \"x\": kind is missing; write apiVersion: v1 and kind: Pod"},
		{"nothing said", "metadata: {name: x}\n", 1, ReasonKind, "f: object \"x\": apiVersion and kind are missing; write apiVersion: v1 and kind: Pod"},
		{"wrong version", "apiVersion: v2\nkind: Pod\n", 2, ReasonKind, "f: kind Pod of apiVersion v2 is not known; write apiVersion: v1 and kind: Pod"},
		{
			"deployment", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n", 1, ReasonInvalid,
			"f: Deployment \"x\" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`, " +
				"spec.template.spec.containers: Required value: write at least one container]",
		},
		{
			"an old deployment", "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: x}\n", 2, ReasonKind,
			"f: Deployment \"x\": kind Deployment of apiVersion extensions/v1beta1 is not served by Kubernetes any more; write apiVersion: apps/v1 and spec.selector",
		},
		{"a misspelled group", "apiVersion: app/v1\nkind: Deployment\n", 2, ReasonKind, "f: kind Deployment of apiVersion app/v1 is not known; write apiVersion: apps/v1"},
		{"a misspelled kind", "apiVersion: apps/v1\nkind: Deploymnt\n", 2, ReasonKind, "f: kind Deploymnt of apps/v1 is not known: did you mean Deployment? Write apiVersion: apps/v1 and kind: Deployment"},
		{"a kind in small letters", "apiVersion: v1\nkind: configmap\n", 2, ReasonKind, "f: kind configmap of v1 is not known: did you mean ConfigMap? Write apiVersion: v1 and kind: ConfigMap"},
		{"limit range", "apiVersion: v1\nkind: LimitRange\n", 1, ReasonInvalid, "f: metadata.name: Required value: name or generateName is required"},
		{"config map without a name", "apiVersion: v1\nkind: ConfigMap\n", 1, ReasonInvalid, "f: metadata.name: Required value: name or generateName is required"},
		{"config map of another version", "apiVersion: v2\nkind: ConfigMap\n", 2, ReasonKind, "f: kind ConfigMap of apiVersion v2 is not known; write apiVersion: v1"},
		{"not yaml", "---\n\nfoo: [bar\nbaz: x\n", 3, ReasonInvalid, "f: line 3: not valid YAML: did not find expected ',' or ']'; check indentation, colons and brackets"},
		{"tab", head + "spec:\n\tcontainers: []\n", 6, ReasonInvalid, "f: line 6: a tab indents; YAML allows spaces only"},
		{"a bare word", "hello\n", 1, ReasonInvalid, "f: a manifest is a mapping with apiVersion, kind, metadata and spec; write a Pod, or move the file out of this folder"},
		{"empty", "# nothing\n", 0, ReasonEmpty, "f: the file holds no manifest; write a Pod into it or remove it"},
		{
			"an image that is none", head + "spec:\n  containers: [{name: c, image: 'https://me:word@a.example/x'}]\n", 6, ReasonImageName,
			`f: Pod "web" is invalid: spec.containers[0].image: Invalid value: "https://***@a.example/x": couldn't parse image name: invalid reference format: the registry must be host, host:port or [IPv6]:port`,
		},
		{
			"an image that is none, and more", head + "spec:\n  restartPolicy: Sometimes\n  containers: [{name: c, image: 'A'}]\n", 6, ReasonInvalid,
			`f: Pod "web" is invalid: [spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never", ` +
				`spec.containers[0].image: Invalid value: "A": couldn't parse image name: invalid reference format: repository name must be lowercase]`,
		},
		{
			"validation", head + one + "  restartPolicy: Sometimes\n", 9, ReasonInvalid,
			`f: Pod "web" is invalid: spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := ParseFile("f", []byte(tt.text))
			if len(problems) != 1 {
				t.Fatalf("problems are %+v, want one", problems)
			}
			p := problems[0]
			if p.Message != tt.want {
				t.Errorf("message is\n%s\nwant\n%s", p.Message, tt.want)
			}
			if p.Line != tt.line || p.Reason != tt.reason {
				t.Errorf("line %d, %s; want line %d, %s", p.Line, p.Reason, tt.line, tt.reason)
			}
		})
	}
}

func TestParseSizes(t *testing.T) {
	// Nine levels of nine aliases of a text of a kilobyte would be four hundred gigabytes.
	bomb := "a0: &a0 " + strings.Repeat("x", 1<<10) + "\n"
	for i := 1; i < 10; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	_, problems := ParseFile("f", []byte(bomb))
	if len(problems) != 1 || problems[0].Reason != ReasonInvalid {
		t.Errorf("alias bomb: %+v", problems)
	}
	deep := strings.Repeat("[", 100_000)
	if _, problems := ParseFile("f", []byte(deep)); len(problems) != 1 {
		t.Errorf("deep nesting: %+v", problems)
	}
	deepJSON := `{"apiVersion":"v1","kind":"Pod","spec":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + "}"
	if _, problems := ParseFile("f", []byte(deepJSON)); len(problems) != 1 {
		t.Errorf("deep nesting in JSON: %+v", problems)
	}
	many := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{name: c, image: i}]\n"
	for i := range 100 {
		many += fmt.Sprintf("  unknown%d: 1\n", i)
	}
	_, problems = ParseFile("f", []byte(many))
	if len(problems) != 1 || !strings.HasSuffix(problems[0].Message, ", and 84 more]") {
		t.Errorf("many faults: %+v", problems)
	}
}

func TestHashAndUID(t *testing.T) {
	parse := func(file, text string) Pod {
		t.Helper()
		pods, problems := ParseFile(file, []byte(text))
		if len(pods) != 1 {
			t.Fatalf("%+v", problems)
		}
		return pods[0]
	}
	base := parse("f", podYAML("a", "i:1"))
	if uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`); !uuid.MatchString(string(base.Object.UID)) {
		t.Errorf("UID %s is not a UUID of version 8", base.Object.UID)
	}
	same := map[string]string{
		"a comment":             "# hello\n" + podYAML("a", "i:1"),
		"a default spelled out": podYAML("a", "i:1") + "    imagePullPolicy: IfNotPresent\n  restartPolicy: Always\n",
		"JSON":                  `{"kind":"Pod","apiVersion":"v1","spec":{"containers":[{"image":"i:1","name":"c"}]},"metadata":{"namespace":"default","name":"a"}}`,
	}
	for what, text := range same {
		if p := parse("f", text); p.Hash != base.Hash || p.Object.UID != base.Object.UID {
			t.Errorf("%s makes another pod", what)
		}
	}
	if p := parse("g", podYAML("a", "i:1")); p.Hash != base.Hash || p.Object.UID == base.Object.UID {
		t.Error("another file does not make another UID, or makes another hash")
	}
	other := map[string]string{
		"another image":   podYAML("a", "i:2"),
		"another name":    podYAML("b", "i:1"),
		"a label":         strings.Replace(podYAML("a", "i:1"), "metadata:", "metadata:\n  labels: {a: b}", 1),
		"another default": podYAML("a", "i:1") + "  restartPolicy: Never\n",
	}
	for what, text := range other {
		if p := parse("f", text); p.Hash == base.Hash || p.Object.UID == base.Object.UID {
			t.Errorf("%s makes no other pod", what)
		}
	}
}

// FuzzParse looks for input on which parsing panics, gives other results the second time, or lets a pod through
// that is not complete.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		podYAML("a", "i"), specJSON(`"restartPolicy":"Never"`, `"ports":[{"containerPort":1}]`),
		"a: &a [*a]\n", "<<: {a: b}\n", "? {a: b}\n: c\n", "---\n...\n---\n%x\n", "{\"a\":", "- 1\n- 2\n", "a: !!binary x\n", "1: 2\ntrue: 3\n~: 4\n",
		"apiVersion: v1\nkind: List\nitems: [null, 1, {kind: Pod}]\n", "\x00\xff", "a: .nan\n", "2001-01-01: !!timestamp 2001-01-01\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pods, problems := ParseFile("f", data)
		again, problemsAgain := ParseFile("f", data)
		if len(pods)+len(problems) == 0 && !strings.Contains(string(data), "List") {
			t.Error("nothing comes of it")
		}
		if len(pods) != len(again) || fmt.Sprint(problems) != fmt.Sprint(problemsAgain) {
			t.Errorf("twice the same is not the same: %v, %v", problems, problemsAgain)
		}
		for i, p := range pods {
			o := p.Object
			if o.Name == "" || o.Namespace == "" || o.UID == "" || p.Hash != again[i].Hash || len(o.Spec.Containers) == 0 ||
				o.Spec.RestartPolicy == "" || o.Spec.Containers[0].ImagePullPolicy == "" || o.Spec.SecurityContext == nil {
				t.Errorf("incomplete pod %+v", o)
			}
			o.UID = "" // the one field that podd sets and nobody else may
			if len(fields.CheckPod(o)) > 0 || len(validate.Pod(o)) > 0 {
				t.Error("a pod passes that is refused when asked again")
			}
		}
	})
}

func TestWhatAClusterReportsIsDropped(t *testing.T) {
	text := strings.Replace(podYAML("a", "i"), "metadata:", `metadata:
  creationTimestamp: "2026-01-02T03:04:05Z"
  deletionTimestamp: "2026-01-02T03:04:05Z"
  resourceVersion: "7"
  generation: 3
  managedFields: [{manager: kubectl, operation: Update}]
  finalizers: [a.b/c]
  labels: {x: v}
  annotations: {z: w}`, 1) + "status: {phase: Running, podIP: 10.0.0.1}\n"
	pods, problems := ParseFile("f", []byte(text))
	if len(pods) != 1 {
		t.Fatalf("%+v", problems)
	}
	o := pods[0].Object
	if o.DeletionTimestamp != nil || !o.CreationTimestamp.IsZero() || o.ResourceVersion != "" || o.Generation != 0 ||
		len(o.ManagedFields)+len(o.Finalizers) > 0 || o.Status.Phase != "" {
		t.Errorf("left over: %+v", o)
	}
	if o.Labels["x"] != "v" || o.Annotations["z"] != "w" {
		t.Errorf("lost: %+v", o.ObjectMeta)
	}
}

func TestLongFaultsAreShortened(t *testing.T) {
	_, problems := ParseFile("f", []byte(strings.Replace(podYAML("a", "i"), "name: a", "name: "+strings.Repeat("ä", 5000), 1)))
	if len(problems) != 1 || len(problems[0].Message) > 15000 || !strings.Contains(problems[0].Message, " ... ") {
		t.Errorf("%d bytes", len(problems[0].Message))
	}
}

// BenchmarkParse is what one dropped file costs before anything starts.
func BenchmarkParse(b *testing.B) {
	data := []byte(podYAML("a", "i"))
	b.ReportAllocs()
	for b.Loop() {
		ParseFile("f", data)
	}
}
