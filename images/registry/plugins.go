package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"podd/internal/program"
)

// Plugins are the kubelet's credential providers: programs that are told an image and answer with credentials.
// https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/
type Plugins struct {
	Folder    string // of the programs
	Providers []Provider

	mu    sync.Mutex
	cache map[string]cached
}

// Provider is an entry of a CredentialProviderConfig.
type Provider struct {
	Name                 string
	MatchImages          []string
	DefaultCacheDuration time.Duration
	APIVersion           string
	Args                 []string
	Env                  []string // NAME=value
}

type cached struct {
	keys  *Entries
	until time.Time
}

type pluginRequest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Image      string `json:"image"`
}

type pluginResponse struct {
	APIVersion    string                 `json:"apiVersion"`
	Kind          string                 `json:"kind"`
	CacheKeyType  string                 `json:"cacheKeyType"`
	CacheDuration string                 `json:"cacheDuration"`
	Auth          map[string]dockerEntry `json:"auth"`
}

// lookup asks each provider that knows images of this kind. The others' answers count when one fails.
func (p *Plugins) lookup(ctx context.Context, repository string) ([]Credential, error) {
	var list []Credential
	var errs []error
	for i := range p.Providers {
		provider := &p.Providers[i]
		if !slices.ContainsFunc(provider.MatchImages, func(pattern string) bool {
			return matchesKey(strings.TrimSuffix(pattern, "/"), repository)
		}) {
			continue
		}
		keys, err := p.ask(ctx, provider, repository)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", provider.Name, err))
			continue
		}
		list = append(list, keys.Lookup(ctx, repository)...)
	}
	return list, errors.Join(errs...)
}

// ask runs a provider, unless it has answered for the same a while ago.
func (p *Plugins) ask(ctx context.Context, provider *Provider, repository string) (*Entries, error) {
	host, _, _ := strings.Cut(repository, "/")
	now := time.Now()
	p.mu.Lock()
	for _, key := range []string{repository, host, ""} {
		if c, ok := p.cache[provider.Name+"\x00"+key]; ok && now.Before(c.until) {
			p.mu.Unlock()
			return c.keys, nil
		}
	}
	p.mu.Unlock()
	answer, err := p.run(ctx, provider, repository)
	if err != nil {
		return nil, err
	}
	keys := &Entries{}
	if err := keys.add(answer.Auth, SecretRef{}); err != nil {
		return nil, err
	}
	key := map[string]string{"Image": repository, "Registry": host, "Global": ""}
	name, known := key[answer.CacheKeyType]
	if !known {
		return nil, fmt.Errorf("its cacheKeyType %q is none of Image, Registry and Global", clip(answer.CacheKeyType, 50))
	}
	duration := provider.DefaultCacheDuration
	if answer.CacheDuration != "" {
		if duration, err = time.ParseDuration(answer.CacheDuration); err != nil {
			return nil, fmt.Errorf("its cacheDuration %q is no duration", clip(answer.CacheDuration, 50))
		}
	}
	if duration > 0 {
		p.mu.Lock()
		if p.cache == nil {
			p.cache = map[string]cached{}
		}
		p.cache[provider.Name+"\x00"+name] = cached{keys, now.Add(duration)}
		p.mu.Unlock()
	}
	return keys, nil
}

func (p *Plugins) run(ctx context.Context, provider *Provider, repository string) (pluginResponse, error) {
	var answer pluginResponse
	path, err := findProgram([]string{p.Folder}, provider.Name)
	if err != nil {
		return answer, err
	}
	request, err := json.Marshal(pluginRequest{provider.APIVersion, "CredentialProviderRequest", repository})
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // the kubelet's
	defer cancel()
	out, err := program.Run(ctx, program.Command{Path: path, Args: provider.Args, Env: provider.Env, Stdin: request})
	switch {
	case err != nil:
		return answer, err
	case out.ExitCode != 0:
		return answer, fmt.Errorf("it ends with the status %d", out.ExitCode)
	case json.Unmarshal(out.Stdout, &answer) != nil:
		return answer, errors.New("its answer is no JSON")
	case answer.Kind != "CredentialProviderResponse" || answer.APIVersion != provider.APIVersion:
		return answer, fmt.Errorf("its answer is of the kind %q and the version %q, and not a CredentialProviderResponse of %q",
			clip(answer.Kind, 50), clip(answer.APIVersion, 50), provider.APIVersion)
	}
	return answer, nil
}

// PluginVersions are the versions of the protocol that podd speaks.
func PluginVersions() []string {
	return []string{"credentialprovider.kubelet.k8s.io/v1", "credentialprovider.kubelet.k8s.io/v1beta1", "credentialprovider.kubelet.k8s.io/v1alpha1"}
}
