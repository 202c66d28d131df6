package cli

import (
	"errors"
	"fmt"
	"maps"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/config"
	"podd/runtime/manifest/annotation"
	"podd/runtime/seal"
)

// sealing is one `podd seal`.
type sealing struct {
	file       string
	root       string
	recipients []string
	print      bool
}

func newSealCommand() *cobra.Command {
	s := &sealing{}
	cmd := &cobra.Command{
		Use:     "seal [-f FILE|-] [--recipient age1...]",
		Short:   "Encrypt a Secret so that only this board, or the boards named, can read it",
		Example: "  podd seal -f secret.yaml >/etc/podd/manifests/secret.yaml\n  kubectl create secret generic db --from-literal=password=x --dry-run=client -o yaml | podd seal >db.yaml",
		Long: `Encrypt the values of a Secret so that only this board, or the boards whose recipients
are named, can read them. What is printed is a Secret again, to be put into the folder of
manifests. Where podd has no board's key, --recipient makes it work offline:
podd seal --print-recipient on the board prints what to name.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVarP(&s.file, "filename", "f", "-", "file with Secrets, or - for stdin")
	f.StringVar(&s.root, "root", config.Default().Root, "folder that has this board's key")
	f.StringArrayVar(&s.recipients, "recipient", nil, "recipient of a board that may read it; may be given several times")
	f.BoolVar(&s.print, "print-recipient", false, "print this board's recipient and do nothing else")
	return cmd
}

func (s *sealing) run(cmd *cobra.Command) error {
	if s.print || len(s.recipients) == 0 {
		recipient, err := seal.Of(s.root).Recipient()
		if err != nil {
			return err
		}
		if s.print {
			fmt.Fprintln(cmd.OutOrStdout(), recipient)
			return nil
		}
		s.recipients = []string{recipient}
	}
	objects, problems, err := readObjects(cmd.InOrStdin(), s.file)
	if err != nil {
		return fmt.Errorf("cannot seal: %w", err)
	}
	for i := range problems {
		return errors.New(problems[i].Message)
	}
	out, _ := rawOutput(cmd)
	for i := range objects {
		secret, ok := objects[i].Value.(*corev1.Secret)
		if !ok {
			return fmt.Errorf("%s: %s %q is not a Secret: only Secrets are sealed", objects[i].File, objects[i].Kind, objects[i].Name)
		}
		if annotation.IsSealed(secret) {
			return fmt.Errorf("%s: Secret %q is sealed already", objects[i].File, secret.Name)
		}
		sealed, err := s.seal(secret)
		if err != nil {
			return err
		}
		text, err := printers.MarshalYAML(sealed)
		if err != nil {
			return fmt.Errorf("cannot print Secret %q: %w", secret.Name, err)
		}
		if i > 0 {
			fmt.Fprintln(out, "---")
		}
		fmt.Fprintf(out, "%s", text)
	}
	return nil
}

// seal returns a copy of a Secret with encrypted values.
func (s *sealing) seal(in *corev1.Secret) (*corev1.Secret, error) {
	out := in.DeepCopy()
	out.TypeMeta.Kind, out.TypeMeta.APIVersion, out.UID = "Secret", "v1", ""
	out.Annotations = maps.Clone(in.Annotations)
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	out.Annotations[annotation.SealedKey] = seal.Form
	for key, value := range in.Data {
		sealed, err := seal.Seal(seal.Place{Namespace: in.Namespace, Name: in.Name, Key: key}, value, s.recipients)
		if err != nil {
			return nil, err
		}
		out.Data[key] = sealed
	}
	return out, nil
}
