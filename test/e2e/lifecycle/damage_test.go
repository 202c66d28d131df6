package lifecycle

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// damages are what a dying card, a loss of power or somebody's mistake makes of a file. believed: what is left may well be
// what podd has written, so that nothing need be set aside.
var damages = []struct {
	name     string
	believed bool
	do       func(path string) error
}{
	{"empty", false, func(p string) error { return os.Truncate(p, 0) }},
	{"half", false, func(p string) error {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		return os.Truncate(p, info.Size()/2)
	}},
	{"zeros", false, overwrite(func(data []byte) { clear(data) })},
	{"a flipped bit", true, overwrite(func(data []byte) {
		// Not in the name of an image: it would be believed, be the name of another, and no command could run.
		const image = "busybox"
		at := len(data) / 2
		if name := bytes.LastIndex(data[:min(at+len(image), len(data))], []byte(image)); name >= 0 && name+len(image) > at {
			at = min(name+len(image), len(data)-1)
		}
		data[at] ^= 1 << 5
	})},
	{"null values", false, replaced(`{"default/d":null}`)},
	{"no values", true, replaced(`{}`)},
	{"another type", false, replaced(`[[1,-1,1e999]]`)},
	{"a huge number", false, replaced(`{"uid":99999999999999999999,"Pod":1e400}`)},
	{"folder", false, instead(func(p string) error { return os.MkdirAll(filepath.Join(p, "inside"), 0o700) })},
	{"FIFO", false, instead(func(p string) error { return unix.Mkfifo(p, 0o600) })},
	{"link", false, instead(func(p string) error { return os.Symlink("/var/tmp/podd-not-to-be-written", p) })},
}

func overwrite(change func([]byte)) func(string) error {
	return func(p string) error {
		data, err := os.ReadFile(p)
		if err != nil || len(data) == 0 {
			return err
		}
		change(data)
		return os.WriteFile(p, data, 0o600)
	}
}

func replaced(text string) func(string) error {
	return func(p string) error { return os.WriteFile(p, []byte(text), 0o600) }
}

func instead(put func(string) error) func(string) error {
	return func(p string) error {
		if err := os.Remove(p); err != nil {
			return err
		}
		return put(p)
	}
}

// stateFiles are podd's files of state, by a name for their kind; a test that finds a file of no kind fails, so that
// whoever adds one says here what it is. structured: its content has a form that can be broken.
var stateFiles = []struct {
	kind, pattern string
	structured    bool
}{
	{"record", `^run/pods/[^/]+\.json$`, true},
	{"container state", `^run/containers/[^/]+/state\.json$`, true},
	{"copy of a container's state", `^run/containers/[^/]+/state\.copy$`, true},
	{"spool state", `^run/io/[^/]+/spool\.state$`, false},
	{"position in the journal", `^run/io/[^/]+/journal\.position$`, false},
	{"spool", `^run/io/[^/]+/[a-z]+\.spool$`, false},
	{"environment", `^run/sandbox/[^/]+/[^/]+\.env$`, true},
	{"events", `^run/events\.jsonl$`, true},
	{"names", `^run/names\.json$`, true},
	{"boot", `^run/boot-id$`, true},
	{"cordon", `^lib/cordon\.json$`, true},
	{"claims", `^lib/claims\.json$`, true},
	{"changes in place", `^lib/continued\.json$`, true},
	{"services", `^lib/services\.json$`, true},
	{"rollback", `^lib/rollback/[^/]+\.json$`, true},
	{"end of a pod", `^lib/finished/[^/]+\.json$`, true},
	{"last good manifest", `^lib/lastgood/[0-9a-f]+\.json$`, true},
	{"immutable objects", `^lib/lastgood/immutable$`, true},
	{"device of the manifests", `^lib/lastgood/folder-device$`, true},
	{"last good configuration", `^lib/config\.lastgood\.yaml$`, false},
	{"run folder", `^lib/run-dir$`, false},
	{"token key", `^lib/keys/token\.pem$`, true},
	{"seal key", `^lib/keys/seal\.age$`, true},
	{"image", `^lib/images/i/[^/]+\.json$`, true},
	{"archives", `^lib/images/folder\.json$`, true},
	{"generation", `^lib/images/generation$`, false},
	{"check of layers", `^lib/images/checked$`, false},
	{"ledger of a layer", `^lib/images/d/[^/]+$`, false},
	{"use of images", `^lib/images/used\.json$`, false},
	{"locks of images", `^lib/images/(lock|loads)$`, false},
	{"log", `^log/.*\.log$`, false},
	{"address", `^run/leases/[0-9.]+$`, false},
	{"devices", `^run/roots/[^/]+/devices\.json$`, true},
	{"SELinux level", `^run/levels/c[0-9]+,c[0-9]+$`, false},
	{"user IDs", `^run/users/[0-9]+\+[0-9]+$`, false},
	{"workload", `^(run|lib)/workloads/[a-z]+_[^/]+\.json$`, true},
	{"Jobs that are over", `^lib/workloads/over$`, true},
	{"claims of workloads", `^lib/workloads/claims$`, false},
}

