package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
)

// configure makes a Config of a file's text and flags.
func configure(t *testing.T, text string, flags ...string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var c Config
	var err error
	cmd := &cobra.Command{Use: "run", SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		var source *Source
		if source, err = NewSource(cmd.Flags()); err == nil {
			c, _, err = source.Read()
		}
		return nil
	}}
	c.AddFlags(cmd.Flags())
	cmd.SetArgs(append([]string{"--config", file}, flags...))
	if e := cmd.Execute(); e != nil {
		return c, e
	}
	return c, err
}

func TestConfigDefaults(t *testing.T) {
	c, err := configure(t, "")
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.NodeName, want.file = host, c.file
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestConfigFileAndFlags(t *testing.T) {
	c, err := configure(t, `
staticPodPath: /pods
podCIDR: 10.5.0.0/16
bridge: br9
containerLogMaxSize: 2Mi
containerLogMaxFiles: 3
podPidsLimit: 100
shutdownGracePeriod: 45s
nodeName: from-file
podLogsDir: /logs
logging: {format: json, level: debug}
`, "--bridge", "br1", "--pod-cidr", "10.6.0.0/24", "--node-name", "from-flag", "--log-level", "warn", "--manifests", "rel")
	if err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Manifests = filepath.Join(wd, "rel")
	want.PodCIDR = netip.MustParsePrefix("10.6.0.0/24")
	want.Bridge, want.NodeName, want.LogDir = "br1", "from-flag", "/logs"
	want.ContainerLogMaxSize, want.ContainerLogMaxFiles, want.PodPidsLimit = resource.MustParse("2Mi"), 3, 100
	want.ShutdownGracePeriod.Duration = 45 * time.Second
	want.Logging = LoggingConfig{"json", "warn"}
	want.file = c.file
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestConfigRefused(t *testing.T) {
	tests := []struct {
		name, text string
		flags      []string
		want       string
	}{
		{"log driver", "containerLogDriver: syslog\n", nil, `containerLogDriver must be file or journald, not "syslog"`},
		{"labels that nobody enforces", "unenforcedSELinux: warn\n", nil, `unenforcedSELinux must be ignore or refuse, not "warn"`},
		{"unknown kinds", "unknownKinds: warn\n", nil, `unknownKinds must be accept or refuse, not "warn"`},
		{"unknown key", "bridge: a\nbrigde: b\n", nil, `config.yaml: line 2: unknown field "brigde": did you mean bridge?`},
		{"unknown key inside", "logging:\n  colour: b\n", nil, `config.yaml: line 2: unknown field "logging.colour": correct its spelling or remove it`},
		{"key twice", "bridge: a\nbridge: b\n", nil, `config.yaml: line 2: duplicate field "bridge": keep one of the two`},
		{"not a number", "containerLogMaxFiles: many\n", nil, `config.yaml: line 1: containerLogMaxFiles must be a whole number, not "many"`},
		{"no YAML", "a: [\n", nil, "config.yaml: line"},
		{"bad size", "containerLogMaxSize: big\n", nil, `config.yaml: line 1: containerLogMaxSize must be a size such as 10Mi, not "big"`},
		{"size with another's unit", "# logs\n\ncontainerLogMaxSize: \"10MB\"\nbrigde: a\n", nil, `config.yaml: line 3: containerLogMaxSize must be a size such as 10Mi, not "10MB"; line 4: unknown field "brigde": did you mean bridge?`},
		{"no size", "containerLogMaxSize: [1]\n", nil, "config.yaml: line 1: containerLogMaxSize must be a size such as 10Mi, not a list of 1"},
		{"bad size in braces", "{bridge: a, containerLogMaxSize: 10MB}\n", nil, `config.yaml: line 1: containerLogMaxSize must be a size such as 10Mi, not "10MB"`},
		{"small size", "containerLogMaxSize: 1Ki\n", nil, "containerLogMaxSize must be at least 64Ki"},
		{"one file", "containerLogMaxFiles: 1\n", nil, "containerLogMaxFiles must be at least 2, not 1"},
		{"no pids", "podPidsLimit: 0\n", nil, "podPidsLimit must be positive, or -1 for no limit, not 0"},
		{"sysctl of the node", "allowedUnsafeSysctls: [kernel.msg*, vm.*]\n", nil, `allowedUnsafeSysctls: "vm.*" is not known to belong to the network or IPC namespace of a pod`},
		{"no level", "podSecurity: strict\n", nil, `podSecurity: level "strict" must be one of privileged, baseline, restricted`},
		{"no version", "podSecurity: baseline:new\n", nil, `podSecurity: version "new" must be "latest" or "v1.x"`},
		{"no resource limit", "defaultRlimits: {files: \"5\"}\n", nil, `defaultRlimits: "files" is no resource limit; there are as, core, cpu,`},
		{"no limits", "defaultRlimits: 5\n", nil, "config.yaml: line 1: defaultRlimits must be limits such as {nofile: 1024:524288, core: 0}, not 5"},
		{"limit of a list", "defaultRlimits: {core: [1]}\n", nil, "config.yaml: line 1: defaultRlimits must be limits such as"},
		{"negative limit", "defaultRlimits: {core: -1}\n", nil, "config.yaml: line 1: defaultRlimits must be limits such as"},
		{"soft above hard", "defaultRlimits: {nofile: \"5:4\"}\n", nil, `defaultRlimits: nofile cannot be "5:4": write the soft and the hard limit, such as 1024:524288`},
		{"limit that is none", "defaultRlimits: {core: lots}\n", nil, `defaultRlimits: core cannot be "lots"`},
		{"host bits", "podCIDR: 10.0.0.1/24\n", nil, "did you mean 10.0.0.0/24?"},
		{"no proxy", "httpsProxy: http://us:geheim@bad host:3128\n", nil, "httpsProxy must be the address of a proxy, such as http://USER:PASSWORD@HOST:PORT (or https, socks5)"},
		{"proxy of an unknown kind", "httpProxy: gopher://proxy:70\n", nil, "httpProxy must be the address of a proxy"},
		{"proxy without a host", "httpProxy: \"http://:3128\"\n", nil, "httpProxy must be the address of a proxy"},
		{"overlap", "serviceCIDR: 10.210.0.0/24\n", nil, "podCIDR 10.210.0.0/22 and serviceCIDR 10.210.0.0/24 overlap: take another network for one of them"},
		{"overlap with a default", "podCIDR: 10.0.0.0/8\n", nil, "podCIDR 10.0.0.0/8 and serviceCIDR 10.211.0.0/20 overlap"},
		{"overlap of IPv6", "podCIDR6: fd00::/64\nserviceCIDR6: fd00::/112\n", nil, "podCIDR6 fd00::/64 and serviceCIDR6 fd00::/112 overlap"},
		{"loopback", "serviceCIDR: 127.0.0.0/16\n", nil, "serviceCIDR 127.0.0.0/16 cannot be used: take a private network such as 10.211.0.0/20"},
		{"everything", "podCIDR: 0.0.0.0/0\n", nil, "podCIDR 0.0.0.0/0 cannot be used"},
		{"host bits of Services", "serviceCIDR: 10.211.0.5/20\n", nil, "serviceCIDR 10.211.0.5/20 has bits set beyond its prefix: did you mean 10.211.0.0/20?"},
		{"no room for Services", "serviceCIDR: 10.211.0.0/31\n", nil, "serviceCIDR 10.211.0.0/31 is too small: it needs a prefix of at most 29 bits"},
		{"no room for pods", "podCIDR6: fd00::/120\n", nil, "podCIDR6 fd00::/120 is too small: it needs a prefix of at most 118 bits"},
		{"IPv6", "podCIDR: fd00::/64\n", nil, "podCIDR must be an IPv4 network such as 10.210.0.0/22"},
		{"tiny network", "podCIDR: 10.0.0.0/30\n", nil, "podCIDR 10.0.0.0/30 is too small: it needs a prefix of at most 29 bits"},
		{"ids of the machine's own", "userNamespaces: {base: 0}\n", nil, "userNamespaces cannot be base: 0, size: 67108864, idsPerPod: 65536: the ids below 65536 are the machine's own"},
		{"long bridge", "bridge: a-very-long-bridge-name\n", nil, "cannot be the name of a network interface"},
		{"bad node name", "nodeName: UPPER\n", nil, `nodeName "UPPER" cannot be used (set it with --node-name): a lowercase RFC 1123 subdomain`},
		{"bad level", "logging: {level: loud}\n", nil, `logging level must be debug, info, warn or error, not "loud"`},
		{"bad format", "", []string{"--log-format", "xml"}, `logging format must be text or json, not "xml"`},
		{"negative grace", "shutdownGracePeriod: -1s\n", nil, "shutdownGracePeriod must not be negative"},
		{"critical pods have more than all", "shutdownGracePeriod: 5s\nshutdownGracePeriodCriticalPods: 6s\n", nil, "is a part of shutdownGracePeriod (5s), and cannot be 6s"},
		{"both ways", "shutdownGracePeriodCriticalPods: 6s\nshutdownGracePeriodByPodPriority: [{priority: 0, shutdownGracePeriodSeconds: 5}]\n", nil, "takes the place of"},
		{"a priority twice", "shutdownGracePeriodByPodPriority: [{priority: 7}, {priority: 7}]\n", nil, "has priority 7 twice"},
		{"short back-off", "crashLoopBackOff: {maxContainerRestartPeriod: 500ms}\n", nil, "crashLoopBackOff.maxContainerRestartPeriod must be between 1s and 5m, not 500ms"},
		{"long back-off", "crashLoopBackOff: {maxContainerRestartPeriod: 301s}\n", nil, "crashLoopBackOff.maxContainerRestartPeriod must be between 1s and 5m, not 5m1s"},
		{"long socket", "", []string{"--socket", "/" + strings.Repeat("x", 120)}, "is longer than"},
		{"absent file", "", []string{"--config", "/nonexistent/podd.yaml"}, "cannot read the configuration: open /nonexistent/podd.yaml: no such file or directory"},
		{"bad flag", "", []string{"--pod-cidr", "ten"}, `invalid argument "ten" for "--pod-cidr" flag`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := configure(t, tt.text, tt.flags...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestStopGroups(t *testing.T) {
	for text, want := range map[string]string{
		"{}\n": "[{0 50s} {2000000000 10s}]",
		"shutdownGracePeriod: 30s\nshutdownGracePeriodCriticalPods: 10s\n": "[{0 20s} {2000000000 10s}]",
		"shutdownGracePeriod: 0s\n":                                        "[{0 0s} {2000000000 0s}]",
		"shutdownGracePeriod: 5s\nshutdownGracePeriodCriticalPods: 5s\n":   "[{0 1ms} {2000000000 5s}]",
		"shutdownGracePeriodByPodPriority: [{priority: 1000, shutdownGracePeriodSeconds: 20}, {priority: 0, shutdownGracePeriodSeconds: 0}]\n": "[{0 1ms} {1000 20s}]",
	} {
		c, err := configure(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(c.StopGroups()); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
