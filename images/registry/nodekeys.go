package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"podd/internal/program"
)

// NodeKeys are the credentials that the machine's owner has put down: files of Docker and podman, and programs that know
// more. All of it is read again for each image: credentials are changed while podd runs.
type NodeKeys struct {
	// Files are config.json of Docker or auth.json of podman; those that are not there have nothing.
	Files []string
	// HelperPath are the folders where docker-credential-NAME is looked for.
	HelperPath []string
	// Registries is the registries.conf whose credential-helpers are asked, too; "": none is.
	Registries string
	Plugins    *Plugins // nil: none
	Log        *slog.Logger
}

// helperPatience is how long a program may take to answer.
const helperPatience = 20 * time.Second

// dockerFile is the part of a Docker configuration that is about credentials.
type dockerFile struct {
	Helpers map[string]string `json:"credHelpers"`
	Store   string            `json:"credsStore"`
}

// Lookup lists the credentials for a repository: of the files first, then of the programs.
func (k *NodeKeys) Lookup(ctx context.Context, repository string) []Credential {
	var list []Credential
	host, _, _ := strings.Cut(repository, "/")
	if host == "docker.io" {
		host = "https://index.docker.io/v1/"
	}
	for _, file := range k.Files {
		data, err := os.ReadFile(file)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				k.warn("cannot read credentials", "file", file, "error", err)
			}
			continue
		}
		var entries Entries
		if err := entries.AddDockerConfigJSON(data, SecretRef{}); err != nil {
			k.warn("a file of credentials is not as it should be", "file", file, "error", err)
		}
		list = append(list, entries.Lookup(ctx, repository)...)
		var programs dockerFile
		_ = json.Unmarshal(data, &programs) // said above
		helper := programs.Helpers[strings.TrimSuffix(strings.TrimPrefix(host, "https://"), "/v1/")]
		if helper == "" {
			helper = programs.Helpers[host]
		}
		if helper == "" {
			helper = programs.Store
		}
		list = append(list, k.ask(ctx, helper, host)...)
	}
	if conf, err := readRegistriesConf(k.Registries); err == nil {
		for _, helper := range conf.Helpers {
			if helper != "containers-auth.json" { // the files above
				list = append(list, k.ask(ctx, helper, host)...)
			}
		}
	}
	if k.Plugins != nil {
		more, err := k.Plugins.lookup(ctx, repository)
		if err != nil {
			k.warn("a credential provider does not answer", "error", err)
		}
		list = append(list, more...)
	}
	return list
}

func (k *NodeKeys) warn(text string, args ...any) {
	if k.Log != nil {
		k.Log.Warn(text, args...)
	}
}

// ask runs a credential helper of Docker's: it is told the registry on its stdin and answers with JSON.
// https://github.com/docker/docker-credential-helpers
func (k *NodeKeys) ask(ctx context.Context, helper, host string) []Credential {
	if helper == "" {
		return nil
	}
	c, err := k.run(ctx, helper, host)
	if err != nil {
		k.warn("a credential helper does not answer", "helper", helper, "registry", host, "error", err)
		return nil
	}
	if c.empty() {
		return nil
	}
	return []Credential{c}
}

func (k *NodeKeys) run(ctx context.Context, helper, host string) (Credential, error) {
	if strings.ContainsAny(helper, "/\x00") {
		return Credential{}, errors.New("its name must not have a slash")
	}
	path, err := findProgram(k.HelperPath, "docker-credential-"+helper)
	if err != nil {
		return Credential{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, helperPatience)
	defer cancel()
	out, err := program.Run(ctx, program.Command{Path: path, Args: []string{"get"}, Stdin: []byte(host)})
	if err != nil {
		return Credential{}, err
	}
	if out.ExitCode != 0 {
		if strings.Contains(string(out.Stdout), "credentials not found") {
			return Credential{}, nil
		}
		return Credential{}, fmt.Errorf("it ends with the status %d", out.ExitCode)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out.Stdout, &answer); err != nil {
		return Credential{}, errors.New("its answer is no JSON") // the text of err may have a part of it
	}
	if answer.Username == "<token>" {
		return Credential{IdentityToken: answer.Secret}, nil
	}
	return Credential{Username: answer.Username, Password: answer.Secret}, nil
}

func findProgram(folders []string, name string) (string, error) {
	for _, dir := range folders {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no program %s in %s", name, strings.Join(folders, ", "))
}
