package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"podd/cmd/podd/internal/cli/debug"
	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/decode"
)

// debugging is one `podd debug`.
type debugging struct {
	*options
	debug.Options
	namespace, custom string
	env               map[string]string
	attach, quiet     bool
	share             bool
	// written: the pod is one of a manifest that was just written.
	written bool
}

func newDebugCommand(o *options) *cobra.Command {
	d := &debugging{options: o}
	cmd := &cobra.Command{
		Use:   "debug (POD | node/NODE) [-it] --image=IMAGE [-- COMMAND [ARG...]]",
		Short: "Look into a pod from a container of another image, run a changed copy of it, or look at the board",
		Example: "  podd debug -it web --image=busybox --target=app\n  podd debug -it web --image=busybox --copy-to=web2\n" +
			"  podd debug web --copy-to=web2 --set-image=app=web:debug\n  podd debug -it node/board --image=busybox",
		RunE: func(cmd *cobra.Command, args []string) error {
			targets := args
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				targets, d.Args = args[:dash], args[dash:]
			}
			return d.run(cmd, targets)
		},
		ValidArgsFunction: completePod(o),
	}
	addNamespace(cmd, &d.namespace)
	f := cmd.Flags()
	f.BoolVar(&d.ArgsOnly, "arguments-only", false, "what follows -- are the arguments, and not the command")
	f.BoolVar(&d.attach, "attach", false, "wait until the container runs, and attach to it; without it only -i does")
	f.StringVarP(&d.Container, "container", "c", "", "name of the container")
	f.StringVar(&d.CopyTo, "copy-to", "", "write a copy of the pod with this name into the folder of manifests")
	f.StringVar(&d.custom, "custom", "", "file with fields of a container (YAML or JSON) that go over those of the profile")
	f.StringToStringVar(&d.env, "env", nil, "variables NAME=VALUE,... of the container")
	f.StringVar(&d.Image, "image", "", "image of the container")
	f.StringVar((*string)(&d.PullPolicy), "image-pull-policy", "", "imagePullPolicy: Always, IfNotPresent or Never")
	f.BoolVar(&d.Keep.Annotations, "keep-annotations", false, "leave the copy the pod's annotations")
	f.BoolVar(&d.Keep.InitContainers, "keep-init-containers", true, "run the pod's init containers in the copy")
	f.BoolVar(&d.Keep.Labels, "keep-labels", false, "leave the copy the pod's labels")
	f.BoolVar(&d.Keep.Liveness, "keep-liveness", false, "leave the copy the liveness probes")
	f.BoolVar(&d.Keep.Readiness, "keep-readiness", false, "leave the copy the readiness probes")
	f.BoolVar(&d.Keep.Startup, "keep-startup", false, "leave the copy the startup probes")
	f.StringVar(&d.Profile, "profile", debug.General, "what the container may: legacy, general, baseline, restricted, netadmin or sysadmin")
	f.BoolVarP(&d.quiet, "quiet", "q", false, "print nothing but what the container writes")
	f.BoolVar(&d.Replace, "replace", false, "with --copy-to: end the pod, and remove its manifest")
	f.BoolVar(&d.SameNode, "same-node", false, "with --copy-to: has no effect, there is one board")
	f.StringToStringVar(&d.SetImages, "set-image", nil, "with --copy-to: other images NAME=IMAGE,... of containers; * is all others")
	f.BoolVar(&d.share, "share-processes", true, "with --copy-to: let the containers of the copy see each other's processes")
	f.BoolVarP(&d.Stdin, "stdin", "i", false, "give the container a stdin, and attach to it")
	f.StringVar(&d.Target, "target", "", "container whose processes are seen")
	f.BoolVarP(&d.TTY, "tty", "t", false, "give the container a terminal")
	f.String("config", "", "configuration of the daemon, which names the folder of manifests")
	f.String("manifests", "", "folder of manifests")
	mustComplete(cmd, "profile", completeWords(debug.Profiles()...))
	mustComplete(cmd, "target", completeContainer(o))
	mustComplete(cmd, "image-pull-policy", completeWords("Always", "IfNotPresent", "Never"))
	return cmd
}