// ofWorkloads are the kinds that TestDamagedWorkloads damages.
var ofWorkloads = []string{"workload", "Jobs that are over", "claims of workloads"}

// notState are files of others, or made again at each use.
var notState = regexp.MustCompile(`^lib/(images/(l|tmp|damaged)|pods|volumes|containers)/|^run/(volumes|roots|base|pause|cgroup|mapped|ns)/|^run/sandbox/[^/]+/(shm|hosts|hostname|resolv\.conf|.*\.termination)|\.damaged-[0-9]+|\.tmp$`)

// files lists podd's files of state by kind.
func stateFilesOf(b *harness.Board) map[string][]string {
	b.T.Helper()
	found := map[string][]string{}
	b.Must(filepath.WalkDir(b.Dir, func(path string, e fs.DirEntry, err error) error {
		if isLease := strings.HasPrefix(path, b.Run+"/leases/") || strings.HasPrefix(path, b.Run+"/levels/") || strings.HasPrefix(path, b.Run+"/users/"); err != nil || !e.Type().IsRegular() && !(isLease && e.Type() == fs.ModeSymlink && e.Name() != "last") {
			return nil //nolint:nilerr // it went away
		}
		name, err := filepath.Rel(b.Dir, path)
		if err != nil {
			return err
		}
		if top, _, _ := strings.Cut(name, "/"); !slices.Contains([]string{"run", "lib", "log"}, top) || notState.MatchString(name) && !strings.HasSuffix(name, "/devices.json") {
			return nil
		}
		for _, f := range stateFiles {
			if regexp.MustCompile(f.pattern).MatchString(name) {
				found[f.kind] = append(found[f.kind], path)
				return nil
			}
		}
		b.T.Errorf("%s is of no kind that is known", name)
		return nil
	}))
	return found
}

// Whatever file of podd's own is damaged, and however: podd starts, the pods run on as they were, commands run in them, and
// what cannot be believed is set aside with an event.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	names := dropAllKinds(b)
	// Kinds whose files are damaged together; those of one batch have nothing to do with one another.
	batches := [][]string{
		{"record", "names", "services", "token key", "seal key", "archives"},
		{"container state", "boot", "cordon", "claims", "rollback", "end of a pod", "last good configuration", "generation", "last good manifest"},
		{"copy of a container's state", "events", "changes in place", "environment", "spool state", "spool", "immutable objects", "run folder"},
		{"device of the manifests", "locks of images", "log", "image", "address", "user IDs", "devices"},
		{"check of layers", "ledger of a layer", "use of images"},
	}
	seen := damageAll(b, names, batches)
	for _, f := range stateFiles {
		if !seen[f.kind] && f.kind != "spool" && f.kind != "SELinux level" && f.kind != "position in the journal" && f.kind != "last good configuration" && !slices.Contains(ofWorkloads, f.kind) {
			t.Errorf("there was no file of the kind %q to damage", f.kind)
		}
	}
}

