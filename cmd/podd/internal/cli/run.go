package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
	"podd/internal/atomicfile"
	"podd/internal/escape"
	"podd/runtime/manifest"
)

// runPod is `podd run NAME --image=IMAGE`: kubectl run, which writes a manifest into the folder.
type runPod struct {
	*options
	namespace, image, restart, pullPolicy, dryRun, output, labels string
	overrides, overrideType                                       string
	env, annotations                                              []string
	port                                                          int32
	command, attach, remove, restartGiven, privileged, expose     bool
	stdin, tty, leaveOpen, quiet                                  bool
	detachKeys, container                                         string
	runningTimeout                                                time.Duration
}

// addRunPod lets the command that is the daemon also run one pod, if it is told an image.
func addRunPod(cmd *cobra.Command, o *options) {
	r := &runPod{options: o}
	cmd.Use = "run [NAME --image=IMAGE [-- ARG...]]"
	cmd.Long += "\n\nWith a NAME and an --image it writes the manifest of a pod into the folder, for the podd that runs, as kubectl run does."
	cmd.Example += "\n  podd run web --image=busybox:1.36 -- httpd -f"
	addNamespace(cmd, &r.namespace)
	f := cmd.Flags()
	f.StringVar(&r.image, "image", "", "run a pod of this image instead of the daemon")
	f.StringArrayVar(&r.env, "env", nil, "variable NAME=VALUE of the container; may be given several times")
	f.Int32Var(&r.port, "port", 0, "port that the container listens at")
	f.StringVarP(&r.labels, "labels", "l", "", "labels KEY=VALUE,... of the pod, instead of run=NAME")
	f.StringSliceVar(&r.annotations, "annotations", nil, "annotations KEY=VALUE,... of the pod")
	f.BoolVar(&r.privileged, "privileged", false, "run the container in privileged mode")
	f.BoolVar(&r.expose, "expose", false, "make a ClusterIP Service for the --port as well")
	f.StringVar(&r.overrides, "overrides", "", "JSON that is merged into the pod (RFC 7386)")
	f.StringVar(&r.overrideType, "override-type", "merge", "how --overrides change the pod: merge")
	f.BoolVar(&r.command, "command", false, "what follows -- is the command, and not its arguments")
	f.StringVar(&r.restart, "restart", string(corev1.RestartPolicyAlways), "restartPolicy: Always, OnFailure or Never")
	f.StringVar(&r.pullPolicy, "image-pull-policy", "", "imagePullPolicy: Always, IfNotPresent or Never")
	f.StringVar(&r.dryRun, "dry-run", "none", "client: print the manifest and write none")
	f.StringVarP(&r.output, "output", "o", "", "yaml or json, with --dry-run")
	f.BoolVar(&r.attach, "attach", false, "show what the pod writes, until it ends")
	f.BoolVar(&r.remove, "rm", false, "remove the pod when it has ended, or the session has; implies --attach")
	f.BoolVarP(&r.stdin, "stdin", "i", false, "give the container a stdin, and attach to it; implies --attach")
	f.BoolVarP(&r.tty, "tty", "t", false, "give the container a terminal")
	f.BoolVar(&r.leaveOpen, "leave-stdin-open", false, "leave stdin open for later clients when the first one goes")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "print nothing but what the container writes")
	f.DurationVar(&r.runningTimeout, "pod-running-timeout", 0, "how long --attach waits for the pod to run, for example 5m; 0: as long as it takes")
	f.StringVar(&r.detachKeys, "detach-keys", defaultDetachKeys, "keys that end the session and leave the container alone")
	f.Lookup("dry-run").NoOptDefVal = "client"
	mustComplete(cmd, "restart", completeWords("Always", "OnFailure", "Never"))
	mustComplete(cmd, "dry-run", completeWords("none", "client"))
	mustComplete(cmd, "output", completeWords("yaml", "json"))
	daemonArgs, daemon := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if r.image == "" && daemonArgs != nil {
			if err := daemonArgs(cmd, args); err != nil {
				return fmt.Errorf("%w (a pod needs --image)", err)
			}
			return nil
		}
		if len(args) == 0 || cmd.ArgsLenAtDash() == 0 {
			return errors.New("NAME is required for run")
		}
		if dash := cmd.ArgsLenAtDash(); dash > 1 || dash < 0 && len(args) > 1 {
			return errors.New("name one pod; what its command is to get stands behind --")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if r.image == "" {
			return daemon(cmd, args)
		}
		if f := cmd.Flags().Lookup("socket"); f != nil && f.Changed { // the daemon's own flag hides that of all commands
			r.socket = f.Value.String()
		}
		return r.run(cmd, args[0], args[1:])
	}
}

