package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/board"
	"podd/cmd/podd/internal/cli/security"
	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
	"podd/internal/escape"
	"podd/netns/diagnose"
)

func newDoctorCommand(o *options) *cobra.Command {
	var output string
	var defaults config.Config
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Say whether this machine can run pods, what is missing, and what to do about it",
		Example: "  podd doctor\n  podd doctor -o json",
		Long: `Look at the kernel, the cgroups, the folders, the clock, the network and the firewall of this
machine, with the daemon's configuration and without the daemon. Exit code 1 if some pods,
or all of them, cannot run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, findings, err := doctorConfig(cmd, output)
			if err != nil {
				return err
			}
			m := c.Machine(board.ReadSynced())
			findings = append(append(findings, m.Programs()...), diagnose.Examine(&m)...)
			return printFindings(formatOutput(cmd, output), findings, output)
		},
	}
	defaults.AddFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	cmd.AddCommand(newDoctorNetworkCommand(o), newDoctorSecurityCommand(o))
	return cmd
}

// doctorConfig is the configuration that the daemon would use, and what is to be said about it.
func doctorConfig(cmd *cobra.Command, output string) (c config.Config, findings []board.Finding, err error) {
	if output != "" && output != "json" {
		return c, nil, fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json", output)
	}
	source, err := config.NewSource(cmd.Flags())
	if err != nil {
		return c, nil, err
	}
	c, _, problem, err := source.Start()
	return c, configuration(problem), err
}

// configuration is the finding about the configuration file.
func configuration(problem error) []board.Finding {
	if problem == nil {
		return nil
	}
	return []board.Finding{{Check: "configuration", Verdict: board.Warn, Reason: problem.Error(), Remedy: "correct the file; podd run reads it again at SIGHUP"}}
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

func newDoctorSecurityCommand(o *options) *cobra.Command {
	var output, pod, namespace string
	cmd := &cobra.Command{
		Use:     "security",
		Short:   "Say what confines each container that runs, and what would confine it more",
		Example: "  podd doctor security --pod web",
		Long: `Read from the kernel what confines each container that runs: its user namespace, its
capabilities, seccomp, AppArmor, no_new_privs, its root, what is masked, which of the
machine's namespaces it is in, its devices and its mounts. Below "tighter" is what its
manifest could say. It changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json", output)
			}
			if os.Geteuid() != 0 {
				return errors.New("podd doctor security needs root: it looks at the containers' processes")
			}
			var pods corev1.PodList
			if err := o.client().Object(cmd.Context(), "/api/v1/pods", nil, client.AcceptObject, &pods); err != nil {
				return err
			}
			list, err := security.Of(&pods, namespace, pod)
			if err != nil {
				return err
			}
			return security.Print(formatOutput(cmd, output), list, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	cmd.Flags().StringVar(&pod, "pod", "", "`name` of the pod to look at, else all")
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "its namespace, else all")
	return cmd
}
