package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// e2e: ConfigMap :: should be consumable from pods in volume with defaultMode set [LinuxOnly]
// e2e: ConfigMap :: should be consumable from pods in volume as non-root with FSGroup [LinuxOnly]
// e2e: ConfigMap :: should be consumable from pods in volume with mappings as non-root with FSGroup [LinuxOnly]
// e2e: Secrets :: should be consumable from pods in volume with defaultMode set [LinuxOnly]
// e2e: Secrets :: should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly]
// e2e: Projected configMap :: should be consumable from pods in volume as non-root
// e2e: Projected configMap :: should be consumable from pods in volume as non-root with FSGroup [LinuxOnly]
// e2e: Projected configMap :: should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly]
// e2e: Projected configMap :: should be consumable from pods in volume with defaultMode set [LinuxOnly]
// e2e: Projected configMap :: should be consumable from pods in volume with mappings as non-root
// e2e: Projected configMap :: should be consumable from pods in volume with mappings as non-root with FSGroup [LinuxOnly]
// e2e: Projected configMap :: should be consumable from pods in volume with mappings and Item mode set [LinuxOnly]
// e2e: Projected secret :: should be consumable from pods in volume with mappings
// e2e: Downward API volume :: should set DefaultMode on files [LinuxOnly]
// e2e: Downward API volume :: should provide podname as non-root with fsgroup [LinuxOnly]
// e2e: Downward API volume :: should provide podname as non-root with fsgroup and defaultMode [LinuxOnly]
// e2e: Projected downwardAPI :: should set DefaultMode on files [LinuxOnly]
// e2e: Projected downwardAPI :: should provide podname only
// e2e: Projected downwardAPI :: should provide podname as non-root with fsgroup [LinuxOnly]
// e2e: Projected downwardAPI :: should provide podname as non-root with fsgroup and defaultMode [LinuxOnly]
func TestModesOfVolumesFromTheFolder(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("objects", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {file: text}\n---\n"+
		"apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {file: text}\n")
	sources := map[string]string{
		"cm":     "configMap: {name: settings%s%s}",
		"secret": "secret: {secretName: keys%s%s}",
		"down":   "downwardAPI: {items: [{path: file, fieldRef: {fieldPath: metadata.name}}]%.0s%s}",
		"pcm":    "projected: {sources: [{configMap: {name: settings%s}}]%s}",
		"psec":   "projected: {sources: [{secret: {name: keys%s}}]%s}",
		"pdown":  "projected: {sources: [{downwardAPI: {items: [{path: file, fieldRef: {fieldPath: metadata.name}}]}}]%.0s%s}",
	}
	const user, group = "runAsUser: 1000", "fsGroup: 1001"
	for name, source := range sources {
		down := strings.Contains(name, "down")
		for i, tt := range []struct{ items, mode, security, want string }{
			{"", "", user, "644 0 0"},
			{"", ", defaultMode: 0400", "", "400 0 0"},
			{"", "", user + ", " + group, "644 0 1001"},
			{"", ", defaultMode: 0440", user + ", " + group, "440 0 1001"},
			{"", ", defaultMode: 0400", user + ", " + group, "440 0 1001"}, // the group may read what is its own
			{", items: [{key: file, path: file}]", "", user, "644 0 0"},
			{", items: [{key: file, path: file}]", "", user + ", " + group, "644 0 1001"},
			{", items: [{key: file, path: file, mode: 0400}]", "", "", "400 0 0"},
		} {
			if down && tt.items != "" {
				continue
			}
			pod := fmt.Sprintf("%s-%d", name, i)
			b.MustDrop(pod, harness.PodOf(pod, "restartPolicy: Never", "securityContext: {"+tt.security+"}",
				"volumes: [{name: v, "+fmt.Sprintf(source, tt.items, tt.mode)+"}]",
				harness.ContainerOf("main", "echo is $(stat -L -c '%a %u %g' /v/file) $(cat /v/file)", "volumeMounts: [{name: v, mountPath: /v}]")))
			b.WaitPod(pod, harness.IsPhase(corev1.PodSucceeded))
			content := "text"
			if down {
				content = pod
			}
			b.Logged(pod, "main", "is "+tt.want+" "+content)
			b.MustRemove(pod)
		}
	}
}

