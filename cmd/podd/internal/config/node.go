package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"podd/board"
	"podd/runtime/container/rlimit"
)

// modelLabel is the label of the node that names the model of the board.
const modelLabel = "podd.dev/model"

// Labels are the node's: those of the configuration, and the board's model.
func (c *Config) Labels() map[string]string {
	labels := map[string]string{}
	if model := labelValue((&board.Machine{}).Model()); model != "" {
		labels[modelLabel] = model
	}
	maps.Copy(labels, c.NodeLabels)
	return labels
}

// labelValue makes a label's value of any text: Raspberry Pi 4 Model B becomes Raspberry-Pi-4-Model-B.
func labelValue(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		}
		return '-'
	}, strings.TrimRight(text, "\x00\n "))
	if len(text) > validation.LabelValueMaxLength {
		text = text[:validation.LabelValueMaxLength]
	}
	return strings.Trim(text, "-._")
}

func (c *Config) checkLabels() error {
	for _, key := range slices.Sorted(maps.Keys(c.NodeLabels)) {
		if why := validation.IsQualifiedName(key); len(why) > 0 {
			return fmt.Errorf("nodeLabels: %q cannot be the name of a label: %s", key, why[0])
		}
		if why := validation.IsValidLabelValue(c.NodeLabels[key]); len(why) > 0 {
			return fmt.Errorf("nodeLabels: %q cannot be the value of label %s: %s", c.NodeLabels[key], key, why[0])
		}
	}
	return nil
}

// rlimitText is a resource limit as the configuration has it: a number, or a text such as 1024:524288.
type rlimitText string

// UnmarshalJSON takes both.
func (t *rlimitText) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '"' {
		var number uint64
		if err := json.Unmarshal(data, &number); err != nil {
			return err
		}
		*t = rlimitText(data)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// Rlimits are the resource limits of containers that say nothing of theirs.
func (c *Config) Rlimits() ([]rlimit.Limit, error) {
	texts := make(map[string]string, len(c.DefaultRlimits))
	for name, text := range c.DefaultRlimits {
		texts[name] = string(text)
	}
	return rlimit.Parse(texts)
}

// Machine is this one as the daemon would use it; synced says whether its clock is kept right.
func (c *Config) Machine(synced bool) board.Machine {
	network := c.Network()
	m := board.Machine{
		Now: time.Now(), Synced: synced,
		Folders: []board.Folder{
			board.ReadFolder("root", c.Root), board.ReadFolder("run", c.RunDir), board.ReadFolder("logs", c.LogDir),
		},
		Bridge:         c.Bridge,
		PortInterfaces: c.HostPortInterfaces, PortSources: c.HostPortSources, PodIPSources: c.PodIPSources, Router: c.Router,
	}
	for _, cidr := range append([]netip.Prefix{network.CIDR, network.CIDR6}, network.ServiceCIDRs...) {
		if cidr.IsValid() {
			m.CIDRs = append(m.CIDRs, cidr)
		}
	}
	return m
}
