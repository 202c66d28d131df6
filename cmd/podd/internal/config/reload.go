package config

import (
	"reflect"
	"slices"
	"strings"
)

// liveKeys are the settings that a reload changes.
func liveKeys() []string {
	return []string{
		"containerLogMaxSize", "containerLogMaxFiles", "containerLogDriver", "podPidsLimit", "shutdownGracePeriod", "shutdownGracePeriodCriticalPods", "shutdownGracePeriodByPodPriority", "crashLoopBackOff.maxContainerRestartPeriod", "defaultRlimits", "allowedUnsafeSysctls", "seccompDefault", "noNewPrivileges", "unenforcedSELinux", "devices", "cdiAnnotations", "runtimeHandlers", "podSecurity", "unknownKinds", "podSecurityExemptions.namespaces", "podSecurityExemptions.runtimeClasses", "userNamespaces.mode", "nodeLabels", "logging.level",
		"imageGCHighThresholdPercent", "imageGCLowThresholdPercent", "imageMinimumGCAge", "imageMaximumGCAge",
		"imagePolicy", "imageSignatureStores", "imageVerifiers",
		"serializeImagePulls", "maxParallelImagePulls", "imagePullBytesPerSecond", "imagePullWindow", "imagePullOffline", "imagePullDeltas", "imagePeers", "imagePeersResolveTags",
		"imagePullCredentialsVerificationPolicy", "preloadedImagesVerificationAllowlist",
	}
}

// LaterKeys are the keys of the file that differ and that only a restart takes over.
func LaterKeys(now, next *Config) []string {
	var keys []string
	live := liveKeys()
	eachKey("", reflect.ValueOf(now).Elem(), reflect.ValueOf(next).Elem(), func(key string, a, b reflect.Value) {
		if !slices.Contains(live, key) && !reflect.DeepEqual(a.Interface(), b.Interface()) {
			keys = append(keys, key)
		}
	})
	return keys
}

// eachKey visits every key of the configuration file, "a.b" within "a".
func eachKey(prefix string, a, b reflect.Value, visit func(key string, a, b reflect.Value)) {
	t := a.Type()
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("json")
		if tag == "" {
			continue
		}
		key := prefix + strings.Split(tag, ",")[0]
		if t.Field(i).Type.Kind() == reflect.Struct && t.Field(i).Type.PkgPath() == t.PkgPath() {
			if key != prefix { // else the field is inlined
				key += "."
			}
			eachKey(key, a.Field(i), b.Field(i), visit)
			continue
		}
		visit(key, a.Field(i), b.Field(i))
	}
}

// TakeLive takes over from next what may change while pods run.
func (c *Config) TakeLive(next *Config) {
	c.ContainerLogMaxSize, c.ContainerLogMaxFiles = next.ContainerLogMaxSize, next.ContainerLogMaxFiles
	c.ContainerLogDriver = next.ContainerLogDriver
	c.PodPidsLimit, c.ShutdownGracePeriod, c.Logging.Level = next.PodPidsLimit, next.ShutdownGracePeriod, next.Logging.Level
	c.ShutdownConfig = next.ShutdownConfig
	c.DefaultRlimits, c.AllowedUnsafeSysctls = next.DefaultRlimits, next.AllowedUnsafeSysctls
	c.NodeLabels, c.CrashLoopBackOff = next.NodeLabels, next.CrashLoopBackOff
	c.Devices, c.CDIAnnotations, c.RuntimeHandlers = next.Devices, next.CDIAnnotations, next.RuntimeHandlers
	c.SeccompDefault, c.UserNamespaces.Mode = next.SeccompDefault, next.UserNamespaces.Mode
	c.NoNewPrivileges, c.UnenforcedSELinux = next.NoNewPrivileges, next.UnenforcedSELinux
	c.UnknownKinds = next.UnknownKinds
	c.PodSecurity, c.PodSecurityExemptions = next.PodSecurity, next.PodSecurityExemptions
	c.ImagesConfig = next.ImagesConfig
	c.SerializeImagePulls, c.MaxParallelImagePulls = next.SerializeImagePulls, next.MaxParallelImagePulls
	c.ImagePullBytesPerSecond, c.ImagePullWindow, c.ImagePullOffline = next.ImagePullBytesPerSecond, next.ImagePullWindow, next.ImagePullOffline
	c.ImagePullDeltas = next.ImagePullDeltas
	c.ImagePeers, c.ImagePeersResolveTags = next.ImagePeers, next.ImagePeersResolveTags
	c.ImagePullCredentialsVerificationPolicy = next.ImagePullCredentialsVerificationPolicy
	c.PreloadedImagesVerificationAllowlist = next.PreloadedImagesVerificationAllowlist
}