func (d *debugging) run(cmd *cobra.Command, targets []string) error {
	if err := d.complete(cmd); err != nil {
		return err
	}
	if err := d.Validate(); err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("NAME or filename is required for debug")
	}
	if d.Target != "" {
		d.Say("Targeting container %q. If you don't see processes from this container it may be because the container runtime doesn't support this feature.", d.Target)
	}
	if d.Profile == "legacy" && !d.quiet {
		fmt.Fprintln(cmd.ErrOrStderr(), `--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended to specify other profile, for example "--profile=general".`)
	}
	for _, target := range targets {
		pod, container, err := d.start(cmd, target)
		if err == nil && (d.attach || d.Stdin && !cmd.Flags().Changed("attach")) && container != "" {
			err = d.follow(cmd, pod, container)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// complete fills in what the flags say.
func (d *debugging) complete(cmd *cobra.Command) error {
	d.Attach = d.attach
	d.Suffix = func() string { return utilrand.String(5) }
	d.Say = func(format string, args ...any) {
		if !d.quiet {
			fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.env)) {
		d.Env = append(d.Env, corev1.EnvVar{Name: name, Value: d.env[name]})
	}
	if cmd.Flags().Changed("share-processes") {
		d.ShareProcesses = &d.share
	}
	if d.custom == "" {
		return nil
	}
	data, err := os.ReadFile(d.custom)
	if err != nil {
		return fmt.Errorf("must pass a container spec json file for custom profile: %w", err)
	}
	if data, err = decode.YAMLToJSON(data); err == nil {
		d.Custom = &corev1.Container{}
		for _, fault := range decode.Strict(data, d.Custom) {
			err = errors.Join(err, errors.New(fault.Text))
		}
	}
	if err != nil {
		return fmt.Errorf("%s does not contain a valid container spec: %w", d.custom, err)
	}
	return nil
}

// start makes what one target asks for, and says in which container of which pod one looks; "": in none that is new.
func (d *debugging) start(cmd *cobra.Command, target string) (pod, container string, err error) {
	if kind, name, err := parseTarget([]string{target}); err == nil && kind.plural == "nodes" {
		return d.lookAtNode(cmd, kind.path("", name[0]))
	}
	name, err := podName(target)
	if err != nil {
		return "", "", fmt.Errorf("%w: podd debug takes pods, and node/NAME", err)
	}
	var p corev1.Pod
	if err := d.client().Object(cmd.Context(), client.PodPath(d.namespace, name), nil, client.AcceptObject, &p); err != nil {
		return "", "", err
	}
	if d.CopyTo != "" {
		return d.copyPod(cmd, &p)
	}
	return d.addContainer(cmd, &p)
}

// addContainer adds an ephemeral container to a pod.
func (d *debugging) addContainer(cmd *cobra.Command, p *corev1.Pod) (pod, container string, err error) {
	e, err := d.Ephemeral(p)
	if err != nil {
		return "", "", err
	}
	d.warn(cmd.ErrOrStderr(), p, (*corev1.Container)(&e.EphemeralContainerCommon))
	var patch struct {
		Spec struct {
			EphemeralContainers []*corev1.EphemeralContainer `json:"ephemeralContainers"`
		} `json:"spec"`
	}
	patch.Spec.EphemeralContainers = []*corev1.EphemeralContainer{e}
	body, err := json.Marshal(&patch)
	if err != nil {
		return "", "", err
	}
	path := client.PodPath(p.Namespace, p.Name) + "/ephemeralcontainers"
	answer, err := d.client().DoAs(cmd.Context(), http.MethodPatch, path, "application/strategic-merge-patch+json", bytes.NewReader(body))
	if err != nil {
		return "", "", err
	}
	return p.Name, e.Name, answer.Body.Close()
}

func (d *debugging) warn(w io.Writer, p *corev1.Pod, c *corev1.Container) {
	if debug.PowersLost(p, c) {
		fmt.Fprintln(w, `Warning: Non-root user is configured for the entire target Pod, and some capabilities granted by debug profile may not work. Please consider using "--custom" with a custom profile that specifies "securityContext.runAsUser: 0".`)
	}
}

// copyPod writes the manifest of a copy.
func (d *debugging) copyPod(cmd *cobra.Command, p *corev1.Pod) (pod, container string, err error) {
	c, container, err := d.Copy(p)
	if err != nil {
		return "", "", err
	}
	for i := range c.Spec.Containers {
		if c.Spec.Containers[i].Name == container {
			d.warn(cmd.ErrOrStderr(), c, &c.Spec.Containers[i])
		}
	}
	remove := func() error { return nil }
	if d.Replace {
		if remove, err = d.removal(cmd, p); err != nil {
			return "", "", err
		}
	}
	if err := d.write(cmd, c); err != nil {
		return "", "", err
	}
	return c.Name, container, remove()
}

// removal is how a pod is ended for good: its manifest goes, or, if a controller has made it, the pod.
func (d *debugging) removal(cmd *cobra.Command, p *corev1.Pod) (func() error, error) {
	if len(p.OwnerReferences) > 0 {
		return func() error {
			answer, err := d.client().DoAs(cmd.Context(), http.MethodDelete, client.PodPath(p.Namespace, p.Name), "application/json",
				bytes.NewReader([]byte(`{"gracePeriodSeconds":0}`)))
			if err != nil {
				return err
			}
			return answer.Body.Close()
		}, nil
	}
	file := p.Annotations[annotation.ManifestKey]
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot replace pod %s, whose manifest is not to be found: %w", p.Name, err)
	}
	if n := len(decode.Split(data)); n != 1 {
		return nil, fmt.Errorf("cannot replace pod %s: %s has %d objects, and --replace would remove them all: take the pod out of it by hand", p.Name, file, n)
	}
	return func() error {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("cannot remove the manifest: %w", err)
		}
		return nil
	}, nil
}