func (r *runPod) run(cmd *cobra.Command, name string, args []string) error {
	if r.tty && !r.stdin {
		return errors.New("-i/--stdin is required for containers with -t/--tty=true")
	}
	if r.remove && r.restart == string(corev1.RestartPolicyAlways) && cmd.Flags().Changed("restart") && !r.stdin {
		return errors.New("--rm needs a pod that ends: --restart=Never or OnFailure")
	}
	if !cmd.Flags().Changed("attach") && r.stdin {
		r.attach = true
	}
	if r.attach && r.dryRun != "none" && (r.stdin || cmd.Flags().Changed("attach")) {
		return errors.New("--dry-run can't be used with attached containers options (--attach, --stdin, or --tty)")
	}
	if r.runningTimeout < 0 {
		return errors.New("--pod-running-timeout must be higher than zero")
	}
	if r.expose && r.port == 0 {
		return errors.New("--port must be set when exposing a service")
	}
	r.restartGiven = cmd.Flags().Changed("restart")
	objects, data, err := r.objects(name, args)
	if err != nil {
		return err
	}
	switch r.dryRun {
	case "none":
	case "client":
		return r.print(cmd, name, objects, data)
	default:
		return fmt.Errorf("--dry-run must be none or client, not %q: podd run writes a file, which no server sees", r.dryRun)
	}
	if r.output != "" {
		return errors.New("-o goes with --dry-run=client")
	}
	file, err := writePod(cmd, r.options, r.namespace, name, data)
	if err != nil {
		return err
	}
	if r.expose && !r.quiet {
		fmt.Fprintf(cmd.OutOrStdout(), "service/%s created\n", name)
	}
	if !r.attach && !r.remove {
		fmt.Fprintf(cmd.OutOrStdout(), "pod/%s created\n", name)
		return nil
	}
	err = r.follow(cmd, name)
	if r.remove {
		if rmErr := os.Remove(file); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("cannot remove the manifest: %w", rmErr))
		}
	}
	return err
}

// objects are what the flags ask for, and the manifest of them: the Service, if there is to be one, and the pod.
func (r *runPod) objects(name string, args []string) (objects []any, data []byte, err error) {
	made, err := r.pod(name, args)
	if err != nil {
		return nil, nil, err
	}
	pod, err := r.override(made)
	if err != nil {
		return nil, nil, err
	}
	if r.expose {
		objects = append(objects, r.service(made))
	}
	objects = append(objects, pod)
	for i, o := range objects {
		document, err := printers.MarshalYAML(o)
		if err != nil {
			return nil, nil, err
		}
		if i > 0 {
			data = append(data, "---\n"...)
		}
		data = append(data, document...)
	}
	parsed, problems := manifest.Parse(name+".yaml", data)
	if len(problems) > 0 {
		return nil, nil, errors.New(escape.Line(problems[0].Message))
	}
	r.container = manifest.Pods(parsed)[0].Object.Spec.Containers[0].Name
	return objects, data, nil
}

// override merges what --overrides say into a pod. It stays a tree: a field that no pod has must show.
func (r *runPod) override(pod *corev1.Pod) (any, error) {
	if r.overrides == "" {
		return pod, nil
	}
	if r.overrideType != "merge" {
		return nil, fmt.Errorf("--override-type must be merge, not %q: podd knows no other patch of a pod", r.overrideType)
	}
	var patch map[string]any
	if err := json.Unmarshal([]byte(r.overrides), &patch); err != nil || patch == nil {
		return nil, errors.New(`--overrides must be one JSON object, for example {"spec":{"hostNetwork":true}}`)
	}
	var tree map[string]any
	data, err := json.Marshal(pod)
	if err == nil {
		err = json.Unmarshal(data, &tree)
	}
	if err != nil {
		return nil, err
	}
	was := nameOf(tree)
	tree = mergePatch(tree, patch).(map[string]any)
	if is := nameOf(tree); was != is {
		return nil, fmt.Errorf("--overrides must leave the pod's kind, namespace and name as they are: %s, not %s", was, escape.Line(is))
	}
	return tree, nil
}

// nameOf is the kind, the namespace and the name of an object.
func nameOf(tree map[string]any) string {
	metadata, _ := tree["metadata"].(map[string]any)
	return fmt.Sprintf("%v %v/%v", tree["kind"], metadata["namespace"], metadata["name"])
}

// mergePatch is RFC 7386, section 2.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	fields, ok := target.(map[string]any)
	if !ok {
		fields = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(fields, name)
		} else {
			fields[name] = mergePatch(fields[name], value)
		}
	}
	return fields
}

// service finds the pod by the labels that the flags gave it, as kubectl run --expose makes it.
func (r *runPod) service(pod *corev1.Pod) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
		Spec: corev1.ServiceSpec{
			Ports:    []corev1.ServicePort{{Port: r.port, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(r.port)}},
			Selector: pod.Labels,
		},
	}
}

