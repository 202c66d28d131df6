package sandbox

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// What needs the machine's ids keeps them.
func TestWhyHostUsers(t *testing.T) {
	for spec, want := range map[string]string{
		`{}`:                     "",
		`{"hostNetwork":true}`:   "hostNetwork",
		`{"hostPID":true}`:       "hostPID",
		`{"hostIPC":true}`:       "hostIPC",
		`{"securityContext":{}}`: "",
		`{"securityContext":{"runAsUser":65535,"fsGroup":1000}}`:                                                  "",
		`{"securityContext":{"runAsUser":65536}}`:                                                                 "ids above 65535 in the securityContext",
		`{"securityContext":{"runAsGroup":70000}}`:                                                                "ids above 65535 in the securityContext",
		`{"securityContext":{"fsGroup":1000650000}}`:                                                              "ids above 65535 in the securityContext",
		`{"securityContext":{"supplementalGroups":[1,1000650000]}}`:                                               "ids above 65535 in the securityContext",
		`{"volumes":[{"name":"v","nfs":{"server":"s","path":"/"}}]}`:                                              "volume v is of nfs",
		`{"volumes":[{"name":"shared","persistentVolumeClaim":{"claimName":"c"}}]}`:                               "volume shared is of nfs",
		`{"volumes":[{"name":"v","emptyDir":{"medium":"HugePages-2Mi"}}]}`:                                        "volume v is of huge pages",
		`{"volumes":[{"name":"v","emptyDir":{"medium":"Memory"}}]}`:                                               "",
		`{"volumes":[{"name":"v","emptyDir":{}}]}`:                                                                "",
		`{"containers":[{"name":"c","volumeDevices":[{"name":"v"}]}]}`:                                            "volumeDevices of container c",
		`{"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPropagation":"Bidirectional"}]}]}`:          "mountPropagation: Bidirectional of container c",
		`{"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPropagation":"HostToContainer"}]}]}`:        "",
		`{"containers":[{"name":"c","securityContext":{"privileged":true}}]}`:                                     "privileged of container c",
		`{"initContainers":[{"name":"i","securityContext":{"privileged":true}}],"containers":[{"name":"c"}]}`:     "privileged of container i",
		`{"containers":[{"name":"c","securityContext":{"runAsUser":70000}}]}`:                                     "ids above 65535 in the securityContext of container c",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["NET_ADMIN","CAP_SYS_PTRACE"]}}}]}`: "",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["sys_time"]}}}]}`:                   "capability sys_time of container c",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["ALL"]}}}]}`:                        "capability ALL of container c",
		`{"containers":[{"name":"c","securityContext":{"capabilities":{"drop":["ALL"]}}}]}`:                       "",
	} {
		var p corev1.Pod
		if err := json.NewDecoder(strings.NewReader(spec)).Decode(&p.Spec); err != nil {
			t.Fatal(err)
		}
		if got := whyHostUsers(&p, "shared"); got != want {
			t.Errorf("%s: %q, want %q", spec, got, want)
		}
	}
}