// lookAtNode writes the manifest of a pod that sees the board.
func (d *debugging) lookAtNode(cmd *cobra.Command, path string) (pod, container string, err error) {
	if d.CopyTo != "" || d.Target != "" {
		return "", "", errors.New("--copy-to and --target are about pods, and not about a node")
	}
	var node corev1.Node
	if err := d.client().Object(cmd.Context(), path, nil, client.AcceptObject, &node); err != nil {
		return "", "", err
	}
	p, err := d.Node(node.Name, d.namespace)
	if err != nil {
		return "", "", err
	}
	return p.Name, p.Spec.Containers[0].Name, d.write(cmd, p)
}

// write puts a pod into the folder of manifests, and says where.
func (d *debugging) write(cmd *cobra.Command, p *corev1.Pod) error {
	data, err := printers.MarshalYAML(p)
	if err != nil {
		return err
	}
	if _, problems := manifest.Parse(p.Name+".yaml", data); len(problems) > 0 {
		return errors.New(escape.Line(problems[0].Message))
	}
	file, err := writePod(cmd, d.options, p.Namespace, p.Name, data)
	if err != nil {
		return err
	}
	d.written = true
	if !d.quiet {
		fmt.Fprintf(cmd.ErrOrStderr(), "The pod is there as long as its manifest is: remove %s to end it.\n", file)
	}
	return nil
}

// follow attaches to the container; of one that has ended it prints the log and how.
func (d *debugging) follow(cmd *cobra.Command, name, container string) error {
	w := waiter{options: d.options, cmd: cmd, namespace: d.namespace, pod: name, container: container, quiet: d.quiet, comes: d.written}
	p, status, err := w.until(func(s *corev1.ContainerStatus) bool { return s.State.Running != nil || s.State.Terminated != nil })
	if err != nil {
		return err
	}
	if ended := status.State.Terminated; ended != nil {
		if err := printLog(cmd, d.options, p, container, false); err != nil {
			return err
		}
		if !d.quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "container %s has ended (%s) with exit code %d\n", container, ended.Reason, ended.ExitCode)
		}
		return nil
	}
	a := attachment{options: d.options, container: container, stdin: d.Stdin, tty: d.TTY, quiet: d.quiet, detachKeys: defaultDetachKeys}
	return a.run(cmd, p)
}
