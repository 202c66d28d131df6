package workloads

// example is what a file of the examples needs and comes to, where that is not the usual.
type example struct {
	waits string // what its pod says before it has what it needs
	needs string // objects that the documentation makes by hand
	end   string // where it ends, if neither ready nor succeeded nor shown
	why   string
}

const (
	specialConfig = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: special-config}\ndata: {SPECIAL_LEVEL: very, SPECIAL_TYPE: charm}\n"
	gameDemo      = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: game-demo}\ndata: {player_initial_lives: '3', ui_properties_file_name: ui, game.properties: a=b, user-interface.properties: c=d}\n"
	backendUser   = "apiVersion: v1\nkind: Secret\nmetadata: {name: backend-user}\nstringData: {backend-username: me}\n"
	dbUser        = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db-user}\nstringData: {db-username: me}\n"
	testSecret    = "apiVersion: v1\nkind: Secret\nmetadata: {name: test-secret}\nstringData: {username: me, password: x}\n"
	projected     = "apiVersion: v1\nkind: Secret\nmetadata: {name: mysecret}\nstringData: {username: me, password: x}\n---\n" +
		"apiVersion: v1\nkind: Secret\nmetadata: {name: mysecret2}\nstringData: {password: x}\n---\n" +
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: myconfigmap}\ndata: {config: a}\n"
	userAndPass = "apiVersion: v1\nkind: Secret\nmetadata: {name: user}\nstringData: {username: me}\n---\n" +
		"apiVersion: v1\nkind: Secret\nmetadata: {name: pass}\nstringData: {password: x}\n"
	nfsClaim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: test-nfs-claim}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n"
)

// examples are the exceptions, by file.
func examples() map[string]example {
	const errorConfig, mount = "CreateContainerConfigError ", "MountVolume.SetUp failed for volume "
	return map[string]example{
		"configmap/configure-pod.yaml":                                   {waits: mount + `"config" : configmap "game-demo" not found`, needs: gameDemo},
		"pods/pod-configmap-env-var-valueFrom.yaml":                      {waits: errorConfig + `configmap "special-config" not found`, needs: specialConfig},
		"pods/pod-configmap-volume-specific-key.yaml":                    {waits: mount + `"config-volume" : configmap "special-config" not found`, needs: specialConfig},
		"pods/inject/pod-single-secret-env-variable.yaml":                {waits: errorConfig + `secret "backend-user" not found`, needs: backendUser},
		"pods/inject/pod-multiple-secret-env-variable.yaml":              {waits: errorConfig + `secret "backend-user" not found`, needs: backendUser + dbUser},
		"pods/inject/secret-envars-pod.yaml":                             {waits: errorConfig + `secret "test-secret" not found`, needs: testSecret},
		"pods/storage/projected-secret-downwardapi-configmap.yaml":       {waits: mount + `"all-in-one" : `, needs: projected},
		"pods/storage/projected-secrets-nondefault-permission-mode.yaml": {waits: mount + `"all-in-one" : `, needs: projected},
		"pods/storage/projected.yaml":                                    {waits: mount + `"all-in-one" : secret "user" not found`, needs: userAndPass},
		"pods/storage/pv-duplicate.yaml":                                 {waits: `persistentvolumeclaim "test-nfs-claim" not found`, needs: nfsClaim},

		"pods/image-volumes.yaml":                     {end: `image pull failed for quay.io/crio/artifact:v1 because the registry is unavailable`, why: "its volume is an image of a registry"},
		"application/job/job-tmpl.yaml":               {end: `Job "process-item-$ITEM" is invalid: metadata.name`, why: "it is a template for sed"},
		"pods/init-containers.yaml":                   {end: "PodInitializing", why: "its init container fetches a page of the world's"},
		"pods/two-container-pod.yaml":                 {end: "debian-container: Completed", why: "one of its two containers runs on, and nothing is restarted"},
		"secret/dotfile-secret.yaml":                  {end: "dotfile-test-container: CrashLoopBackOff", why: "its command ends, and is restarted for ever"},
		"pods/security/hello-apparmor.yaml":           {end: "Failed", why: "it needs AppArmor, and a profile of its node"},
		"pods/security/seccomp/fields.yaml":           {end: "spec.ephemeralContainers: Forbidden: cannot be set on create", why: "the API server refuses it as well"},
		"pods/security/seccomp/alpha/audit-pod.yaml":  {end: `use the "seccompProfile" field instead`, why: "the annotation has done nothing since Kubernetes 1.27"},
		"pods/security/seccomp/alpha/fine-pod.yaml":   {end: `use the "seccompProfile" field instead`, why: "the annotation has done nothing since Kubernetes 1.27"},
		"pods/security/seccomp/ga/fine-pod.yaml":      {end: "CreateContainerError cannot load seccomp profile", why: "its profile is to be put on the node"},
		"pods/security/seccomp/ga/violation-pod.yaml": {end: "CreateContainerError cannot load seccomp profile", why: "its profile is to be put on the node"},
		"pods/resource/extended-resource-pod-2.yaml":  {end: "0/1 nodes are available: 1 Insufficient example.com/dongle.", why: "it asks for a device of its node"},
	}
}
