package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/images/registry"
	"podd/runtime/imagepull"
	"podd/runtime/manifest/decode"
)

// PullConfig is the part of the configuration that is about pulling images, at the top level of the file. Keys that
// KubeletConfiguration has are its own; imageCredentialProviderConfig and …BinDir are flags of the kubelet.
type PullConfig struct {
	PullImages              bool              `json:"pullImages"` // false: images come from archives alone
	SerializeImagePulls     bool              `json:"serializeImagePulls"`
	MaxParallelImagePulls   int               `json:"maxParallelImagePulls"`   // 0: as many as are needed
	ImagePullBytesPerSecond resource.Quantity `json:"imagePullBytesPerSecond"` // 0: as many as come
	ImagePullWindow         string            `json:"imagePullWindow"`         // 22:00-06:00; "": the whole day
	// ImagePullOffline: where the policy is Always and no registry answers, the image that is there is used.
	ImagePullOffline bool `json:"imagePullOffline"`
	// ImagePullDeltas: of layers with a table of contents only the files that the board has not got are fetched.
	ImagePullDeltas bool `json:"imagePullDeltas"`

	ImagePullCredentialsVerificationPolicy string   `json:"imagePullCredentialsVerificationPolicy"`
	PreloadedImagesVerificationAllowlist   []string `json:"preloadedImagesVerificationAllowlist"`

	RegistriesConf string   `json:"registriesConf"` // registries.conf, version 2
	RegistryCerts  []string `json:"registryCerts"`  // folders with one folder a registry
	RegistryAuth   []string `json:"registryAuth"`   // config.json of Docker, auth.json of podman

	ImageCredentialProviderConfig string `json:"imageCredentialProviderConfig"`
	ImageCredentialProviderBinDir string `json:"imageCredentialProviderBinDir"`

	HTTPProxy  string `json:"httpProxy"` // "": that of the environment
	HTTPSProxy string `json:"httpsProxy"`
	NoProxy    string `json:"noProxy"`
}

func defaultPull() PullConfig {
	return PullConfig{
		PullImages: true, MaxParallelImagePulls: 2, ImagePullOffline: true, ImagePullDeltas: true, ImagePullBytesPerSecond: resource.MustParse("0"),
		ImagePullCredentialsVerificationPolicy: imagepull.NeverVerifyPreloadedImages, PreloadedImagesVerificationAllowlist: []string{},
		RegistriesConf: "/etc/containers/registries.conf",
		RegistryCerts:  []string{"/etc/podd/certs.d", "/etc/containerd/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"},
		RegistryAuth:   []string{"/etc/podd/auth.json", "/root/.docker/config.json", "/root/.config/containers/auth.json"},
	}
}

func (c *PullConfig) check() error {
	switch {
	case c.MaxParallelImagePulls < 0:
		return fmt.Errorf("maxParallelImagePulls must not be negative, not %d", c.MaxParallelImagePulls)
	case c.ImagePullBytesPerSecond.Sign() < 0:
		return fmt.Errorf("imagePullBytesPerSecond must not be negative")
	case !slices.Contains(imagepull.Policies(), c.ImagePullCredentialsVerificationPolicy):
		return fmt.Errorf("imagePullCredentialsVerificationPolicy must be one of %s, not %q", strings.Join(imagepull.Policies(), ", "), c.ImagePullCredentialsVerificationPolicy)
	case len(c.PreloadedImagesVerificationAllowlist) > 0 && c.ImagePullCredentialsVerificationPolicy != imagepull.NeverVerifyAllowlistedImage:
		return fmt.Errorf("preloadedImagesVerificationAllowlist counts only with imagePullCredentialsVerificationPolicy: %s", imagepull.NeverVerifyAllowlistedImage)
	case c.ImageCredentialProviderConfig != "" && c.ImageCredentialProviderBinDir == "":
		return fmt.Errorf("imageCredentialProviderConfig needs imageCredentialProviderBinDir: the folder of the programs")
	}
	for key, address := range map[string]string{"httpProxy": c.HTTPProxy, "httpsProxy": c.HTTPSProxy} {
		if address != "" && !isProxyAddress(address) { // which is not repeated: it may have a password
			return fmt.Errorf("%s must be the address of a proxy, such as http://USER:PASSWORD@HOST:PORT (or https, socks5)", key)
		}
	}
	if _, err := imagepull.ParseWindow(c.ImagePullWindow); err != nil {
		return fmt.Errorf("imagePullWindow %w", err)
	}
	for key, paths := range map[string][]string{
		"registriesConf": {c.RegistriesConf}, "registryCerts": c.RegistryCerts, "registryAuth": c.RegistryAuth,
		"imageCredentialProviderConfig": {c.ImageCredentialProviderConfig}, "imageCredentialProviderBinDir": {c.ImageCredentialProviderBinDir},
	} {
		for _, p := range paths {
			if p != "" && !filepath.IsAbs(p) {
				return fmt.Errorf("%s must be an absolute path, not %q", key, p)
			}
		}
	}
	return nil
}