// e2e: Downward API :: should provide host IP and pod IP as an env var if pod uses host network [LinuxOnly]
// e2e: Downward API :: Downward API tests for local ephemeral storage :: should provide default limits.ephemeral-storage from node allocatable [Serial,Disruptive]
// e2e: Downward API volume :: should provide container's memory limit
// e2e: Downward API volume :: should provide container's cpu request
// e2e: Downward API volume :: should provide node allocatable (cpu) as default cpu limit if the limit is not set
// e2e: Projected downwardAPI :: should provide container's memory limit
// e2e: Projected downwardAPI :: should provide container's cpu request
// e2e: Projected downwardAPI :: should provide container's memory request
func TestDownwardResources(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	items := `items:
- {path: memory-limit, resourceFieldRef: {containerName: main, resource: limits.memory, divisor: 1Mi}}
- {path: memory-request, resourceFieldRef: {containerName: main, resource: requests.memory, divisor: 1Mi}}
- {path: cpu-request, resourceFieldRef: {containerName: main, resource: requests.cpu, divisor: 1m}}
- {path: cpu-limit, resourceFieldRef: {containerName: main, resource: limits.cpu}}
`
	b.MustDrop("down", harness.PodOf("down", "restartPolicy: Never", "volumes:\n- name: plain\n  downwardAPI:\n"+harness.Indent(items, 4)+"- name: projected\n  projected:\n    sources:\n    - downwardAPI:\n"+harness.Indent(items, 8),
		harness.ContainerOf("main", `for d in /plain /projected; do cd $d; echo $d $(cat memory-limit) $(cat memory-request) $(cat cpu-request); echo $d-cpus=$(cat cpu-limit); done; echo storage=$STORAGE`,
			"resources: {limits: {memory: 64Mi}, requests: {memory: 32Mi, cpu: 250m}}",
			"env: [{name: STORAGE, valueFrom: {resourceFieldRef: {resource: limits.ephemeral-storage}}}]",
			"volumeMounts: [{name: plain, mountPath: /plain}, {name: projected, mountPath: /projected}]")))
	b.MustDrop("host", harness.PodOf("host", "restartPolicy: Never", "hostNetwork: true", harness.ContainerOf("main", "echo host=$HOST pod=$POD",
		"env: [{name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}, {name: POD, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]")))
	b.WaitPod("down", harness.IsPhase(corev1.PodSucceeded))
	b.Logged("down", "main", "storage=")
	var node corev1.Node
	b.Must(b.Get("/api/v1/nodes/lab", &node))
	cpus := node.Status.Allocatable.Cpu().Value()
	storage := node.Status.Allocatable.StorageEphemeral().Value()
	hasLines(b, "down", "/plain 64 32 250", "/projected 64 32 250", fmt.Sprintf("/plain-cpus=%d", cpus), fmt.Sprintf("/projected-cpus=%d", cpus))
	if storage == 0 || !strings.Contains(b.LogsOf("down"), fmt.Sprintf("storage=%d\n", storage)) {
		t.Errorf("allocatable %d, log:\n%s", storage, b.LogsOf("down"))
	}
	host := b.WaitPod("host", harness.IsPhase(corev1.PodSucceeded))
	b.Logged("host", "main", "host="+host.Status.HostIP+" pod="+host.Status.HostIP)
}

// e2e: ConfigMap :: Should fail non-optional pod creation due to configMap object does not exist [Slow]
// e2e: Secrets :: Should fail non-optional pod creation due to secret object does not exist [Slow]
// e2e: Projected configMap :: Should fail non-optional pod creation due to configMap object does not exist [Slow]
// e2e: Projected secret :: Should fail non-optional pod creation due to secret object does not exist [Slow]
// e2e: Secrets :: should fail to create secret due to empty secret key
func TestVolumesOfNothing(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for name, tt := range map[string][2]string{
		"cm":     {"configMap: {name: none}", `configmap "none" not found`},
		"secret": {"secret: {secretName: none}", `secret "none" not found`},
		"pcm":    {"projected: {sources: [{configMap: {name: none}}]}", `configmap "none" not found`},
		"psec":   {"projected: {sources: [{secret: {name: none}}]}", `secret "none" not found`},
	} {
		b.MustDrop(name, harness.OnePod(name, harness.Forever, "volumes: [{name: v, "+tt[0]+"}]"))
		b.WaitPod(name, harness.IsWaitingFor("ContainerCreating", `MountVolume.SetUp failed for volume "v" : `+tt[1]))
	}
	b.MustDrop("empty", "apiVersion: v1\nkind: Secret\nmetadata: {name: empty}\ndata: {'': eA==}\n")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, said, _ := b.RunCLI("get", "secrets")
		return strings.Contains(said, `Secret "empty" is invalid: data[]: `), errors.New(said)
	}))
}
