package images

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// A pod's images come with the credentials of each source: both types of Secret, the files of docker and podman, a credential
// helper and a credential provider. The password is in no log, event, record or command line, and in no environment of the
// programs.
func TestCredentialsStayUnseen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	auth := base64.StdEncoding.EncodeToString([]byte("rare:" + rarePassword))
	old := base64.StdEncoding.EncodeToString([]byte("rare:" + rarePassword + "-of-last-year"))
	secrets := []string{rarePassword, auth, base64.StdEncoding.EncodeToString([]byte(rarePassword)), old}
	entry := func(repository, auth string) string {
		return fmt.Sprintf(`{%q: {"auth": %q}}`, dockerRegistry+"/team/"+repository, auth)
	}
	seen := filepath.Join(dir, "seen")
	spy := "#!/bin/sh\ncat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>" + seen + " 2>&1\n"
	put("bin/docker-credential-board", spy+`[ "$(cat)" = localhost:5000 ] && echo '{"Username":"rare","Secret":"`+rarePassword+"\"}'\n")
	put("plugins/provider", spy+`echo '{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Image",`+
		`"auth":{"`+dockerRegistry+`/team/provider":{"username":"rare","password":"`+rarePassword+"\"}}}'\n")
	provider := put("provider.yaml", "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- name: provider\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n"+
		"  defaultCacheDuration: 0s\n  matchImages: ["+dockerRegistry+"/team/provider]\n")
	docker := put("docker.json", `{"auths": `+entry("docker", auth)+`, "credHelpers": {"localhost:5000": "board"}}`)
	podman := put("podman.json", `{"auths": `+entry("podman", auth)+`}`)
	stale := put("stale.json", `{"auths": `+entry("stale", old)+`}`)
	config := filepath.Join(dir, "config.yaml")
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", config, "--log-level", "debug"), func(o *lab.Options) { o.Env = append(o.Env, "PATH="+dir+"/bin:"+os.Getenv("PATH")) })
	certs := startRegistry(t, b)
	put("config.yaml", "registriesConf: /nonexistent\nregistryAuth: ["+docker+", "+podman+", "+stale+"]\nregistryCerts: ["+certs+"]\nimageCredentialProviderConfig: "+provider+"\nimageCredentialProviderBinDir: "+dir+"/plugins\n")
	b.Must(os.MkdirAll(filepath.Join(certs, "localhost:5000"), 0o755))
	b.Must(os.WriteFile(filepath.Join(certs, "localhost:5000", "hosts.toml"), []byte("server = \"https://localhost:5000\"\nskip_verify = true\n"), 0o600))
	data := filepath.Join(filepath.Dir(certs), "data/docker/registry/v2/repositories/team")
	images := []string{dockerRegistry + "/team/dockerconfigjson:1", dockerRegistry + "/team/dockercfg:1", dockerRegistry + "/team/docker:1", dockerRegistry + "/team/podman:1", "localhost:5000/team/helper:1", dockerRegistry + "/team/provider:1", dockerRegistry + "/team/stale:1"}
	var containers []string
	for _, image := range images {
		source := strings.TrimSuffix(filepath.Base(image), ":1")
		b.Must(os.CopyFS(filepath.Join(data, source), os.DirFS(filepath.Join(data, "busybox"))))
		containers = append(containers, strings.Replace(harness.ContainerOf(source, harness.Forever), "image: busybox\n  imagePullPolicy: Never", "image: "+image, 1))
	}
	b.MustStart()
	b.MustDrop("secrets", "apiVersion: v1\nkind: Secret\nmetadata: {name: new}\ntype: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{\"auths\": "+entry("dockerconfigjson", auth)+"}'\n---\n"+
		"apiVersion: v1\nkind: Secret\nmetadata: {name: old}\ntype: kubernetes.io/dockercfg\nstringData:\n  .dockercfg: '"+entry("dockercfg", auth)+"'\n")
	last := len(images) - 1
	b.MustDrop("all", harness.PodOf("all", append([]string{"imagePullSecrets: [{name: new}, {name: old}]"}, containers[:last]...)...))
	b.MustDrop("stale", harness.PodOf("stale", containers[last]))
	b.Running("all")
	b.WaitPod("stale", harness.IsWaiting("stale", "ImagePullBackOff"))
	if _, said, code := b.RunCLI("images", "pull", images[last]); code == 0 || !strings.Contains(said, "auth at "+dockerRegistry) {
		t.Errorf("with an old password: %d, %s", code, said)
	}
	if said := b.CLI("describe", "pods"); !strings.Contains(said, "auth at "+dockerRegistry+": it answers 401") {
		t.Errorf("describe does not say why a pod waits:\n%s", said)
	}
	shown := map[string]string{
		"the log": b.Output(), "events": b.CLI("get", "events", "-o", "yaml"), "the pods": b.CLI("get", "pods", "-o", "yaml"), "describe": b.CLI("describe", "pods"),
		"images": b.CLI("images", "inspect", images[0]), "the processes": b.ReadFile(seen),
	}
	for _, where := range []string{b.Root, b.Run, b.Logs} {
		b.Must(filepath.WalkDir(where, func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(where, path)
			if err != nil || !d.Type().IsRegular() || strings.HasPrefix(rel, "images/l/") || strings.Contains(rel, "/rootfs/") {
				return nil //nolint:nilerr // what goes meanwhile is not there to be read
			}
			text, _ := os.ReadFile(path)
			shown[path] = string(text)
			return nil
		}))
	}
	for where, text := range shown {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("a password is in %s", where)
			}
		}
	}
	if len(shown) < 12 || !strings.Contains(shown["the processes"], "docker-credential-board") || !strings.Contains(shown["the log"], "stale") {
		t.Errorf("hardly anything was looked at: %d things", len(shown))
	}
}
