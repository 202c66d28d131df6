// conformance says what Kubernetes' own API server says of manifests, and what podd says of them.
//
//	conformance judge FILE...           the API server's verdict on each document
//	conformance images FILE             whether the kubelet can parse image references
//	conformance mutate -podd BIN -out REPORT BASE...   mutate good objects in every field and compare the two verdicts
//
// The API server's verdict is its own code: strict decoding, defaulting, the strategy's PrepareForCreate and
// validation of k8s.io/kubernetes (rest.BeforeCreate). Admission plugins that need a cluster's state are left out.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	dockerref "github.com/distribution/reference"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	"k8s.io/kubernetes/pkg/capabilities"

	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/node/runtimeclass"
	"k8s.io/kubernetes/pkg/registry/storage/storageclass"
)

var strategies = map[string]rest.RESTCreateStrategy{
	"v1/Pod": pod.Strategy, "v1/Service": service.Strategy, "v1/ConfigMap": configmap.Strategy, "v1/Secret": secret.Strategy,
	"v1/PersistentVolume": persistentvolume.Strategy, "v1/PersistentVolumeClaim": persistentvolumeclaim.Strategy,
	"v1/Namespace": namespace.Strategy, "v1/ServiceAccount": serviceaccount.Strategy,
	"networking.k8s.io/v1/NetworkPolicy": networkpolicy.Strategy, "discovery.k8s.io/v1/EndpointSlice": endpointslice.Strategy,
	"storage.k8s.io/v1/StorageClass": storageclass.Strategy, "node.k8s.io/v1/RuntimeClass": runtimeclass.Strategy,
	"apps/v1/Deployment": deployment.Strategy, "apps/v1/DaemonSet": daemonset.Strategy, "apps/v1/StatefulSet": statefulset.Strategy,
	"apps/v1/ReplicaSet": replicaset.Strategy, "batch/v1/Job": job.Strategy, "batch/v1/CronJob": cronjob.Strategy,
}

// cause is one thing that the API server finds wrong.
type cause struct {
	Type, Field, Text string
}

type verdict struct {
	Kind, Namespace, Name string
	Accepted              bool
	Unknown               bool // no strategy for this kind here
	Decode                bool // refused before validation
	Causes                []cause
}

// judge takes one object as JSON.
func judge(data []byte) (v verdict) {
	defer func() {
		if r := recover(); r != nil {
			v.Causes = append(v.Causes, cause{Type: "panic", Text: fmt.Sprint(r)})
		}
	}()
	var tm metav1.TypeMeta
	_ = json.Unmarshal(data, &tm)
	v.Kind = tm.Kind
	strategy := strategies[tm.APIVersion+"/"+tm.Kind]
	if strategy == nil {
		v.Unknown = true
		v.Causes = []cause{{Type: "unknown kind", Text: tm.APIVersion + "/" + tm.Kind}}
		return v
	}
	info, _ := runtime.SerializerInfoForMediaType(legacyscheme.Codecs.SupportedMediaTypes(), "application/json")
	decoder := legacyscheme.Codecs.DecoderToVersion(info.StrictSerializer, runtime.InternalGroupVersioner)
	obj, _, err := decoder.Decode(data, nil, nil)
	if err != nil {
		v.Decode = true
		v.Causes = []cause{{Type: "decode", Text: err.Error()}}
		return v
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		v.Causes = []cause{{Type: "meta", Text: err.Error()}}
		return v
	}
	v.Namespace, v.Name = m.GetNamespace(), m.GetName()
	ctx := context.Context(genericrequest.NewContext())
	if strategy.NamespaceScoped() {
		if m.GetNamespace() == "" {
			m.SetNamespace("default")
		}
		ctx = genericrequest.WithNamespace(ctx, m.GetNamespace())
	} else {
		ctx = genericrequest.WithNamespace(ctx, "")
	}
	gvk := obj.GetObjectKind().GroupVersionKind()
	av, k := metav1.TypeMeta{APIVersion: tm.APIVersion}.APIVersion, tm.Kind
	gv, _ := parseGV(av)
	_ = gvk
	ctx = genericrequest.WithRequestInfo(ctx, &genericrequest.RequestInfo{
		IsResourceRequest: true, Verb: "create", APIGroup: gv[0], APIVersion: gv[1], Namespace: m.GetNamespace(), Resource: k,
	})
	admit(obj)
	rest.FillObjectMetaSystemFields(m)
	if m.GetGenerateName() != "" && m.GetName() == "" {
		m.SetName(strategy.GenerateName(m.GetGenerateName()))
	}
	err = rest.BeforeCreate(strategy, ctx, obj)
	if err == nil {
		v.Accepted = true
		return v
	}
	var st *apierrors.StatusError
	if errors.As(err, &st) && st.Status().Details != nil {
		for _, c := range st.Status().Details.Causes {
			v.Causes = append(v.Causes, cause{string(c.Type), c.Field, c.Field + ": " + c.Message})
		}
	}
	if len(v.Causes) == 0 {
		v.Causes = []cause{{Type: "error", Text: err.Error()}}
	}
	return v
}