// All that is known of workloads is damaged at once, on flash and of this boot: their pods run on as they were, and belong to them
// again. A Job that is over may run once more, which an event says.
func TestDamagedWorkloads(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	template := func(app string) string {
		return "selector: {matchLabels: {app: " + app + "}}, template: {metadata: {labels: {app: " + app + "}}, spec: {terminationGracePeriodSeconds: 0, containers: [" +
			"{name: main, image: busybox, imagePullPolicy: Never, command: [sh, -c, \"" + harness.Forever + "\"]}]}}"
	}
	b.MustDrop("workloads", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {"+template("app")+"}\n---\n"+
		"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {serviceName: db, "+template("db")+
		", volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}]}\n---\n"+
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: over}\nspec: {ttlSecondsAfterFinished: 0, template: {spec: {restartPolicy: Never, containers: ["+
		"{name: main, image: busybox, imagePullPolicy: Never, command: [\"true\"]}]}}}\n")
	var names []string
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		pods, err := b.Pods()
		names = nil
		for i := range pods {
			if app := pods[i].Labels["app"]; app != "" && harness.IsRunning(&pods[i]) == "" {
				names = append(names, pods[i].Name)
			}
		}
		return len(names) == 2, errors.Join(err, fmt.Errorf("there run %v", names))
	}))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		files := stateFilesOf(b)
		missing := slices.DeleteFunc(slices.Clone(ofWorkloads), func(kind string) bool { return len(files[kind]) > 0 })
		return len(missing) == 0, fmt.Errorf("there is no %v", missing)
	}))
	seen := damageAll(b, names, [][]string{ofWorkloads})
	for _, kind := range ofWorkloads {
		if !seen[kind] {
			t.Errorf("there was no file of the kind %q to damage", kind)
		}
	}
	b.CLI("rollout", "status", "deployment", "app")
	b.CLI("delete", "pod", names[0]) // each has its owner, who makes another
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		pods, err := b.Pods()
		n := 0
		for i := range pods {
			if pods[i].Labels["app"] != "" && pods[i].Name != names[0] && harness.IsRunning(&pods[i]) == "" {
				n++
			}
		}
		return n == 2, errors.Join(err, fmt.Errorf("there run %d pods", n))
	}))
}

// damageAll damages the files of each batch in each way, kills podd before it and starts it after it, and holds the promise for
// the pods of these names. It tells of which kinds there were files.
func damageAll(b *harness.Board, names []string, batches [][]string) (seen map[string]bool) {
	t := b.T
	t.Helper()
	before := map[string]*corev1.Pod{}
	for _, name := range names {
		before[name] = b.MustPod(name)
	}
	pids := podPids(b, names)
	seen = map[string]bool{}
	for _, damage := range damages {
		for _, batch := range batches {
			b.MustKill9()
			files := stateFilesOf(b)
			var damaged []string
			for _, kind := range batch {
				for _, path := range files[kind] {
					structured := slices.ContainsFunc(stateFiles, func(f struct {
						kind, pattern string
						structured    bool
					},
					) bool {
						return f.kind == kind && f.structured
					})
					shape := damage.name == "folder" || damage.name == "FIFO" || damage.name == "link"
					if (kind == "log" || kind == "address" || kind == "user IDs") && !shape {
						continue // any text is a log; leases are links
					}
					seen[kind] = true
					b.Must(damage.do(path))
					if kind == "events" && (damage.name == "empty" || damage.name == "half") {
						continue // no events, or one that was torn
					}
					if strings.HasPrefix(path, filepath.Join(b.Root, "images")) && batch[0] == "check of layers" {
						continue // they are made again: what they say is looked up anew
					}
					if kind != "log" && (shape || structured && !damage.believed) {
						damaged = append(damaged, path)
					}
				}
			}
			what := damage.name + " in the place of " + strings.Join(batch, ", ")
			b.Must(b.Start())
			if err := b.Ready(harness.Limit); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for _, name := range names {
				after := b.WaitPod(name, func(p *corev1.Pod) string {
					if p.UID != before[name].UID || p.Status.PodIP != before[name].Status.PodIP {
						return fmt.Sprintf("%s: it was %s at %s", what, before[name].UID, before[name].Status.PodIP)
					}
					return harness.IsRunning(p)
				})
				for _, c := range after.Spec.Containers {
					// An image that was lost is imported again first: what a command needs to know of it is in its record.
					b.Must(lab.Poll(harness.Limit, func() (bool, error) {
						stdout, stderr, code := b.RunCLI("exec", name, "-c", c.Name, "--", "echo", "alive")
						return code == 0 && stdout == "alive\n", fmt.Errorf("%s: a command in %s/%s ends with %d: %s%s", what, name, c.Name, code, stdout, stderr)
					}))
				}
			}
			if now := podPids(b, names); fmt.Sprint(now) != fmt.Sprint(pids) {
				t.Fatalf("%s: the processes were\n%v\nand are\n%v", what, pids, now)
			}
			for _, path := range damaged {
				wasSetAside(b, what, path)
			}
			if t.Failed() {
				t.FailNow()
			}
			if _, err := os.Lstat("/var/tmp/podd-not-to-be-written"); err == nil {
				t.Fatalf("%s: a link was written through", what)
			}
		}
	}
	return seen
}

