package kinds

import "testing"

func TestSecrets(t *testing.T) {
	checkObjects(t, "Secret", `{apiVersion: v1, kind: Secret, metadata: {name: s}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"a type of its own", `{type: example.com/mine, stringData: {a: b}}`, nil},
		{
			"keys that are none", `{data: {..: AA==, a/b: AA==}}`,
			[]string{
				`data[..]: Invalid value: "..": must not be '..'`,
				`data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
			},
		},
		{
			"basic-auth of nothing", `{type: kubernetes.io/basic-auth}`,
			[]string{
				`data[username]: Required value`,
				`data[password]: Required value`,
			},
		},
		{"basic-auth of a password", `{type: kubernetes.io/basic-auth, stringData: {password: a}}`, nil},
		{"ssh-auth of nothing", `{type: kubernetes.io/ssh-auth, stringData: {ssh-privatekey: ''}}`, []string{`data[ssh-privatekey]: Required value`}},
		{"ssh-auth", `{type: kubernetes.io/ssh-auth, stringData: {ssh-privatekey: a}}`, nil},
		{"tls of half", `{type: kubernetes.io/tls, stringData: {tls.crt: a}}`, []string{`data[tls.key]: Required value`}},
		{"tls", `{type: kubernetes.io/tls, stringData: {tls.crt: '', tls.key: ''}}`, nil},
		{"dockercfg of nothing", `{type: kubernetes.io/dockercfg}`, []string{`data[.dockercfg]: Required value`}},
		{"dockerconfigjson", `{type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: '{}'}}`, nil},
		{"a token of nobody", `{type: kubernetes.io/service-account-token}`, []string{`metadata.annotations[kubernetes.io/service-account.name]: Required value`}},
		{"a token", `{type: kubernetes.io/service-account-token, metadata: {annotations: {kubernetes.io/service-account.name: a}}}`, nil},
	})
}