// admit does what mutating admission and the Service's allocator do before validation, of what needs no cluster.
func admit(obj runtime.Object) {
	switch o := obj.(type) {
	case *core.Pod:
		if o.Spec.ServiceAccountName == "" {
			o.Spec.ServiceAccountName, o.Spec.DeprecatedServiceAccount = "default", "default"
		}
	case *core.Service:
		if o.Spec.ClusterIP != "" && len(o.Spec.ClusterIPs) == 0 {
			o.Spec.ClusterIPs = []string{o.Spec.ClusterIP}
		}
		if o.Spec.Type == core.ServiceTypeLoadBalancer && o.Spec.ExternalTrafficPolicy == core.ServiceExternalTrafficPolicyLocal && o.Spec.HealthCheckNodePort == 0 {
			o.Spec.HealthCheckNodePort = 32767 // what the allocator would choose
		}
	}
}

func parseGV(s string) ([2]string, bool) {
	for i := range s {
		if s[i] == '/' {
			return [2]string{s[:i], s[i+1:]}, true
		}
	}
	return [2]string{"", s}, true
}

// documents splits a file and turns each document into JSON as kubectl does.
func documents(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var out [][]byte
	for {
		var raw runtime.RawExtension
		err := d.Decode(&raw)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		raw.Raw = bytes.TrimSpace(raw.Raw)
		if len(raw.Raw) == 0 || bytes.Equal(raw.Raw, []byte("null")) {
			continue
		}
		var list struct {
			Kind  string            `json:"kind"`
			Items []json.RawMessage `json:"items"`
		}
		if json.Unmarshal(raw.Raw, &list) == nil && list.Kind == "List" {
			for _, i := range list.Items {
				out = append(out, i)
			}
			continue
		}
		out = append(out, raw.Raw)
	}
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: conformance judge FILE... | mutate ...")
		os.Exit(2)
	}
	capabilities.Setup(true, 0)
	klog.SetLogger(logr.Discard()) // Kubernetes logs each address that is none
	switch os.Args[1] {
	case "judge":
		for _, path := range os.Args[2:] {
			docs, err := documents(path)
			enc := json.NewEncoder(os.Stdout)
			for i, d := range docs {
				v := judge(d)
				_ = enc.Encode(map[string]any{
					"file": path, "doc": i, "kind": v.Kind, "namespace": v.Namespace, "name": v.Name,
					"accepted": v.Accepted, "unknown": v.Unknown, "decode": v.Decode, "causes": v.Causes,
				})
			}
			if err != nil {
				_ = enc.Encode(map[string]any{"file": path, "doc": len(docs), "syntax": err.Error()})
			}
		}
	case "images": // what the kubelet says of image references, one a line of a file
		data, _ := os.ReadFile(os.Args[2])
		for _, ref := range bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n")) {
			if _, err := dockerref.ParseNormalizedNamed(string(ref)); err != nil {
				fmt.Printf("REJECT\t%s\t%v\n", ref, err)
			} else {
				fmt.Printf("ACCEPT\t%s\n", ref)
			}
		}
	case "mutate":
		mutate(os.Args[2:])
	}
}
