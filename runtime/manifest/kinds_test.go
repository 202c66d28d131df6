package manifest

import (
	"strings"
	"testing"
)

func TestKinds(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	tests := []struct{ name, text, want string }{
		{"config map", "kind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\nbinaryData: {b: AAEC}\n", ""},
		{"secret", "kind: Secret\nmetadata: {name: a}\nstringData: {k: v}\n", ""},
		{"service account", "kind: ServiceAccount\nmetadata: {name: a}\nautomountServiceAccountToken: false\n", ""},
		{"unknown field", "kind: ConfigMap\nmetadata: {name: a}\ndate: {k: v}\n", `ConfigMap "a" is invalid: unknown field "date": did you mean data? (line 4)`},
		{"value is a number", "kind: ConfigMap\nmetadata: {name: a}\ndata: {k: 1}\n", `ConfigMap "a" is invalid: data[k]: Invalid value: 1: must be a string: put it in quotes (line 4)`},
		{"key with dots", "kind: ConfigMap\nmetadata: {name: a}\ndata: {'..': v}\n", `ConfigMap "a" is invalid: data[..]: Invalid value: "..": must not be '..'`},
		{"key with a slash", "kind: Secret\nmetadata: {name: a}\nstringData: {a/b: v}\n", `Secret "a" is invalid: data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`},
		{"key twice", "kind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\nbinaryData: {k: AAEC}\n", `ConfigMap "a" is invalid: data[k]: Invalid value: "k": duplicate of key present in binaryData`},
		{"too large", "kind: ConfigMap\nmetadata: {name: a}\ndata: {a: v, k: " + big + "}\n", `ConfigMap "a" is invalid: []: Too long: may not be more than 1048576 bytes`},
		{"too large a secret", "kind: Secret\nmetadata: {name: a}\nstringData: {a: v, k: " + big + "}\n", `Secret "a" is invalid: data: Too long: may not be more than 1048576 bytes`},
		{"not base64", "kind: Secret\nmetadata: {name: a}\ndata: {k: 'no base64!'}\n", `Secret "a" is invalid: data[k]: Invalid value: "<redacted>": illegal base64 data at input byte 2; encode it (printf %s VALUE | base64), or write it as it is under stringData or data (line 4)`},
		{"tls", "kind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: a}\nstringData: {tls.crt: v}\n", `Secret "a" is invalid: data[tls.key]: Required value`},
		{"basic auth", "kind: Secret\ntype: kubernetes.io/basic-auth\nmetadata: {name: a}\n", `Secret "a" is invalid: [data[username]: Required value, data[password]: Required value]`},
		{"ssh", "kind: Secret\ntype: kubernetes.io/ssh-auth\nmetadata: {name: a}\n", `Secret "a" is invalid: data[ssh-privatekey]: Required value`},
		{"docker", "kind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata: {name: a}\nstringData: {.dockerconfigjson: 'no'}\n", `Secret "a" is invalid: data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": it is not JSON`},
		{"bad name", "kind: ConfigMap\nmetadata: {name: A_b}\n", `ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		{"legacy runtime class", "kind: RuntimeClass\nmetadata: {name: a}\nhandler: x\n", `RuntimeClass "a": kind RuntimeClass of apiVersion v1 is not known; write apiVersion: node.k8s.io/v1`},
		{"bad board", "kind: ConfigMap\nmetadata: {name: a, annotations: {podd.dev/node: 'a==='}}\n", `ConfigMap "a" is invalid: metadata.annotations[podd.dev/node]: Invalid value: "a===": must be the name of a node, a list of names, or a label selector such as kubernetes.io/arch=arm64`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects, problems := Parse("f", []byte("apiVersion: v1\n"+tt.text))
			got := ""
			if len(problems) > 0 {
				got = strings.TrimPrefix(problems[0].Message, "f: ")
			}
			if got != tt.want || len(objects)+len(problems) != 1 {
				t.Errorf("%d objects, message\n%s\nwant\n%s", len(objects), got, tt.want)
			}
		})
	}
}

func TestRuntimeClass(t *testing.T) {
	const label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
	for text, want := range map[string]string{
		"handler: runc\n": "",
		"handler: runc\noverhead: {podFixed: {memory: 1, cpu: 250m, example.com/x: 1}}\nscheduling: {nodeSelector: {a: b}, tolerations: [{operator: Exists}]}\n": "",
		"{}\n":                   "handler: Required value",
		"handler: A\n":           `handler: Invalid value: "A": ` + label,
		"handler: a.b\n":         `handler: Invalid value: "a.b": must not contain dots`,
		"spec: {}\nhandler: a\n": `unknown field "spec": correct its spelling or remove it (line 4)`,
		"handler: a\noverhead: {podFixed: {cpu: -1}}\n":                                     `overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
		"handler: a\noverhead: {podFixed: {gpu: 1}}\n":                                      `[overhead.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`,
		"handler: a\noverhead: {podFixed: {hugepages-2Mi: 2Mi}}\n":                          "overhead: Forbidden: HugePages require cpu or memory",
		"handler: a\nscheduling: {nodeSelector: {a: 'b c'}}\n":                              "scheduling.nodeSelector: Invalid value: \"b c\": a valid label must be",
		"handler: a\nscheduling: {tolerations: [{operator: Exists}, {operator: Exists}]}\n": `scheduling.tolerations[1]: Duplicate value: `,
		"handler: a\nscheduling: {tolerations: [{operator: Bogus, key: a}]}\n":              `scheduling.tolerations[0].operator: Unsupported value: "Bogus": supported values: "Equal", "Exists"`,
	} {
		text = strings.TrimPrefix(text, "{}\n")
		_, problems := Parse("f", []byte("apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: a}\n"+text))
		got := ""
		if len(problems) > 0 {
			got = strings.TrimPrefix(problems[0].Message, `f: RuntimeClass "a" is invalid: `)
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s\n%s\nwant\n%s", text, got, want)
		}
	}
}
