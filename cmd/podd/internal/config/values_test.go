package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/device"
	"podd/runtime/runtimeclass"
)

// Every key answers a value of another type with a sentence that names the file, the line, the key and what it takes.
func TestWrongValues(t *testing.T) {
	defaults := reflect.ValueOf(Default())
	tested := 0
	eachKey("", defaults, defaults, func(key string, d, _ reflect.Value) {
		tested++
		var wrong []string
		want := ""
		switch d.Interface().(type) {
		case resource.Quantity:
			want, wrong = "a size such as 10Mi", []string{"many", "10MB", "[1]", "{a: b}"}
		case metav1.Duration:
			want, wrong = "a duration such as 1m or 90s", []string{"soon", "60", "1.5", "[1m]", "{a: b}"}
		case netip.Prefix:
			want, wrong = "a network such as ", []string{"here", "10.0.0.0", "7", "[10.0.0.0/8]", "{a: b}"}
		case []netip.Prefix:
			want, wrong = "a list of networks such as [192.168.0.0/16]", []string{"here", "[here]", "[[10.0.0.0/8]]", "{a: b}"}
		case []device.Rule:
			want, wrong = "a list of rules such as [{resource: example.com/stick, path: /dev/ttyACM*}]", []string{"here", "{a: b}", "[a]", "[{path: [a]}]"}
		case runtimeclass.Handlers:
			want, wrong = "handlers by their names, such as {nvidia: {cdiDevices: [nvidia.com/gpu=all]}}", []string{"many", "[a]", "{a: b}", "{a: {cdiDevices: b}}"}
		case []string:
			want, wrong = "a list such as [a, b]", []string{"{a: b}", "[[a]]", "[{a: b}]"}
		case map[string]string:
			want, wrong = "names and values such as {site: roof}", []string{"many", "[a]", "{a: [b]}"}
		case map[string]rlimitText:
			want, wrong = "limits such as {nofile: 1024:524288, core: 0}", []string{"many", "[a]", "{a: [b]}"}
		case bool:
			want, wrong = "true or false", []string{"perhaps", "7", "[true]", "{a: b}"}
		case string:
			want, wrong = "a text", []string{"[a]", "{a: b}"}
		default:
			want, wrong = "a whole number", []string{"many", "1.5", "[1]", "{a: b}", "99999999999999999999"}
		}
		parts := strings.Split(key, ".")
		for _, value := range wrong {
			text := "# a comment\n"
			for i, part := range parts {
				text += strings.Repeat("  ", i) + part + ":"
				if i < len(parts)-1 {
					text += "\n"
				}
			}
			text += " " + value + " # " + key + ": there\n"
			line := 1 + len(parts)
			_, err := configure(t, text)
			prefix := "config.yaml: line " + string(rune('0'+line)) + ": " + key + " must be " + want
			if err == nil || !strings.Contains(err.Error(), prefix) || !strings.Contains(err.Error(), ", not ") || strings.ContainsAny(err.Error(), "\n!") {
				t.Errorf("%s: %s\ngot  %v\nwant %s", key, value, err, prefix)
			}
		}
	})
	if tested < 20 {
		t.Errorf("only %d keys", tested)
	}
}

func TestWrongValuesTogether(t *testing.T) {
	for text, want := range map[string]string{
		"bridge: br0\npodPidsLimit: many\nbrigde: x\nipv6: perhaps\n": `config.yaml: line 2: podPidsLimit must be a whole number, not "many"; line 3: unknown field "brigde": did you mean bridge?; line 4: ipv6 must be true or false, not "perhaps"`,
		"logging: loud\n":                   `config.yaml: line 1: logging must consist of keys and values, not "loud"`,
		"x":                                 "config.yaml: it must consist of keys and values, such as bridge: podd0",
		"staticPodPath:\n":                  "config.yaml: line 1: staticPodPath has no value: write staticPodPath: /etc/podd/manifests, or remove the key",
		"logging:\n  level:\n":              "config.yaml: line 2: logging.level has no value: write level: info, or remove the key",
		"root: ''\n":                        "root must not be empty: name a path, or remove the key",
		"hostPortSources: [ten]\n":          "config.yaml: line 1: hostPortSources must be a list of networks such as [192.168.0.0/16], not a list of 1",
		"nodeLabels: {a: [b]}\n":            "config.yaml: line 1: nodeLabels must be names and values such as {site: roof}, not {a: a list of 1}",
		"nodeLabels: {b: x, a: 3}\n":        "config.yaml: line 1: nodeLabels must be names and values such as {site: roof}, not {a: 3} without quotes",
		"nodeName: 7\n":                     "config.yaml: line 1: nodeName must be a text, not 7 without quotes",
		"bridge: a\n---\nbridge: b\n":       "config.yaml: line 2: a second document begins; only one is read",
		"bridge: a\n\tipv6: true\n":         "config.yaml: line 2: a tab indents; YAML allows spaces only",
		"{\"bridge\": \"a\",\n\"ipv6\": 1}": "config.yaml: line 2: ipv6 must be true or false, not 1",
		"{podPidsLimit: many}":              `config.yaml: line 1: podPidsLimit must be a whole number, not "many"`,
		"shutdownGracePeriod: 60\n":         "config.yaml: line 1: shutdownGracePeriod must be a duration such as 1m or 90s, not 60",
		"logging: {level: [loud]}\n":        "config.yaml: line 1: logging.level must be a text, not a list of 1",
	} {
		if _, err := configure(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\ngot  %v\nwant %s", text, err, want)
		}
	}
	if _, err := configure(t, "nodeName:\nnodeLabels:\nhostPortSources:\nresolvConf:\nshutdownGracePeriod: 0s\n"); err != nil {
		t.Errorf("keys that may be empty: %v", err)
	}
}
