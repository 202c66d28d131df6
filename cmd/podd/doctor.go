package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"podd/board"
	"podd/internal/escape"
	"podd/netns"
)

func newDoctorCommand(o *options) *cobra.Command {
	var output string
	var defaults Config
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine can run pods, what is missing, and what to do about it",
		Long: `Look at the kernel, the cgroups, the folders, the clock, the network and the firewall of this
machine, with the daemon's configuration and without the daemon. Exit code 1 if some pods,
or all of them, cannot run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, findings, err := doctorConfig(cmd, output)
			if err != nil {
				return err
			}
			return printFindings(formatOutput(cmd, output), append(findings, examine(&c, board.ReadSynced())...), output)
		},
	}
	defaults.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	cmd.AddCommand(newDoctorNetworkCommand(o))
	return cmd
}

// doctorConfig is the configuration that the daemon would use, and what is to be said about it.
func doctorConfig(cmd *cobra.Command, output string) (c Config, findings []board.Finding, err error) {
	if output != "" && output != "json" {
		return c, nil, fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json", output)
	}
	source, err := newConfigSource(cmd.Flags())
	if err != nil {
		return c, nil, err
	}
	c, _, problem, err := source.start()
	return c, configuration(problem), err
}

// configuration is the finding about the configuration file.
func configuration(problem error) []board.Finding {
	if problem == nil {
		return nil
	}
	return []board.Finding{{Check: "configuration", Verdict: board.Warn, Reason: problem.Error(), Remedy: "correct the file; podd run reads it again at SIGHUP"}}
}

// examine looks at this machine as the daemon would use it; synced says whether its clock is kept right.
func examine(c *Config, synced bool) []board.Finding {
	network := c.network()
	m := board.Machine{
		Now: time.Now(), Synced: synced,
		Folders: []board.Folder{
			board.ReadFolder("root", c.Root), board.ReadFolder("run", c.RunDir), board.ReadFolder("logs", c.LogDir),
		},
		Bridge: c.Bridge, Table: "podd", Errors: map[string]error{},
		PortInterfaces: c.HostPortInterfaces, PortSources: c.HostPortSources, PodIPSources: c.PodIPSources, Router: c.Router,
	}
	for _, cidr := range append([]netip.Prefix{network.CIDR, network.CIDR6}, network.ServiceCIDRs...) {
		if cidr.IsValid() {
			m.CIDRs = append(m.CIDRs, cidr)
		}
	}
	routes, err := netns.Routes()
	m.Errors["routes"] = err
	for _, r := range routes {
		m.Routes = append(m.Routes, board.Route(r))
	}
	m.Chains, m.Errors["nftables"] = baseChains()
	return m.Examine()
}

func baseChains() ([]board.Chain, error) {
	chains, err := netns.BaseChains()
	var list []board.Chain
	for _, chain := range chains {
		list = append(list, board.Chain(chain))
	}
	return list, err
}

// printFindings prints a line for each finding and its remedy below it.
func printFindings(out io.Writer, list []board.Finding, format string) error {
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"verdict": board.Worst(list), "findings": list}); err != nil {
			return err
		}
	} else {
		for _, f := range list {
			fmt.Fprintf(out, "%-4s  %-16s  %s\n", f.Verdict, f.Check, escape.Line(f.Reason))
			if f.Remedy != "" {
				fmt.Fprintf(out, "%24s-> %s\n", "", escape.Line(f.Remedy))
			}
		}
	}
	if board.Worst(list) == board.Fail {
		return exitError(exitFailed)
	}
	return nil
}

// consult looks at the board once and says what is not as it should be, in the log and in the node's conditions. It
// runs beside the first pods' start.
func (d *daemon) consult() {
	var reasons []string
	// At a boot the network has not told the time yet; a clock that was never set at all shows by its year.
	const synced = true
	for _, f := range examine(d.config, synced) {
		if f.Verdict == board.OK {
			continue
		}
		reasons = append(reasons, f.Check+": "+f.Reason)
		level := d.log.Warn
		if f.Verdict == board.Fail {
			level = d.log.Error
		}
		level("doctor: "+f.Reason, "check", f.Check, "remedy", cmp.Or(f.Remedy, "none known"))
	}
	d.ailments.set(strings.Join(reasons, "; "))
}
