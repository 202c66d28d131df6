// Package hint says what podd has in the place of the verbs of kubectl, podman, docker and crictl that it has not. It is a
// table.
package hint

// verb is one that users of other programs type.
type verb struct{ name, instead string }

// Verbs returns the verbs and the sentence about each. A command of podd of that name goes before it.
func Verbs() map[string]string {
	m := map[string]string{}
	for _, group := range [][]verb{kubectl(), podman()} {
		for _, v := range group {
			m[v.name] = v.instead
		}
	}
	return m
}

const (
	folder = "the folder of manifests says what runs: "
	images = "podd images has ls, pull, load, save, rm, tag, pin, verify and prune"
)

func kubectl() []verb {
	edit := folder + "edit the pod's file, which podd describe pod NAME names (Manifest), and podd diff -f FILE says what that does"
	return []verb{
		{"annotate", edit},
		{"api-versions", "podd api-resources lists the kinds with their versions; podd fields lists what it does with each field"},
		{"apply", folder + "copy FILE into it (/etc/podd/manifests), and podd validate -f FILE checks it before"},
		{"auth", "there are no users beside root and the groups of the socket (socketGroup, socketReadGroup)"},
		{"autoscale", "podd has no metrics to scale by: podd scale KIND/NAME --replicas=N"},
		{"certificate", "podd signs no certificates: put them into a Secret"},
		{"cluster-info", "podd status"},
		{"config", "podd needs no kubeconfig: --socket or $PODD_SOCKET names the daemon; its own settings are in /etc/podd/config.yaml"},
		{"cp", "podd exec POD -- tar -cf - PATH | tar -xf - copies out, tar -cf - PATH | podd exec -i POD -- tar -xf - copies in"},
		{"create", folder + "write a file into it (/etc/podd/manifests)"},
		{"edit", edit},
		{"events", "podd get events, with -w to follow them"},
		{"explain", "podd fields says what podd does with each field"},
		{"expose", folder + "write a Service into it, or a hostPort into the pod"},
		{"kustomize", "kubectl kustomize DIR >/etc/podd/manifests/NAME.yaml on a machine that has it"},
		{"label", edit},
		{"options", "podd --help, and podd COMMAND --help"},
		{"patch", edit},
		{"plugin", "podd has no plugins"},
		{"proxy", "curl --unix-socket /run/podd/podd.sock http://podd/api/v1/pods asks the API; podd port-forward reaches ports"},
		{"replace", folder + "write the new version over the old file"},
		{"set", edit},
		{"taint", "tolerations and taints have no effect on one board"},
		{"top", "podd has no metrics yet: systemd-cgtop shows the pods' cgroups, below kubepods"},
		{"wait", "podd get pod NAME -w shows each change, podd rollout status KIND/NAME waits for a workload"},
	}
}

func podman() []verb {
	remove := folder + "remove the pod's file, which podd describe pod NAME names (Manifest)"
	build := "podd builds no images: podman build, and podman save IMAGE | podd images load -"
	login := "podd takes credentials from /etc/podd/auth.json, from podman's and docker's of root, and from imagePullSecrets"
	network := "pods have one network, which podd makes: podd doctor network looks at it"
	health := "probes are fields of a container (livenessProbe, readinessProbe): podd get pods shows READY, podd describe pod the rest"
	compose := folder + "docs/migration.md says how a compose file becomes manifests"
	host := "podd runs on the board itself"
	return []verb{
		{"auto-update", "imagePullPolicy: Always pulls at each start: podd restart POD"},
		{"artifact", images},
		{"build", build},
		{"buildx", build},
		{"builder", build},
		{"commit", build},
		{"compose", compose},
		{"container", "podd get pods lists them, podd describe pod NAME shows the containers of one"},
		{"context", host + ": --socket or $PODD_SOCKET names another daemon"},
		{"crictl", "podd has its own commands for what crictl does: get pods, inspect, logs, exec, images"},
		{"down", remove},
		{"export", "podd exec POD -- tar -cf - / writes the files of a container, podd images save an image"},
		{"farm", host},
		{"generate", "podd get pod NAME -o yaml prints the manifest of a pod"},
		{"healthcheck", health},
		{"history", "podd inspect IMAGE shows an image; podd rollout history KIND/NAME the revisions of a workload"},
		{"image", images},
		{"import", "podd images load FILE"},
		{"info", "podd status, and podd doctor"},
		{"init", "podd needs no preparation: podd doctor says what is missing"},
		{"kill", "podd delete pod NAME --now; it starts again while its file is there"},
		{"kube", folder + "copy the file into it (/etc/podd/manifests); podd get pod NAME -o yaml prints one"},
		{"list", "podd get pods"},
		{"load", "podd images load FILE|FOLDER|-"},
		{"login", login},
		{"logout", login},
		{"ls", "podd get pods"},
		{"machine", host},
		{"manifest", "podd pulls the image of this machine out of one for several platforms: podd images pull"},
		{"mount", "podd exec POD -- sh sees the files of a container"},
		{"network", network},
		{"pause", "podd scale KIND/NAME --replicas=0 stops the pods of a workload; one pod ends when its file goes"},
		{"play", folder + "copy the file into it (/etc/podd/manifests)"},
		{"pod", "podd get pods, podd describe pod NAME"},
		{"pods", "podd get pods"},
		{"port", "podd get pods -o wide shows addresses, podd describe pod NAME ports, podd port-forward reaches them"},
		{"ps", "podd get pods, -A for all namespaces"},
		{"pull", "podd images pull IMAGE"},
		{"push", "podd images save IMAGE -o FILE writes an archive; skopeo copy oci-archive:FILE docker://… sends it"},
		{"quadlet", "docs/migration.md says how units become manifests"},
		{"reload", "systemctl reload podd reads the configuration and the folder again"},
		{"rename", "a pod's name is in its file (metadata.name)"},
		{"rm", remove},
		{"rmi", "podd images rm IMAGE"},
		{"save", "podd images save IMAGE -o FILE"},
		{"search", "podd does not search registries: name the image, as in podd images pull docker.io/library/busybox"},
		{"secret", "podd get secrets; a Secret is a file in the folder, and podd seal encrypts it"},
		{"service", "podd get services"},
		{"stack", compose},
		{"start", "copy the pod's file into the folder of manifests; systemctl start podd starts the daemon"},
		{"stats", "podd has no metrics yet: systemd-cgtop shows the pods' cgroups, below kubepods"},
		{"stop", remove + "; systemctl stop podd ends all pods"},
		{"swarm", "podd is for one board: docs/fleets.md has many boards with one folder"},
		{"tag", "podd images tag IMAGE NAME"},
		{"umount", "podd exec POD -- sh sees the files of a container"},
		{"unmount", "podd exec POD -- sh sees the files of a container"},
		{"unpause", "podd scale KIND/NAME --replicas=N"},
		{"unshare", "hostUsers: false gives a pod users of its own"},
		{"untag", "podd images rm NAME takes a name from an image"},
		{"up", compose},
		{"update", folder + "edit the pod's file; resources change in place"},
		{"volume", "podd get pvc, podd backup pvc NAME, podd delete pvc NAME"},
	}
}
