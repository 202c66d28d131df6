package manifest

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// rules are how the documents of one kind are taken. Each kind but Pod has a file of its own, kind_NAME.go.
type rules struct {
	apiVersion, kind string
	namespaced       bool
	blank            func() Value
	// name is the rule for metadata.name; nil: that of a DNS subdomain.
	name func(string) []string
	// prepare applies defaults, and removes what a cluster reports rather than what is wanted, such as a status;
	// metadata is done already. nil: nothing to do.
	prepare func(Value)
	// validate says what the API server would of everything but the metadata.
	validate func(Value) field.ErrorList
	// refused lists fields that are valid and that podd does not act on; nil: there are none.
	refused func(Value) field.ErrorList
	// update says why the version after cannot follow the one before; nil: any can.
	update func(before, after Value) field.ErrorList
}

// rulesOf returns the rules of a kind other than Pod, or nil. This is the table of the kinds: a new one is a row here,
// one in runtime/api (folderKinds), and its file.
func rulesOf(kind string) *rules {
	switch kind {
	case "ConfigMap":
		return configMapRules()
	case "PersistentVolumeClaim":
		return claimRules()
	case "PersistentVolume":
		return volumeRules()
	case "StorageClass":
		return classRules()
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
func workloadRules(kind string) *rules {
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
	case "ReplicationController":
		return replicationControllerRules()
	case "PodTemplate":
		return podTemplateRules()
	case "PodDisruptionBudget":
		return budgetRules()
	}
	return nil
}

// other takes an object that is not a Pod.
func (p *parser) other(doc *document, k *rules) {
	value := k.blank()
	if faults := decodeStrict(doc.data, value); len(faults) > 0 {
		p.refuse(doc, ReasonInvalid, faults)
		return
	}
	switch {
	case !k.namespaced:
		value.SetNamespace("") // as the API server does
	case value.GetNamespace() == "":
		value.SetNamespace(metav1.NamespaceDefault)
	}
	errs := k.validateMeta(value)
	stripMeta(value)
	if k.prepare != nil {
		k.prepare(value)
	}
	errs = append(errs, k.validate(value)...)
	reason := ReasonInvalid
	if len(errs) == 0 {
		reason = ReasonUnsupported
	}
	if k.refused != nil {
		errs = append(errs, k.refused(value)...)
	}
	if len(errs) > 0 {
		p.refuse(doc, reason, errorFaults(blameWritten(errs, doc.data)))
		return
	}
	hash := hashOf(value)
	value.SetUID(objectUID(k.kind, value.GetNamespace(), value.GetName()))
	p.accept(Object{
		Kind: k.kind, Namespace: value.GetNamespace(), Name: value.GetName(), UID: value.GetUID(),
		File: p.file, Doc: p.docs, Hash: hash, Value: value,
	})
}

func (k *rules) validateMeta(value Value) field.ErrorList {
	path := field.NewPath("metadata")
	rule := k.name
	if rule == nil {
		rule = validation.IsDNS1123Subdomain
	}
	var errs field.ErrorList
	if name := value.GetName(); name == "" {
		errs = append(errs, field.Required(path.Child("name"), "name or generateName is required"))
	} else {
		errs = append(errs, invalid(path.Child("name"), name, rule(name))...)
	}
	if namespace := value.GetNamespace(); k.namespaced {
		errs = append(errs, invalid(path.Child("namespace"), namespace, validation.IsDNS1123Label(namespace))...)
	}
	errs = append(errs, validateLabels(value.GetLabels(), path.Child("labels"))...)
	errs = append(errs, validateAnnotations(value.GetAnnotations(), path.Child("annotations"))...)
	errs = append(errs, validateManagedFields(value.GetManagedFields(), path.Child("managedFields"))...)
	return append(errs, validateNode(value.GetAnnotations(), path.Child("annotations"))...)
}

// stripMeta removes what a cluster reports of an object rather than what is wanted. See strip.
func stripMeta(value Value) {
	meta := metav1.ObjectMeta{Name: value.GetName(), Namespace: value.GetNamespace(), Labels: value.GetLabels(), Annotations: value.GetAnnotations()}
	if m, ok := value.(metav1.ObjectMetaAccessor).GetObjectMeta().(*metav1.ObjectMeta); ok {
		*m = meta
	}
}

// refuseUpdates takes out the objects that cannot follow their version before.
func refuseUpdates(before, objects []Object) (taken []Object, problems []Problem) {
	for _, o := range objects {
		k, old := rulesOf(o.Kind), objectOf(before, o.key())
		if k == nil || k.update == nil || old == nil || old.Hash == o.Hash {
			taken = append(taken, o)
			continue
		}
		errs := k.update(old.Value, o.Value)
		if len(errs) == 0 {
			taken = append(taken, o)
			continue
		}
		problems = append(problems, Problem{
			File: o.File, Doc: o.Doc, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Reason: ReasonImmutable,
			Message: fmt.Sprintf("%s: %s %q is invalid: %v; the last version stays: put it back, give the new one another name, or remove the file and write it anew",
				o.File, o.Kind, o.Name, errs.ToAggregate()),
		})
	}
	return taken, problems
}

// Check says what the API server would of an object that was changed otherwise than by its file.
func Check(kind string, value Value) error {
	k := rulesOf(kind)
	if k == nil {
		return fmt.Errorf("kind %q is not known", kind)
	}
	errs := k.validate(value)
	if k.refused != nil {
		errs = append(errs, k.refused(value)...)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s %q is invalid: %w", kind, value.GetName(), errs.ToAggregate())
}
