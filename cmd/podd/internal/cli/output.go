package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/escape"
)

// escapeOutput makes all that a command prints harmless for a terminal. What is to arrive as it is (the output of a
// container, an archive, a manifest) goes by way of rawOutput.
func escapeOutput(cmd *cobra.Command) {
	out, errOut := rawOutput(cmd)
	cmd.SetOut(escape.Writer(out))
	cmd.SetErr(escape.Writer(errOut))
}

// rawOutput is stdout and stderr without escapeOutput, which leaves the root command alone.
func rawOutput(cmd *cobra.Command) (out, errOut io.Writer) {
	return cmd.Root().OutOrStdout(), cmd.Root().ErrOrStderr()
}

// formatOutput is stdout for a format of -o. The values of JSON survive what makes it harmless, those of YAML would
// not; its encoder spells control characters itself.
func formatOutput(cmd *cobra.Command, format string) io.Writer {
	out, _ := rawOutput(cmd)
	switch format {
	case "json":
		return escape.JSONWriter(out)
	case "yaml":
		return out
	}
	return cmd.OutOrStdout()
}

// exitError ends podd with this code; what there is to say has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// ExitCode is what report looks for in errors of other packages, too.
func (e exitError) ExitCode() int { return int(e) }

const (
	exitFailed      = 1
	exitNotFollowed = 3   // of status: all that runs is well
	exitInterrupted = 130 // 128 + SIGINT, as a shell has it
)

// Report prints an error as kubectl does and returns the exit code.
func Report(w io.Writer, err error) int {
	var code interface{ ExitCode() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return code.ExitCode()
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	for _, err := range flatten(err) {
		// What follows a line feed is indented, so that no name of a file and no answer makes a sentence of its own.
		fmt.Fprintln(w, strings.ReplaceAll(escape.Text(sentence(err)), "\n", "\n  "))
	}
	return exitFailed
}

// flatten opens errors.Join, and those within.
func flatten(err error) (list []error) {
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, err := range j.Unwrap() {
		list = append(list, flatten(err)...)
	}
	return list
}

func sentence(err error) string {
	var s apierrors.APIStatus
	if !errors.As(err, &s) {
		return "error: " + err.Error()
	}
	if r := s.Status().Reason; r != metav1.StatusReasonUnknown {
		return fmt.Sprintf("Error from server (%s): %s", r, s.Status().Message)
	}
	return "Error from server: " + s.Status().Message
}
