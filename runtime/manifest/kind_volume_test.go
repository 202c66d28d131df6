package manifest

import (
	"strings"
	"testing"
)

func TestStorageKinds(t *testing.T) {
	const (
		claim  = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}"
		volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}"
		class  = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: a}\nprovisioner: podd.dev/folder\n"
	)
	tests := []struct{ text, want string }{
		{claim + "}\n", ""},
		{claim + ", storageClassName: ''}\n", ""},
		{claim + ", storageClassName: fast.ssd}\n", ""},
		{claim + ", storageClassName: Fast_SSD}\n", `spec.storageClassName: Invalid value: "Fast_SSD": ` + subdomain},
		{volume + ", hostPath: {path: /a}}\n", ""},
		{volume + ", local: {path: /a}, nodeAffinity: {required: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [board]}]}]}}, storageClassName: ssd}\n", ""},
		{volume + "}\n", "spec: Required value: must specify a volume type"},
		{volume + ", hostPath: {path: /a}, local: {path: /b}}\n", "spec.local: Forbidden: may not specify more than 1 volume type"},
		{volume + ", hostPath: {path: /a}, nfs: {server: b, path: /c}}\n", "spec.nfs: Forbidden: may not specify more than 1 volume type"},
		{volume + ", hostPath: {path: /a}, storageClassName: Fast_SSD}\n", `spec.storageClassName: Invalid value: "Fast_SSD": ` + subdomain},
		{volume + ", nfs: {server: nas, path: /c}}\n", ""},
		{volume + ", nfs: {server: nas, path: /c, readOnly: true}, mountOptions: [hard, 'nfsvers=4.1,timeo=50', bg]}\n", ""},
		{volume + ", nfs: {server: nas, path: c}}\n", `spec.nfs.path: Invalid value: "c": must be an absolute path`},
		{volume + ", nfs: {path: /c}}\n", "spec.nfs.server: Required value"},
		{volume + ", nfs: {server: nas, path: /c}, mountOptions: [hard, fast]}\n", `spec.mountOptions[1]: Forbidden: "fast" is no mount option of NFS`},
		{volume + ", hostPath: {path: /c}, mountOptions: ['']}\n", ""},
		{volume + ", hostPath: {path: /c}, mountOptions: [noatime]}\n", "spec.mountOptions[0]: Forbidden: podd mounts volumes of nfs alone with options"},
		{strings.Replace(volume, "{name: a}", "{name: a, annotations: {volume.beta.kubernetes.io/mount-options: 'hard,fast'}}", 1) + ", nfs: {server: nas, path: /c}}\n", `metadata.annotations[volume.beta.kubernetes.io/mount-options]: Forbidden: "fast" is no mount option of NFS`},
		{volume + ", nfs: {server: nas, path: /c}, persistentVolumeReclaimPolicy: Recycle}\n", "spec.persistentVolumeReclaimPolicy: Forbidden"},
		{class, ""},
		{class + "volumeBindingMode: WaitForFirstConsumer\n", ""},
		{class + "volumeBindingMode: Later\n", `volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"`},
	}
	for _, tt := range tests {
		objects, problems := Parse("f", []byte(tt.text))
		switch {
		case tt.want == "" && (len(objects) != 1 || len(problems) != 0):
			t.Errorf("%s: refused: %v", tt.text, problems)
		case tt.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, tt.want)):
			t.Errorf("%s: %v, want %q", tt.text, problems, tt.want)
		}
	}
}
