package manifest

import (
	"strings"
	"testing"
)

// TestSentences holds the sentences about what people get wrong most.
func TestSentences(t *testing.T) {
	head := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n" // 4 lines
	one := "spec:\n  containers:\n  - name: c\n    image: i\n"    // lines 5 to 8
	web := `f: Pod "web" is invalid: `
	tests := []struct {
		name, text string
		line       int
		want       string // the whole message
	}{
		{"binary", head + "\x00\x01\n", 5, "f: line 5 is not text in UTF-8; save the file as UTF-8 YAML or JSON, or remove it"},
		{"latin 1", head + "# caf\xe9\n" + one, 5, "f: line 5 is not text in UTF-8; save the file as UTF-8 YAML or JSON, or remove it"},
		{"deep", "a: " + strings.Repeat("[", 20_000), 1, "f: nested too deeply; simplify it"},
		{"tab", head + "spec:\n\tcontainers: []\n", 6, "f: line 6: a tab indents; YAML allows spaces only"},
		{"tab after spaces", head + "spec:\n  containers:\n  \t- name: c\n", 7, "f: line 7: a tab indents; YAML allows spaces only"},
		{"open quote", head + "spec: {nodeName: \"x\n", 5, "f: line 5: not valid YAML: found unexpected end of stream; check indentation, colons and brackets"},
		{"at sign", head + "spec: @x\n", 5, "f: line 5: not valid YAML: found character that cannot start any token; put the value in quotes"},
		{"indentation", head + " spec: {}\n", 5, "f: line 5: not valid YAML: did not find expected key; check indentation, colons and brackets"},
		{"first line", ": : [", 1, "f: line 1: not valid YAML: did not find expected key; check indentation, colons and brackets"},
		{"alias", head + "spec: {nodeName: *edge}\n", 5, "f: line 5: not valid YAML: unknown anchor 'edge' referenced; write the value out, or put it in quotes"},
		{"template", head + "spec:\n  nodeName: {{ .Values.name }}\n" + one[6:], 6, "f: line 6: {{ ... }} is a template; render it first (e.g. helm template)"},
		{"template block", "apiVersion: v1\n{{- if .Values.x }}\nkind: Pod\n{{- end }}\n", 2, "f: line 2: {{ ... }} is a template; render it first (e.g. helm template)"},
		{"mapping as key", head + "spec: {? {a: b} : c}\n", 1, "f: a key is a mapping or a list; put it in quotes"},
		{"JSON", "{\"apiVersion\": \"v1\",\n\"kind\": \"Pod\"\n\"spec\": {}}\n", 3, "f: line 3: not valid JSON: invalid character '\"' after object key:value pair; check commas, quotes and brackets"},
		{"short JSON", "{\"apiVersion\": \"v1\",\n\"kind\": \"Pod\"\n", 2, "f: line 2: not valid JSON: unexpected end of JSON input; check commas, quotes and brackets"},
		{"wrong case of a kind", strings.Replace(head+one, "Pod", "pod", 1), 2, `f: pod "web": kind pod is not known; write kind: Pod`},
		{"wrong case of a key", strings.Replace(head+one, "kind", "Kind", 1), 2, `f: object "web": key Kind is not known; write apiVersion: v1 and kind: Pod`},
		{"wrong case of the other key", strings.Replace(head+one, "apiV", "apiv", 1), 1, `f: Pod "web": key apiversion is not known; write apiVersion: v1 and kind: Pod`},
		{"y", strings.Replace(head, "web", "y # why", 1) + one, 4, `f: metadata.name: Invalid value: true: y means true in YAML; write "y" in quotes (line 4)`},
		{"off", head + one + "    env: [{name: on, value: off}]\n", 9, web + `[spec.containers[0].env[0].name: Invalid value: true: on means true in YAML; write "on" in quotes (line 9), spec.containers[0].env[0].value: Invalid value: false: off means false in YAML; write "off" in quotes (line 9)]`},
		{"octal", head + one + "    args: [x, 0123]\n", 9, web + `spec.containers[0].args[1]: Invalid value: 0123: must be a string: YAML reads 0123 as the number 83; write "0123" in quotes (line 9)`},
		{"octal for a boolean", head + "spec:\n  hostUsers: 0123\n  containers: [{name: a, image: b}]\n", 6, web + `spec.hostUsers: Invalid value: 0123: must be true or false (line 6)`},
		{"zero at the end", head + one + "    env: [{name: V, value: 1.10}]\n", 9, web + `spec.containers[0].env[0].value: Invalid value: 1.10: must be a string: YAML reads 1.10 as the number 1.1; write "1.10" in quotes (line 9)`},
		{"version is a number", strings.Replace(head, "v1", "1", 1) + one, 1, web + "apiVersion: Invalid value: 1: must be a string; write apiVersion: v1 (line 1)"},
		{"version of a workload", "apiVersion: 1\nkind: Deployment\nmetadata: {name: web}\n", 1, `f: Deployment "web" is invalid: apiVersion: Invalid value: 1: must be a string; write apiVersion: apps/v1 (line 1)`},
		{"no version of a workload", "kind: Deployment\nmetadata: {name: web}\n", 1, `f: Deployment "web": apiVersion of kind Deployment is missing; write apiVersion: apps/v1`},
		{"list", "# why\n- apiVersion: v1\n  kind: Pod\n", 1, "f: a manifest is a mapping, not a list; write each item as a document of its own, with --- between them, or under items of a v1 List"},
		{"list in JSON", "[{\"apiVersion\": \"v1\"}]", 1, "f: a manifest is a mapping, not a list; write each item as a document of its own, with --- between them, or under items of a v1 List"},
		{"misspelt", head + one + "    imagePullPolcy: Never\n", 9, web + `unknown field "spec.containers[0].imagePullPolcy": did you mean imagePullPolicy? (line 9)`},
		{"other capitals", head + one + "    securityContext: {readonlyRootFilesystem: true}\n", 9, web + `unknown field "spec.containers[0].securityContext.readonlyRootFilesystem": did you mean readOnlyRootFilesystem? (line 9)`},
		{"field of a struct below", head + one + "    runAsUser: 0\n", 9, web + `unknown field "spec.containers[0].runAsUser": it is a field of spec.containers[0].securityContext; move it there (line 9)`},
		{"field of containers", head + one + "  image: x\n", 9, web + `unknown field "spec.image": it is a field of spec.containers[]; move it there (line 9)`},
		{"field of the pod", head + one + "    hostNetwork: true\n", 9, web + `unknown field "spec.containers[0].hostNetwork": it is a field of spec; move it there (line 9)`},
		{"field that nothing has", head + one + "    bogus: 1\n", 9, web + `unknown field "spec.containers[0].bogus": correct its spelling or remove it (line 9)`},
		{"suffix of memory", head + one + "    resources: {limits: {cpu: 200Mi}}\n", 9, web + `spec.containers[0].resources.limits[cpu]: Invalid value: "200Mi": no machine has more than 8192 CPUs; 200Mi means 209715200 of them, write 200m (thousandths)`},
		{"phase", head + one + "    env: [{name: P, valueFrom: {fieldRef: {fieldPath: status.phase}}}]\n", 9, web + `spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`},
		{"true", head + one + "    args: [true]\n", 9, web + `spec.containers[0].args[0]: Invalid value: true: must be a string: put it in quotes (line 9)`},
		{"no containers", head + "spec: {}\n", 5, web + "spec.containers: Required value: write at least one container"},
		{"no image", head + "spec:\n  containers:\n  - name: c\n", 7, web + "spec.containers[0].image: Required value: write the image to run"},
		{"quoted number", head + one + "    ports:\n    - containerPort: \"80\"\n", 10, web + `spec.containers[0].ports[0].containerPort: Invalid value: "80": must be a number: remove the quotes (line 10)`},
		{"quoted truth", head + one + "    tty: \"true\"\n", 9, web + `spec.containers[0].tty: Invalid value: "true": must be true or false: remove the quotes (line 9)`},
		{
			"list items", "apiVersion: v1\nkind: List\nitems:\n- null\n", 3,
			"f: items[0]: apiVersion and kind are missing; write apiVersion: v1 and kind: Pod",
		},
		{
			"copied requests", head + one + "    resources:\n      limits: {cpu: -1}\n", 10,
			web + `spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
		},
		{
			"own requests", head + one + "    resources:\n      limits: {cpu: -1}\n      requests: {cpu: -1}\n", 10,
			web + `[spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0, spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0]`,
		},
		{
			"device", head + one + "    resources:\n      limits: {nvidia.com/gpu: 1}\n      requests: {nvidia.com/gpu: 2}\n", 11,
			web + `spec.containers[0].resources.requests: Invalid value: "2": must be equal to nvidia.com/gpu limit of 1`,
		},
		{
			"port of the host", head + "spec:\n  hostNetwork: true\n  containers:\n  - name: c\n    image: i\n    ports:\n    - containerPort: 70000\n", 11,
			web + `spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
		},
		{
			"port of the host twice", head + "spec:\n  hostNetwork: true\n  containers:\n  - name: c\n    image: i\n    ports:\n    - containerPort: 80\n    - containerPort: 80\n", 12,
			web + `spec.containers[0].ports[1].containerPort: Duplicate value: "TCP//80"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := ParseFile("f", []byte(tt.text))
			if len(problems) != 1 {
				t.Fatalf("problems are %+v, want one", problems)
			}
			if p := problems[0]; p.Message != tt.want || p.Line != tt.line {
				t.Errorf("line %d:\n%s\nwant line %d:\n%s", p.Line, p.Message, tt.line, tt.want)
			}
		})
	}
}

// TestSentencesTellDocumentsApart: of several documents that are refused alike each line says which.
func TestSentencesTellDocumentsApart(t *testing.T) {
	for _, docs := range []string{
		"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n---\napiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: b}\n",
		"a: b\n---\na: b\n---\na: b\n",
		"apiVersion: v1\n---\napiVersion: v1\n",
	} {
		seen := map[string]bool{}
		_, problems := ParseFile("f", []byte(docs))
		for _, p := range problems {
			if seen[p.Message] {
				t.Errorf("said twice: %s", p.Message)
			}
			seen[p.Message] = true
		}
		if len(problems) < 2 {
			t.Errorf("%q: %v", docs, problems)
		}
	}
}

func TestListItemsAreNamed(t *testing.T) {
	_, problems := ParseFile("f", []byte("apiVersion: v1\nkind: List\nitems: [null, foo, {apiVersion: v1, kind: List, items: [1]}]\n"))
	want := []string{"f: items[0]: ", "f: items[1]: ", "f: items[2].items[0]: "}
	if len(problems) != len(want) {
		t.Fatalf("problems are %+v", problems)
	}
	for i, p := range problems {
		if !strings.HasPrefix(p.Message, want[i]) {
			t.Errorf("%q does not start with %q", p.Message, want[i])
		}
	}
}

func TestTooManyAliases(t *testing.T) {
	bomb := "a: &a [" + strings.Repeat("x,", 1000) + "]\nb: &b [" + strings.Repeat("*a,", 1000) + "]\nc: [" + strings.Repeat("*b,", 1000) + "]\n"
	_, problems := ParseFile("f", []byte(bomb))
	if len(problems) != 1 || problems[0].Message != "f: too many aliases (*name); write the values out" {
		t.Errorf("problems are %+v", problems)
	}
}