// isProxyAddress says what http.ProxyFromEnvironment can use.
func isProxyAddress(address string) bool {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}

// Pulls are the settings that count for pulls from now on.
func (c *PullConfig) Pulls() imagepull.Settings {
	window, _ := imagepull.ParseWindow(c.ImagePullWindow) // check has seen it
	s := imagepull.Settings{
		Parallel: c.MaxParallelImagePulls, Offline: c.ImagePullOffline, Deltas: c.ImagePullDeltas, Window: window,
		Verification: imagepull.Verification{Policy: c.ImagePullCredentialsVerificationPolicy, Allow: c.PreloadedImagesVerificationAllowlist},
	}
	if c.SerializeImagePulls {
		s.Parallel = 1
	}
	return s
}

// providerConfig is a CredentialProviderConfig (kubelet.config.k8s.io/v1).
type providerConfig struct {
	metav1.TypeMeta `json:",inline"`
	Providers       []struct {
		Name                 string          `json:"name"`
		MatchImages          []string        `json:"matchImages"`
		DefaultCacheDuration metav1.Duration `json:"defaultCacheDuration"`
		APIVersion           string          `json:"apiVersion"`
		Args                 []string        `json:"args"`
		Env                  []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"env"`
	} `json:"providers"`
}

// Providers reads the programs that know credentials; nil: there are none.
func (c *PullConfig) Providers() (*registry.Plugins, error) {
	if c.ImageCredentialProviderConfig == "" {
		return nil, nil
	}
	data, err := os.ReadFile(c.ImageCredentialProviderConfig)
	if err != nil {
		return nil, fmt.Errorf("cannot read imageCredentialProviderConfig: %w", err)
	}
	m, err := decode.ReadMapping(c.ImageCredentialProviderConfig, data)
	if err != nil {
		return nil, err
	}
	var file providerConfig
	faults, err := m.Decode(&file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.ImageCredentialProviderConfig, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s: %s", c.ImageCredentialProviderConfig, faults[0])
	}
	if file.Kind != "CredentialProviderConfig" {
		return nil, fmt.Errorf("%s is of the kind %q and not CredentialProviderConfig", c.ImageCredentialProviderConfig, file.Kind)
	}
	out := &registry.Plugins{Folder: c.ImageCredentialProviderBinDir}
	for i, p := range file.Providers {
		at := fmt.Sprintf("%s: providers[%d]", c.ImageCredentialProviderConfig, i)
		switch {
		case p.Name == "" || p.Name == "." || p.Name == ".." || strings.ContainsAny(p.Name, "/ "):
			return nil, fmt.Errorf("%s.name must be the name of a program in imageCredentialProviderBinDir, not %q", at, p.Name)
		case len(p.MatchImages) == 0:
			return nil, fmt.Errorf("%s.matchImages must not be empty", at)
		case !slices.Contains(registry.PluginVersions(), p.APIVersion):
			return nil, fmt.Errorf("%s.apiVersion must be one of %s, not %q", at, strings.Join(registry.PluginVersions(), ", "), p.APIVersion)
		}
		provider := registry.Provider{
			Name: p.Name, MatchImages: p.MatchImages, APIVersion: p.APIVersion, Args: p.Args,
			DefaultCacheDuration: max(p.DefaultCacheDuration.Duration, time.Duration(0)),
		}
		for _, e := range p.Env {
			provider.Env = append(provider.Env, e.Name+"="+e.Value)
		}
		out.Providers = append(out.Providers, provider)
	}
	return out, nil
}