// pod is what the flags say, as kubectl run makes it.
func (r *runPod) pod(name string, args []string) (*corev1.Pod, error) {
	labels := map[string]string{"run": name}
	if r.labels != "" {
		labels = map[string]string{}
		for _, pair := range strings.Split(r.labels, ",") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok {
				return nil, fmt.Errorf("--labels must be KEY=VALUE,..., not %q", pair)
			}
			labels[key] = value
		}
	}
	c := corev1.Container{
		Name: name, Image: r.image, ImagePullPolicy: corev1.PullPolicy(r.pullPolicy),
		Stdin: r.stdin, StdinOnce: r.stdin && !r.leaveOpen, TTY: r.tty,
	}
	for _, pair := range r.env {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--env must be NAME=VALUE, not %q", pair)
		}
		c.Env = append(c.Env, corev1.EnvVar{Name: key, Value: value})
	}
	var annotations map[string]string
	for _, pair := range r.annotations {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--annotations must be KEY=VALUE,..., not %q", pair)
		}
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[key] = value
	}
	if r.privileged {
		c.SecurityContext = &corev1.SecurityContext{Privileged: &r.privileged}
	}
	if r.port != 0 {
		c.Ports = []corev1.ContainerPort{{ContainerPort: r.port}}
	}
	if r.command {
		c.Command = args
	} else {
		c.Args = args
	}
	if r.remove && !r.restartGiven {
		r.restart = string(corev1.RestartPolicyNever)
	}
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: r.namespace, Labels: labels, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{c}, RestartPolicy: corev1.RestartPolicy(r.restart)},
	}, nil
}

func (r *runPod) print(cmd *cobra.Command, name string, objects []any, data []byte) error {
	out := formatOutput(cmd, r.output)
	switch r.output {
	case "yaml":
		_, err := out.Write(data)
		return err
	case "json":
		for _, o := range objects {
			text, err := json.MarshalIndent(o, "", "    ")
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s\n", text); err != nil {
				return err
			}
		}
		return nil
	case "":
		if r.expose {
			fmt.Fprintf(out, "service/%s created (dry run)\n", name)
		}
		_, err := fmt.Fprintf(out, "pod/%s created (dry run)\n", name)
		return err
	}
	return fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json,yaml", r.output)
}

// writePod puts the manifest of a pod into the folder. It takes the place of no other.
func writePod(cmd *cobra.Command, o *options, namespace, name string, data []byte) (file string, err error) {
	folder, err := manifestFolder(cmd)
	if err != nil {
		return "", err
	}
	base := name
	if namespace != "default" {
		base = namespace + "-" + name
	}
	file = filepath.Join(folder, base+".yaml")
	var there corev1.Pod
	path := client.PodPath(namespace, name)
	if _, err := os.Lstat(file); err == nil || o.client().Object(cmd.Context(), path, nil, client.AcceptObject, &there) == nil {
		return "", fmt.Errorf("pods %q already exists: take another name, or remove its manifest from %s", name, folder)
	}
	// The daemon reads the folder at any moment, and every file that is not hidden: another name would be another pod.
	hidden := filepath.Join(folder, "."+base+".yaml")
	if err = atomicfile.WriteSync(hidden, data, 0o644); err == nil {
		err = errors.Join(os.Rename(hidden, file), atomicfile.SyncDir(folder))
	}
	if err != nil {
		return "", fmt.Errorf("cannot write the manifest: %w", err)
	}
	return file, nil
}

func manifestFolder(cmd *cobra.Command) (string, error) {
	source, err := config.NewSource(cmd.Flags())
	if err != nil {
		return "", err
	}
	c, _, err := source.Read()
	if err != nil {
		return "", err
	}
	return c.Manifests, nil
}

// follow shows what a pod writes until it ends, and ends as its container does.
func (r *runPod) follow(cmd *cobra.Command, name string) error {
	w := waiter{options: r.options, cmd: cmd, namespace: r.namespace, pod: name, container: r.container, quiet: r.quiet, comes: true}
	w.limit = r.runningTimeout
	pod, status, err := w.until(func(s *corev1.ContainerStatus) bool { return s.State.Waiting == nil || s.RestartCount > 0 })
	w.limit = 0
	if err != nil {
		return err
	}
	if r.stdin && status.State.Running != nil {
		err = r.interact(cmd, pod)
	} else {
		err = printLog(cmd, r.options, pod, r.container, true)
	}
	if err != nil || r.stdin && (r.leaveOpen || pod.Spec.RestartPolicy == corev1.RestartPolicyAlways) {
		return err
	}
	_, status, err = w.until(func(s *corev1.ContainerStatus) bool {
		return s.State.Terminated != nil && (s.State.Terminated.ExitCode == 0 || !r.stdin || pod.Spec.RestartPolicy == corev1.RestartPolicyNever)
	})
	if err != nil {
		return err
	}
	ended := status.State.Terminated
	if ended.ExitCode == 0 {
		return nil
	}
	if r.stdin && !r.quiet {
		fmt.Fprintf(cmd.ErrOrStderr(), "pod %s/%s terminated (%s)\n", r.namespace, name, ended.Reason)
		if ended.Message != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), ended.Message)
		}
	}
	return exitError(ended.ExitCode)
}

// interact attaches to the container, after what it has written before.
func (r *runPod) interact(cmd *cobra.Command, pod *corev1.Pod) error {
	if err := printLog(cmd, r.options, pod, r.container, false); err != nil {
		return err
	}
	a := attachment{options: r.options, container: r.container, stdin: true, tty: r.tty, quiet: r.quiet, detachKeys: r.detachKeys}
	return a.run(cmd, pod)
}
