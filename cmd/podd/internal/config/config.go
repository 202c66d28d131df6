// Package config is what `podd run` is told by a file and by flags: its type, how it is read and judged, and what of it changes
// while pods run.
package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/device"
	"podd/runtime/device/cdi"
	"podd/runtime/manifest/annotation"
	"podd/runtime/runtimeclass"
)

const (
	DefaultSocket = "/run/podd/podd.sock"
	DefaultFile   = "/etc/podd/config.yaml"
)

// Config is what `podd run` is told: by a file, and by flags, which win. A key of the file
// has the name that KubeletConfiguration (kubelet.config.k8s.io/v1beta1) gives the thing,
// where it has one.
type Config struct {
	Manifests string `json:"staticPodPath"`
	Images    string `json:"imagePath"`  // archives that are loaded when they appear
	Root      string `json:"root"`       // on flash: images, volumes, container roots
	RunDir    string `json:"runDir"`     // on tmpfs: what dies with the machine
	Socket    string `json:"socket"`     // of the API
	LogDir    string `json:"podLogsDir"` // CRI logs of the containers
	NodeName  string `json:"nodeName"`   // "": the host's name
	// NodeLabels are labels of the node, beside those that podd gives it.
	NodeLabels map[string]string `json:"nodeLabels"`
	PodCIDR    netip.Prefix      `json:"podCIDR"`
	Bridge     string            `json:"bridge"`
	// CgroupRoot is the cgroup below which the pods' tree is made; "": podd's own where systemd has delegated it, else /podd.
	CgroupRoot string `json:"cgroupRoot"`

	ContainerLogMaxSize  resource.Quantity `json:"containerLogMaxSize"`
	ContainerLogMaxFiles int               `json:"containerLogMaxFiles"`
	ContainerLogDriver   string            `json:"containerLogDriver"`  // of annotation.LogDrivers
	PodPidsLimit         int64             `json:"podPidsLimit"`        // -1: none
	ShutdownGracePeriod  metav1.Duration   `json:"shutdownGracePeriod"` // for all pods when the unit or machine stops
	CrashLoopBackOff     CrashLoopConfig   `json:"crashLoopBackOff"`

	ShutdownConfig `json:",inline"`

	// DefaultRlimits are resource limits of containers, "soft:hard" by name.
	DefaultRlimits map[string]rlimitText `json:"defaultRlimits"`
	// AllowedUnsafeSysctls are names of sysctls, or prefixes with an asterisk, that pods may set beside the safe ones.
	AllowedUnsafeSysctls []string `json:"allowedUnsafeSysctls"`
	// Devices offer devices of the machine to pods as resources.
	Devices []device.Rule `json:"devices"`
	// RuntimeHandlers are how pods are run whose RuntimeClass names one of them.
	RuntimeHandlers runtimeclass.Handlers `json:"runtimeHandlers"`
	// CDISpecDirs are the folders of CDI specs, the later ones before the earlier.
	CDISpecDirs []string `json:"cdiSpecDirs"`
	// CDIAnnotations lets pods name CDI devices in annotations, beside resources and runtime classes.
	CDIAnnotations bool `json:"cdiAnnotations"`
	// SeccompDefault gives containers whose pods name no seccomp profile the runtime's.
	SeccompDefault bool `json:"seccompDefault"`
	// NoNewPrivileges keeps containers whose pods do not say allowPrivilegeEscalation from gaining privileges.
	NoNewPrivileges bool `json:"noNewPrivileges"`
	// UnenforcedSELinux says what becomes of pods that ask for labels where SELinux is off: ignore runs them without, as a
	// kubelet does, refuse does not admit them.
	UnenforcedSELinux string `json:"unenforcedSELinux"`
	// UnknownKinds says what becomes of documents of kinds that podd does not act on: accept stores them, refuse makes them
	// a problem of their file.
	UnknownKinds string `json:"unknownKinds"`
	// PodSecurity is the level of the Pod Security Standards for namespaces whose labels say nothing, with a version after a
	// colon.
	PodSecurity           string             `json:"podSecurity"`
	PodSecurityExemptions SecurityExemptions `json:"podSecurityExemptions"`

	Logging LoggingConfig `json:"logging"`

	UserNamespaces UsersConfig `json:"userNamespaces"`

	ImagesConfig  `json:",inline"`
	NetworkConfig `json:",inline"`
	NamesConfig   `json:",inline"`
	PullConfig    `json:",inline"`
	SocketConfig  `json:",inline"`
	SharingConfig `json:",inline"`

	file string // --config
}

// CrashLoopConfig is how containers that crash are started again.
type CrashLoopConfig struct {
	MaxContainerRestartPeriod metav1.Duration `json:"maxContainerRestartPeriod"` // the longest delay before a start
}

// SecurityExemptions are where the Pod Security Standards do not count, as in PodSecurityConfiguration
// (pod-security.admission.config.k8s.io/v1).
type SecurityExemptions struct {
	Namespaces     []string `json:"namespaces"`
	RuntimeClasses []string `json:"runtimeClasses"`
}

