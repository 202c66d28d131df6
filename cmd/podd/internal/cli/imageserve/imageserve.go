// Package imageserve is the command that gives the images of a store to other machines.
package imageserve

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/config"
	"podd/images"
	"podd/images/distribution"
	"podd/internal/escape"
	"podd/runtime/imagepull"
)

// New makes the command; root is the folder of podd's state.
func New(root *string) *cobra.Command {
	var address string
	var private bool
	var pair distribution.KeyPair
	cmd := &cobra.Command{
		Use:   "serve --listen ADDRESS",
		Short: "Give the images to other machines, as a registry that can only be read",
		Long: "Give the images to other machines until it is interrupted, as a registry that can only be read, whether podd runs or\n" +
			"not. Images that a registry gave for credentials alone are left out without --private. For a board that gives its\n" +
			"images always there is imageServe in the configuration. Without a certificate it is plain HTTP: what others get is verified\n" +
			"by its digest, and can be seen on the way.",
		Example: "  podd images serve --listen 10.0.0.5:5000\n  skopeo copy --src-tls-verify=false docker://10.0.0.5:5000/library/busybox:1.36 oci:busybox",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				return errors.New("name the address to listen at, such as --listen 10.0.0.5:5000")
			}
			if err := distribution.CheckAddress(address); err != nil {
				return fmt.Errorf("--listen %w", err)
			}
			if err := pair.Check("--tls-cert-file", "--tls-private-key-file"); err != nil {
				return err
			}
			folder := filepath.Join(*root, "images")
			if _, err := os.Stat(folder); err != nil {
				return fmt.Errorf("there are no images to give: %w: name the folder of podd's state with --root", err)
			}
			store, err := images.Open(folder, images.Options{InUse: func() (map[string]bool, error) {
				return nil, errors.New("nothing is to be removed by who only reads")
			}})
			if store == nil {
				return err
			}
			server := &distribution.Server{Store: store, Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))}
			if !private {
				server.Allow = func() distribution.Allow { // the daemon may write them at any time
					records := &imagepull.Records{File: config.PullRecordsFile(*root)}
					return imagepull.Allow(store, records, imagepull.Verification{})
				}
			}
			l, err := distribution.Listen(cmd.Context(), address)
			if err != nil {
				return fmt.Errorf("cannot listen at %s: %w", address, err)
			}
			if l, err = distribution.Secure(l, pair, server.Log); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "images of %s are given at %s\n", escape.Line(*root), address)
			return server.Serve(cmd.Context(), l)
		},
	}
	cmd.Flags().StringVar(&address, "listen", "", "`address` and port of this machine, or 0.0.0.0 and a port for all its networks")
	cmd.Flags().BoolVar(&private, "private", false, "give images too that a registry gave for credentials alone")
	cmd.Flags().StringVar(&pair.Cert, "tls-cert-file", "", "`file` of a certificate, to serve with TLS")
	cmd.Flags().StringVar(&pair.Key, "tls-private-key-file", "", "`file` of the certificate's key")
	return cmd
}