// dropAllKinds makes pods and objects so that there is a file of each kind, and names the pods that run.
func dropAllKinds(b *harness.Board) []string {
	b.T.Helper()
	b.MustDrop("objects", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\nimmutable: true\ndata: {A: b}\n---\n"+
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n---\n"+
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: mount}\nautomountServiceAccountToken: true\n---\n"+harness.ClaimOf("data", "ReadWriteOnce", "1Mi"))
	b.MustDrop("env", harness.PodOf("env", "shareProcessNamespace: true", harness.ContainerOf("main", harness.Forever, "envFrom: [{configMapRef: {name: fixed}}]"), harness.ContainerOf("second", harness.Forever)))
	b.MustDrop("token", harness.OnePod("token", harness.Forever, "serviceAccountName: mount"))
	b.MustDrop("claim", harness.Claiming("claim", "data", "echo mine >/v/file; "+harness.Forever))
	b.MustDrop("users", harness.OnePod("users", harness.Forever, "hostUsers: false"))
	b.MustDrop("done", harness.OnePod("done", "exit 0", "restartPolicy: Never"))
	b.MustDrop("back", harness.ReplaceIn(b.T, harness.OnePod("back", harness.Forever), "  name: back\n", "  name: back\n  annotations: {podd.dev/rollback: \"true\"}\n"))
	b.MustDrop("device", harness.PodOf("device", "volumes: [{name: d, hostPath: {path: /dev/null}}]", harness.Mounting("main", harness.Forever, "{name: d, mountPath: /dev/d}")))
	b.MustDrop("edited", harness.OnePod("edited", harness.Forever))
	names := []string{"env", "token", "claim", "users", "back", "device", "edited"}
	for _, name := range names {
		b.Running(name)
	}
	b.WaitPod("done", harness.IsPhase(corev1.PodSucceeded))
	// Changed in place, and then for the worse: the last good version stays.
	b.MustDrop("edited", harness.ReplaceIn(b.T, harness.OnePod("edited", harness.Forever), "  name: edited\n", "  name: edited\n  labels: {new: label}\n"))
	b.WaitPod("edited", func(p *corev1.Pod) string {
		if p.Labels["new"] != "label" {
			return "it has not changed"
		}
		return ""
	})
	b.MustDrop("token", "apiVersion: v1\nkind: Pod\nmetadata: {name: token}\nspec: {containers: 7}\n")
	b.CLI("cordon")
	b.CLI("seal", "--print-recipient", "--root", b.Root)
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		files := stateFilesOf(b)
		var missing []string
		for _, kind := range []string{"last good manifest", "changes in place", "rollback", "end of a pod", "claims", "services", "token key", "seal key", "environment", "immutable objects", "archives", "names"} {
			if len(files[kind]) == 0 {
				missing = append(missing, kind)
			}
		}
		return len(missing) == 0, fmt.Errorf("there is no %v", missing)
	}))
	return names
}

// podPids are the first processes of the containers of some pods, by pod and process, as the node sees them.
func podPids(b *harness.Board, names []string) []string {
	var list []string
	for _, pid := range b.Cgroup().Pids() {
		if name := harness.HostnameOf(pid); harness.FirstOfNamespace(pid) && slices.Contains(names, name) {
			list = append(list, fmt.Sprintf("%s:%d", name, pid))
		}
	}
	slices.Sort(list)
	return list
}

func wasSetAside(b *harness.Board, what, path string) {
	b.T.Helper()
	dir, base := filepath.Split(path)
	if err := lab.Poll(harness.Limit, func() (bool, error) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return false, err
		}
		aside := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), base+".damaged-") })
		if strings.Contains(path, "/images/i/") {
			_, err := os.Lstat(filepath.Join(b.Root, "images", "damaged", base))
			aside = aside || err == nil
		}
		events, err := b.Events()
		// Of many alike the later ones are combined in one event.
		logged := strings.Contains(b.Output(), path)
		told := slices.ContainsFunc(events, func(e corev1.Event) bool {
			return strings.Contains(e.Message, path) || logged && e.Reason == "StateDamaged" && strings.HasPrefix(e.Message, "(combined")
		})
		return aside && told && err == nil, fmt.Errorf("%s: %s is set aside: %v, an event says so: %v, %v", what, path, aside, told, err)
	}); err != nil {
		b.T.Error(err)
	}
}
