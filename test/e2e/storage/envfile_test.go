package storage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// e2e: FileKeyRef :: should allow initContainer to consume fileKeyRef [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should handle optional missing file or key [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should handle optional keys [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should be consumable in postStart lifecycle hooks [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should fail when file or key does not exist [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should fail when volumeName does not exist [FeatureGate:EnvFiles]
func TestFilesOfVariables(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	variable := func(name, volume, path, key, optional string) string {
		return "{name: " + name + ", valueFrom: {fileKeyRef: {volumeName: " + volume + ", path: " + path + ", key: " + key + optional + "}}}"
	}
	pod := func(name, env string, more ...string) string {
		return harness.PodOf(name, "restartPolicy: Never", "volumes: [{name: vars, emptyDir: {}}]",
			"initContainers:\n"+harness.ContainerOf("writes", `echo "WORD='hello'" >/vars/env`, "volumeMounts: [{name: vars, mountPath: /vars}]")+
				harness.ContainerOf("reads", "echo init=$WORD >/vars/seen", "volumeMounts: [{name: vars, mountPath: /vars}]", "env: ["+variable("WORD", "vars", "env", "WORD", "")+"]"),
			harness.ContainerOf("main", "cat /vars/seen; echo got=$WORD missing=[${MISSING-unset}]; while [ ! -e /hooked ]; do sleep 0.05; done; cat /hooked",
				append(more, "volumeMounts: [{name: vars, mountPath: /vars}]", "env: ["+env+"]")...))
	}
	hook := "lifecycle: {postStart: {exec: {command: [sh, -c, 'echo hook=$WORD >/hooked.new; mv /hooked.new /hooked']}}}"
	word := variable("WORD", "vars", "env", "WORD", "")
	for name, missing := range map[string]string{
		"key": variable("MISSING", "vars", "env", "NONE", ", optional: true"), "file": variable("MISSING", "vars", "none", "WORD", ", optional: true"),
	} {
		b.MustDrop(name, pod(name, word+", "+missing, hook))
		b.WaitPod(name, harness.IsPhase(corev1.PodSucceeded))
		b.Logged(name, "main", "hook=")
		hasLines(b, name, "init=hello", "got=hello missing=[unset]", "hook=hello")
	}
	for name, missing := range map[string]string{"no-key": variable("MISSING", "vars", "env", "NONE", ""), "no-file": variable("MISSING", "vars", "none", "WORD", "")} {
		b.MustDrop(name, pod(name, missing))
		b.WaitPod(name, func(p *corev1.Pod) string {
			if w := harness.ContainerStatus(p, "main").State.Waiting; w != nil && w.Reason == "CreateContainerConfigError" && w.Message != "" {
				return ""
			}
			return "it does not wait for a variable"
		})
	}
	// The API server refuses what is not in an emptyDir of the pod.
	b.MustDrop("no-volume", pod("no-volume", variable("MISSING", "none", "env", "WORD", "")))
	b.Must(os.WriteFile(filepath.Join(b.Dir, "secret"), []byte("WORD='stolen'"), 0o600))
	b.MustDrop("host", strings.Replace(pod("host", word), "emptyDir: {}", "hostPath: {path: "+b.Dir+"}", 1))
	b.Event(`spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "none"`)
	b.Event(`fileKeyRef.volumeName: Invalid value: "vars": referenced volume must be of type emptyDir`)
}
