package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// e2e: FileKeyRef :: should allow initContainer to consume fileKeyRef [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should handle optional missing file or key [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should handle optional keys [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should be consumable in postStart lifecycle hooks [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should fail when file or key does not exist [FeatureGate:EnvFiles]
// e2e: FileKeyRef :: should fail when volumeName does not exist [FeatureGate:EnvFiles]
func TestFilesOfVariables(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	variable := func(name, volume, path, key, optional string) string {
		return "{name: " + name + ", valueFrom: {fileKeyRef: {volumeName: " + volume + ", path: " + path + ", key: " + key + optional + "}}}"
	}
	pod := func(name, env string, more ...string) string {
		return podOf(name, "restartPolicy: Never", "volumes: [{name: vars, emptyDir: {}}]",
			"initContainers:\n"+containerOf("writes", `echo "WORD='hello'" >/vars/env`, "volumeMounts: [{name: vars, mountPath: /vars}]")+
				containerOf("reads", "echo init=$WORD >/vars/seen", "volumeMounts: [{name: vars, mountPath: /vars}]", "env: ["+variable("WORD", "vars", "env", "WORD", "")+"]"),
			containerOf("main", "cat /vars/seen; echo got=$WORD missing=[${MISSING-unset}]; while [ ! -e /hooked ]; do sleep 0.05; done; cat /hooked",
				append(more, "volumeMounts: [{name: vars, mountPath: /vars}]", "env: ["+env+"]")...))
	}
	hook := "lifecycle: {postStart: {exec: {command: [sh, -c, 'echo hook=$WORD >/hooked.new; mv /hooked.new /hooked']}}}"
	word := variable("WORD", "vars", "env", "WORD", "")
	for name, missing := range map[string]string{
		"key": variable("MISSING", "vars", "env", "NONE", ", optional: true"), "file": variable("MISSING", "vars", "none", "WORD", ", optional: true"),
	} {
		b.drop(name, pod(name, word+", "+missing, hook))
		b.wait(name, isPhase(corev1.PodSucceeded))
		b.logged(name, "main", "hook=")
		b.hasLines(name, "init=hello", "got=hello missing=[unset]", "hook=hello")
	}
	for name, missing := range map[string]string{"no-key": variable("MISSING", "vars", "env", "NONE", ""), "no-file": variable("MISSING", "vars", "none", "WORD", "")} {
		b.drop(name, pod(name, missing))
		b.wait(name, func(p *corev1.Pod) string {
			if w := containerStatus(p, "main").State.Waiting; w != nil && w.Reason == "CreateContainerConfigError" && w.Message != "" {
				return ""
			}
			return "it does not wait for a variable"
		})
	}
	// The API server refuses what is not in an emptyDir of the pod.
	b.drop("no-volume", pod("no-volume", variable("MISSING", "none", "env", "WORD", "")))
	b.must(os.WriteFile(filepath.Join(b.Dir, "secret"), []byte("WORD='stolen'"), 0o600))
	b.drop("host", strings.Replace(pod("host", word), "emptyDir: {}", "hostPath: {path: "+b.Dir+"}", 1))
	b.event(`spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "none"`)
	b.event(`fileKeyRef.volumeName: Invalid value: "vars": referenced volume must be of type emptyDir`)
}
