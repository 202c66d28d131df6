// Package kinds has the rules of every kind but Pod: how its objects are completed, judged and compared, one file a kind.
package kinds

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/internal/objectmeta"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/validate"
)

// Header is what must be known of an object before its type is.
type Header struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`

	Near string // key that was meant as one of these
}

// Rules are how the documents of one kind are taken. Each kind but Pod has a file of its own, kind_NAME.go.
type Rules struct {
	APIVersion, Kind string
	Namespaced       bool
	Blank            func() Value
	// name is the rule for metadata.name; nil: that of a DNS subdomain.
	Name func(string) []string
	// prepare applies defaults, and removes what a cluster reports rather than what is wanted, such as a status;
	// metadata is done already. nil: nothing to do.
	Prepare func(Value)
	// validate says what the API server would of everything but the metadata.
	Validate func(Value) field.ErrorList
	// refused lists fields that are valid and that podd does not act on; nil: there are none.
	Refused func(Value) field.ErrorList
	// update says why the version after cannot follow the one before; nil: any can.
	Update func(before, after Value) field.ErrorList
	// byStatus: what Update says depends on the status of the version before, which only who has the object knows.
	ByStatus bool
}

// Of returns the rules of a kind other than Pod, or nil. This is the table of the kinds: a new one is a row here,
// one in runtime/api (folderKinds), and its file.
func Of(kind string) *Rules {
	switch kind {
	case "ConfigMap":
		return configMapRules()
	case "PersistentVolumeClaim":
		return claimRules()
	case "PersistentVolume":
		return volumeRules()
	case "StorageClass":
		return classRules()
	case "RuntimeClass":
		return runtimeClassRules()
	case "Secret":
		return secretRules()
	case "Namespace":
		return namespaceRules()
	case "NetworkPolicy":
		return networkPolicyRules()
	case "ServiceAccount":
		return serviceAccountRules()
	case "Service":
		return serviceRules()
	case "EndpointSlice":
		return endpointSliceRules()
	}
	return workloadRules(kind)
}

// workloadRules are those of the kinds that make pods, or that are about pods that others make.
func workloadRules(kind string) *Rules {
	switch kind {
	case "Deployment":
		return deploymentRules()
	case "ReplicaSet":
		return replicaSetRules()
	case "StatefulSet":
		return statefulSetRules()
	case "DaemonSet":
		return daemonSetRules()
	case "ControllerRevision":
		return controllerRevisionRules()
	case "Job":
		return jobRules()
	case "CronJob":
		return cronJobRules()
	case "ReplicationController":
		return replicationControllerRules()
	case "PodTemplate":
		return podTemplateRules()
	case "PodDisruptionBudget":
		return budgetRules()
	}
	return nil
}

// ValidateMeta judges the metadata of an object of the kind.
func (k *Rules) ValidateMeta(value Value) field.ErrorList {
	path := field.NewPath("metadata")
	rule := k.Name
	if rule == nil {
		rule = validation.IsDNS1123Subdomain
	}
	var errs field.ErrorList
	if name := value.GetName(); name == "" {
		errs = append(errs, field.Required(path.Child("name"), "name or generateName is required"))
	} else {
		errs = append(errs, validate.Invalid(path.Child("name"), name, rule(name))...)
	}
	if namespace := value.GetNamespace(); k.Namespaced {
		errs = append(errs, validate.Invalid(path.Child("namespace"), namespace, validation.IsDNS1123Label(namespace))...)
	}
	errs = append(errs, validate.Labels(value.GetLabels(), path.Child("labels"))...)
	errs = append(errs, validate.Annotations(value.GetAnnotations(), path.Child("annotations"))...)
	errs = append(errs, validate.ValidateManagedFields(objectmeta.Of(value).ManagedFields, path.Child("managedFields"))...)
	return append(errs, annotation.ValidateNode(value.GetAnnotations(), path.Child("annotations"))...)
}

// StripMeta removes what a cluster reports of an object rather than what is wanted. See strip.
func StripMeta(value Value) {
	meta := metav1.ObjectMeta{Name: value.GetName(), Namespace: value.GetNamespace(), Labels: value.GetLabels(), Annotations: value.GetAnnotations()}
	annotation.DropProblem(&meta)
	*objectmeta.Of(value) = meta
}

// Check says what the API server would of an object that was changed otherwise than by its file.
func Check(kind string, value Value) error {
	k := Of(kind)
	if k == nil {
		return fmt.Errorf("kind %q is not known", kind)
	}
	errs := k.Validate(value)
	if k.Refused != nil {
		errs = append(errs, k.Refused(value)...)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s %q is invalid: %w", kind, value.GetName(), errs.ToAggregate())
}

// Value is an object of the Kubernetes API.
type Value interface {
	metav1.Object
	runtime.Object
}

const KindPod = "Pod"
