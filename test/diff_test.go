package test

import (
	"os"
	"path/filepath"
	"testing"
)

// podd diff says beforehand what a file would do to the pod that runs.
func TestDiff(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	limits := "resources: {requests: {memory: 4Mi}, limits: {memory: 160Mi}}"
	manifest := podOf("app", containerOf("main", forever, limits))
	file := filepath.Join(t.TempDir(), "app.yaml")
	says := func(text, want string, code int) {
		t.Helper()
		b.must(os.WriteFile(file, []byte(text), 0o600))
		stdout, stderr, got := b.run("diff", "-f", file)
		if stdout != want || got != code {
			t.Errorf("exit %d: %s%swant exit %d: %s", got, stdout, stderr, code, want)
		}
	}
	says(manifest, "pod/app: new\n", 1)
	b.drop("app", manifest)
	b.running("app")
	says("# a comment\n"+manifest, "pod/app: unchanged\n", 0)
	says(replaceImage(manifest, "podd.test/stopsignal:1"), "pod/app: changed in place: spec.containers[0].image; restarts main\n", 1)
	says(replaceIn(t, manifest, "160Mi", "192Mi"), "pod/app: changed in place: spec.containers[0].resources; restarts nothing\n", 1)
	says(replaceIn(t, manifest, "  name: app\n", "  name: app\n  labels: {a: b}\n"), "pod/app: changed in place: metadata.labels; restarts nothing\n", 1)
	says(replaceIn(t, manifest, "spec:\n", "spec:\n  hostNetwork: true\n"), "pod/app: replaced, because of spec.hostNetwork\n", 1)
	says(replaceIn(t, manifest, "command:", "comand:"), "", 2)
	b.drop("job", podOf("job", "restartPolicy: Never", containerOf("main", "exit 0")))
	b.wait("job", isPhase("Succeeded"))
	says(replaceImage(podOf("job", "restartPolicy: Never", containerOf("main", "exit 0")), "podd.test/stopsignal:1"), "pod/job: replaced, because it has ended: spec.containers[0].image\n", 1)
}
