package printers_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/cli/printers"
	"podd/runtime/manifest"
	"podd/runtime/state"
	"podd/runtime/status"
)

// TestWhatIsPrintedIsAManifest: podd get pod -o yaml | podd validate -f -, for every pod of the examples of others.
func TestWhatIsPrintedIsAManifest(t *testing.T) {
	pods := 0
	err := filepath.WalkDir("../../../../../../shared/cases", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		objects, _ := manifest.Parse(path, data)
		for i := range objects {
			if objects[i].Kind == "Pod" {
				pods++
				checkRoundTrip(t, objects[i].Pod())
			}
		}
		return nil
	})
	if os.IsNotExist(err) {
		t.Skip("no cases here")
	}
	if err != nil || pods == 0 {
		t.Fatalf("%d pods, %v", pods, err)
	}
	t.Logf("%d pods", pods)
}

func checkRoundTrip(t *testing.T, p manifest.Pod) {
	t.Helper()
	now := state.Instant{Wall: time.Unix(1_700_000_000, 0), Mono: state.BootTime(time.Minute)}
	rec := state.NewRecord(p.Object.UID, p.Object, now)
	rec.File = p.File
	shown := status.Build(rec, status.Facts{Now: now, NodeName: "board", HostIPs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, QOSClass: corev1.PodQOSBurstable})
	shown.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	shown.ResourceVersion = "7"
	var out bytes.Buffer
	printer := &printers.Object{Out: &out, YAML: true, Single: true}
	answer, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := printer.Print(answer); err != nil {
		t.Fatal(err)
	}
	if err := printer.Flush(); err != nil {
		t.Fatal(err)
	}
	again, problems := manifest.Parse("stdin", out.Bytes())
	if len(problems) > 0 || len(again) != 1 {
		t.Errorf("%s: %d objects, %v of\n%s", p.File, len(again), problems, out.String())
	}
}

// TestWhatOthersWriteIsAManifest: pods as kubectl get, kubeadm, RKE2 and podman kube generate write them, with what a cluster
// or an encoder of Go adds.
func TestWhatOthersWriteIsAManifest(t *testing.T) {
	for name, text := range map[string]string{
		"kubectl": `
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1","kind":"Pod"}
  creationTimestamp: "2026-11-01T00:00:00Z"
  generation: 1
  generateName: web-
  name: web-x
  namespace: default
  ownerReferences:
  - {apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: 5f0e1a4e-0000-4000-8000-000000000000, controller: true, blockOwnerDeletion: true}
  resourceVersion: "1234"
  uid: 6f0e1a4e-0000-4000-8000-000000000000
  managedFields:
  - {apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:metadata": {}}, manager: kubectl, operation: Update, time: "2026-11-01T00:00:00Z"}
spec:
  containers:
  - {image: nginx, imagePullPolicy: Always, name: web, resources: {}, terminationMessagePath: /dev/termination-log, terminationMessagePolicy: File,
     volumeMounts: [{mountPath: /var/run/secrets/kubernetes.io/serviceaccount, name: kube-api-access-x, readOnly: true}]}
  dnsPolicy: ClusterFirst
  enableServiceLinks: true
  nodeName: node1
  preemptionPolicy: PreemptLowerPriority
  priority: 0
  restartPolicy: Always
  schedulerName: default-scheduler
  securityContext: {}
  serviceAccount: default
  serviceAccountName: default
  terminationGracePeriodSeconds: 30
  tolerations:
  - {effect: NoExecute, key: node.kubernetes.io/not-ready, operator: Exists, tolerationSeconds: 300}
  volumes:
  - name: kube-api-access-x
    projected:
      defaultMode: 420
      sources:
      - serviceAccountToken: {expirationSeconds: 3607, path: token}
      - configMap: {items: [{key: ca.crt, path: ca.crt}], name: kube-root-ca.crt}
      - downwardAPI: {items: [{fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}, path: namespace}]}
status:
  phase: Running
  qosClass: BestEffort
`,
		"kubeadm and RKE2": `
apiVersion: v1
kind: Pod
metadata:
  annotations: {kubeadm.kubernetes.io/etcd.advertise-client-urls: "https://192.0.2.1:2379"}
  creationTimestamp: null
  labels: {component: etcd, tier: control-plane}
  name: etcd
  namespace: kube-system
  uid: 0123456789abcdef0123456789abcdef
spec:
  containers:
  - command: [etcd]
    image: registry.k8s.io/etcd:3.6.5-0
    imagePullPolicy: IfNotPresent
    livenessProbe: {failureThreshold: 8, httpGet: {host: 127.0.0.1, path: /livez, port: probe-port, scheme: HTTP}, initialDelaySeconds: 10, periodSeconds: 10, timeoutSeconds: 15}
    name: etcd
    ports: [{containerPort: 2381, name: probe-port, protocol: TCP}]
    resources: {requests: {cpu: 100m, memory: 100Mi}}
    securityContext: {privileged: false}
    volumeMounts: [{mountPath: /var/lib/etcd, name: etcd-data}]
  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext: {seccompProfile: {type: RuntimeDefault}}
  volumes: [{hostPath: {path: /var/lib/etcd, type: DirectoryOrCreate}, name: etcd-data}]
status: {}
`,
		"podman kube generate": `
# Save the output of this file and use kubectl create -f to import
# it into Kubernetes.
apiVersion: v1
kind: Pod
metadata:
  annotations: {io.podman.annotations.ulimit: "nofile=524288:524288,nproc=15337:15337"}
  creationTimestamp: "2026-11-01T00:00:00Z"
  labels: {app: web-pod}
  name: web-pod
spec:
  containers:
  - args: [sleep, "1000"]
    env: [{name: TERM, value: xterm}]
    image: docker.io/library/busybox:latest
    name: web
    ports: [{containerPort: 80, hostPort: 8080}]
    securityContext: {capabilities: {drop: [CAP_MKNOD, CAP_NET_RAW, CAP_AUDIT_WRITE]}}
    volumeMounts: [{mountPath: /data, name: data-pvc}]
  volumes: [{name: data-pvc, persistentVolumeClaim: {claimName: data}}]
`,
	} {
		objects, problems := manifest.Parse("f", []byte(text))
		if len(problems) > 0 || len(objects) != 1 {
			t.Errorf("%s: %d objects, %v", name, len(objects), problems)
			continue
		}
		checkRoundTrip(t, objects[0].Pod())
	}
}