// The kubelet's bounds of crashLoopBackOff.maxContainerRestartPeriod. KEP-4603
const (
	minRestartPeriod = time.Second
	maxRestartPeriod = 5 * time.Minute
)

func (c *CrashLoopConfig) check() error {
	if d := c.MaxContainerRestartPeriod.Duration; d < minRestartPeriod || d > maxRestartPeriod {
		return fmt.Errorf("crashLoopBackOff.maxContainerRestartPeriod must be between 1s and 5m, not %s", d)
	}
	return nil
}

func Default() Config {
	return Config{
		Manifests:            "/etc/podd/manifests",
		Images:               "/etc/podd/images",
		Root:                 "/var/lib/podd",
		RunDir:               "/run/podd",
		Socket:               DefaultSocket,
		LogDir:               "/var/log/pods",
		PodCIDR:              netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 210, 0, 0}), 22),
		Bridge:               "podd0",
		NodeLabels:           map[string]string{},
		DefaultRlimits:       map[string]rlimitText{},
		AllowedUnsafeSysctls: []string{},
		Devices:              []device.Rule{},
		CDISpecDirs:          cdi.DefaultDirs(),
		RuntimeHandlers:      runtimeclass.Handlers{},
		CDIAnnotations:       true,
		SeccompDefault:       true,
		PodSecurity:          "privileged",
		UnenforcedSELinux:    "ignore",
		UnknownKinds:         "accept",

		PodSecurityExemptions: SecurityExemptions{Namespaces: []string{}, RuntimeClasses: []string{}},

		ContainerLogMaxSize:  resource.MustParse("10Mi"),
		ContainerLogMaxFiles: 5,
		ContainerLogDriver:   annotation.LogFile,
		PodPidsLimit:         -1,
		ShutdownConfig:       ShutdownConfig{ShutdownGracePeriodByPodPriority: []PriorityShutdown{}},
		ShutdownGracePeriod:  metav1.Duration{Duration: time.Minute},
		CrashLoopBackOff:     CrashLoopConfig{metav1.Duration{Duration: maxRestartPeriod}},
		Logging:              LoggingConfig{Format: "text", Level: "info"},
		UserNamespaces:       defaultUsers(),
		ImagesConfig:         defaultImages(),
		NetworkConfig:        defaultNetwork(),
		NamesConfig:          defaultNames(),
		PullConfig:           defaultPull(),
		SharingConfig:        defaultSharing(),
		file:                 DefaultFile,
	}
}

// AddFlags gives c its defaults and binds the flags of `podd run` to it.
func (c *Config) AddFlags(f *pflag.FlagSet) {
	*c = Default()
	f.StringVar(&c.Manifests, "manifests", c.Manifests, "folder of the pods' manifests")
	f.StringVar(&c.Images, "images", c.Images, "folder of image archives to load")
	f.StringVar(&c.Root, "root", c.Root, "folder for images and volumes")
	f.StringVar(&c.RunDir, "run-dir", c.RunDir, "folder for state that need not survive a reboot")
	f.StringVar(&c.Socket, "socket", c.Socket, "socket of the API")
	f.StringVar(&c.LogDir, "log-dir", c.LogDir, "folder for the containers' logs")
	f.StringVar(&c.NodeName, "node-name", c.NodeName, "name of this machine (the host's name if empty)")
	f.TextVar(&c.PodCIDR, "pod-cidr", c.PodCIDR, "IPv4 network of the pods' addresses")
	f.StringVar(&c.Bridge, "bridge", c.Bridge, "network interface that the pods are attached to")
	f.StringVar(&c.CgroupRoot, "cgroup-root", c.CgroupRoot, "cgroup that the pods' cgroups are made in (podd's own where systemd delegates it, else /podd)")
	f.StringVar(&c.Logging.Format, "log-format", c.Logging.Format, "text or json")
	f.StringVar(&c.Logging.Level, "log-level", c.Logging.Level, "debug, info, warn or error")
	f.StringVar(&c.file, "config", c.file, "configuration file; flags win over it")
}

// complete fills in what the machine knows and makes paths absolute.
func (c *Config) complete() (err error) {
	if c.NodeName == "" {
		if c.NodeName, err = os.Hostname(); err != nil {
			return fmt.Errorf("cannot read the host's name: %w", err)
		}
	}
	for key, p := range map[string]*string{
		"staticPodPath": &c.Manifests, "imagePath": &c.Images, "root": &c.Root, "runDir": &c.RunDir, "socket": &c.Socket, "podLogsDir": &c.LogDir,
	} {
		if *p == "" { // else it would be the folder that podd was started in
			return fmt.Errorf("%s must not be empty: name a path, or remove the key", key)
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return fmt.Errorf("cannot make %q absolute: %w", *p, err)
		}
	}
	return nil
}
