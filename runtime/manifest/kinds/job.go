package kinds

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func jobRules() *Rules {
	return &Rules{
		APIVersion: "batch/v1", Kind: "Job", Namespaced: true,
		Blank:   func() Value { return &batchv1.Job{} },
		Prepare: func(v Value) { prepareJob(v.(*batchv1.Job)) },
		Validate: func(v Value) field.ErrorList {
			j, path := v.(*batchv1.Job), field.NewPath("spec")
			errs := validateJob(&j.Spec, path)
			switch {
			case IsTrue(j.Spec.ManualSelector) && j.Spec.Selector == nil:
				errs = append(errs, field.Required(path.Child("selector"), ""))
			case j.Spec.Selector != nil && !IsTrue(j.Spec.ManualSelector):
				errs = append(errs, field.Invalid(path.Child("selector"), j.Spec.Selector, "`selector` not auto-generated"))
			case j.Spec.Selector != nil:
				errs = append(errs, validate.LabelSelector(j.Spec.Selector, path.Child("selector"))...)
				errs = append(errs, validateMatch(j.Spec.Selector, &j.Spec.Template, path)...)
			}
			return append(errs, validateIndexedName(j)...)
		},
		Refused: func(v Value) field.ErrorList {
			return append(refusedJob(&v.(*batchv1.Job).Spec, field.NewPath("spec")), refusedRollback(v)...)
		},
		Update: func(before, after Value) field.ErrorList {
			return updateJob(before.(*batchv1.Job), after.(*batchv1.Job))
		},
		ByStatus: true,
	}
}

// prepareJob applies the defaults of kubernetes pkg/apis/batch/v1, SetDefaults_Job. What a cluster has added to a Job that was
// written down from one is removed: its selector and its labels name the UID that it had there.
func prepareJob(j *batchv1.Job) {
	j.Status = batchv1.JobStatus{}
	if !IsTrue(j.Spec.ManualSelector) && isGeneratedSelector(j) {
		j.Spec.Selector = nil
		for _, m := range []map[string]string{j.Labels, j.Spec.Template.Labels} {
			for _, key := range []string{batchv1.ControllerUidLabel, batchv1.JobNameLabel, "controller-uid", "job-name"} {
				delete(m, key)
			}
		}
	}
	setJobDefaults(&j.Spec)
	if j.Spec.Template.Labels != nil && len(j.Labels) == 0 {
		j.Labels = copied(j.Spec.Template.Labels)
	}
}

func isGeneratedSelector(j *batchv1.Job) bool {
	s := j.Spec.Selector
	if s == nil || len(s.MatchExpressions) > 0 || len(s.MatchLabels) == 0 {
		return false
	}
	for key := range s.MatchLabels {
		if key != batchv1.ControllerUidLabel && key != "controller-uid" {
			return false
		}
	}
	return true
}

func setJobDefaults(s *batchv1.JobSpec) {
	defaults.SetTemplate(&s.Template.Spec)
	if s.Completions == nil && s.Parallelism == nil {
		defaults.Set(&s.Completions, 1)
	}
	defaults.Set(&s.Parallelism, 1)
	if s.BackoffLimitPerIndex != nil {
		defaults.Set(&s.BackoffLimit, math.MaxInt32)
	}
	defaults.Set(&s.BackoffLimit, 6)
	defaults.Set(&s.CompletionMode, batchv1.NonIndexedCompletion)
	defaults.Set(&s.Suspend, false)
	if s.PodFailurePolicy != nil {
		defaults.Set(&s.PodReplacementPolicy, batchv1.Failed)
		for i := range s.PodFailurePolicy.Rules {
			conditions := s.PodFailurePolicy.Rules[i].OnPodConditions
			for j := range conditions {
				conditions[j].Status = defaults.Or(conditions[j].Status, corev1.ConditionTrue)
			}
		}
	}
	defaults.Set(&s.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	defaults.Set(&s.ManualSelector, false)
}

// CompleteJob applies to a Job that a CronJob has made what the API server does when one is created.
func CompleteJob(j *batchv1.Job) { setJobDefaults(&j.Spec) }

// Limits of kubernetes pkg/apis/batch/validation.
const (
	mostIndexed         = 100_000 // of parallelism, and of failed indexes
	manyCompletions     = 100_000
	mostWithMany        = 10_000
	mostPolicyRules     = 20
	mostExitCodes       = 255
	mostPodConditions   = 20
	mostManagedBy       = 63
	mostSuccessIndexes  = 64 << 10 // bytes
	jobRestartPolicies  = `valid values: "OnFailure", "Never"`
	indexedCompletion   = batchv1.IndexedCompletion
	onlyNeverWithPolicy = `only "Never" is supported when podFailurePolicy is specified`
)

// validateJob follows kubernetes pkg/apis/batch/validation, validateJobSpec.
func validateJob(s *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, n := range []struct {
		name  string
		value *int32
	}{
		{"parallelism", s.Parallelism},
		{"completions", s.Completions},
		{"backoffLimit", s.BackoffLimit},
		{"ttlSecondsAfterFinished", s.TTLSecondsAfterFinished},
		{"backoffLimitPerIndex", s.BackoffLimitPerIndex},
		{"maxFailedIndexes", s.MaxFailedIndexes},
	} {
		errs = append(errs, optional(n.value, path.Child(n.name))...)
	}
	errs = append(errs, optional(s.ActiveDeadlineSeconds, path.Child("activeDeadlineSeconds"))...)
	if s.MaxFailedIndexes != nil && s.BackoffLimitPerIndex == nil {
		errs = append(errs, field.Required(path.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
	}
	if m := s.ManagedBy; m != nil {
		at := path.Child("managedBy")
		errs = append(errs, validation.IsDomainPrefixedPath(at, *m)...)
		if len(*m) > mostManagedBy {
			errs = append(errs, field.TooLong(at, "", mostManagedBy))
		}
	}
	errs = append(errs, validateCompletion(s, path)...)
	if s.PodFailurePolicy != nil {
		errs = append(errs, validateFailurePolicy(s, path.Child("podFailurePolicy", "rules"))...)
	}
	if s.SuccessPolicy != nil && *s.CompletionMode != indexedCompletion {
		errs = append(errs, field.Invalid(path.Child("successPolicy"), *s.SuccessPolicy, "requires indexed completion mode"))
	} else if s.SuccessPolicy != nil && s.Completions != nil {
		errs = append(errs, validateSuccessPolicy(s, path.Child("successPolicy", "rules"))...)
	}
	if s.PodFailurePolicy != nil {
		errs = append(errs, validate.Supported(path.Child("podReplacementPolicy"), *s.PodReplacementPolicy, batchv1.Failed)...)
	} else {
		errs = append(errs, validate.Supported(path.Child("podReplacementPolicy"), *s.PodReplacementPolicy, batchv1.Failed, batchv1.TerminatingOrFailed)...)
	}
	errs = append(errs, validateTemplate(&s.Template, path.Child("template"))...)
	at := path.Child("template", "spec", "restartPolicy")
	switch policy := s.Template.Spec.RestartPolicy; {
	case policy == corev1.RestartPolicyAlways:
		errs = append(errs, field.Required(at, jobRestartPolicies))
	case policy != corev1.RestartPolicyOnFailure && policy != corev1.RestartPolicyNever:
		errs = append(errs, field.NotSupported(at, policy, []corev1.RestartPolicy{corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever}))
	case s.PodFailurePolicy != nil && policy != corev1.RestartPolicyNever:
		errs = append(errs, field.Invalid(at, policy, onlyNeverWithPolicy))
	}
	return errs
}

// validateCompletion checks what depends on the completion mode.
func validateCompletion(s *batchv1.JobSpec, path *field.Path) field.ErrorList {
	errs := validate.Supported(path.Child("completionMode"), *s.CompletionMode, batchv1.NonIndexedCompletion, indexedCompletion)
	perIndex, failed := path.Child("backoffLimitPerIndex"), path.Child("maxFailedIndexes")
	if *s.CompletionMode != indexedCompletion {
		if s.BackoffLimitPerIndex != nil {
			errs = append(errs, field.Invalid(perIndex, *s.BackoffLimitPerIndex, "requires indexed completion mode"))
		}
		if s.MaxFailedIndexes != nil {
			errs = append(errs, field.Invalid(failed, *s.MaxFailedIndexes, "requires indexed completion mode"))
		}
		return errs
	}
	atMost := func(at *field.Path, value *int32, most int, when string) {
		if value != nil && int(*value) > most {
			errs = append(errs, field.Invalid(at, *value, fmt.Sprintf("must be less than or equal to %d%s", most, when)))
		}
	}
	atMost(path.Child("parallelism"), s.Parallelism, mostIndexed, " when completion mode is Indexed")
	if s.Completions == nil {
		return append(errs, field.Required(path.Child("completions"), "when completion mode is Indexed"))
	}
	if s.MaxFailedIndexes != nil && *s.MaxFailedIndexes > *s.Completions {
		errs = append(errs, field.Invalid(failed, *s.MaxFailedIndexes, "must be less than or equal to completions"))
	}
	atMost(failed, s.MaxFailedIndexes, mostIndexed, "")
	if *s.Completions > manyCompletions && s.BackoffLimitPerIndex != nil {
		if s.MaxFailedIndexes == nil {
			errs = append(errs, field.Required(failed, fmt.Sprintf("must be specified when completions is above %d", manyCompletions)))
		}
		when := fmt.Sprintf(" when completions are above %d and used with backoff limit per index", manyCompletions)
		atMost(path.Child("parallelism"), s.Parallelism, mostWithMany, when)
		atMost(failed, s.MaxFailedIndexes, mostWithMany, when)
	}
	return errs
}

func validateFailurePolicy(s *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n := len(s.PodFailurePolicy.Rules); n > mostPolicyRules {
		errs = append(errs, field.TooMany(path, n, mostPolicyRules))
	}
	names := map[string]bool{}
	for _, list := range [][]corev1.Container{s.Template.Spec.Containers, s.Template.Spec.InitContainers} {
		for i := range list {
			names[list[i].Name] = true
		}
	}
	for i := range s.PodFailurePolicy.Rules {
		errs = append(errs, validateFailureRule(s, &s.PodFailurePolicy.Rules[i], names, path.Index(i))...)
	}
	return errs
}

func validateFailureRule(s *batchv1.JobSpec, r *batchv1.PodFailurePolicyRule, names map[string]bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	action := path.Child("action")
	switch r.Action {
	case "":
		errs = append(errs, field.Required(action, `valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`))
	case batchv1.PodFailurePolicyActionFailIndex:
		if s.BackoffLimitPerIndex == nil {
			errs = append(errs, field.Invalid(action, r.Action, "requires the backoffLimitPerIndex to be set"))
		}
	default:
		errs = append(errs, validate.Supported(action, r.Action, batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailIndex,
			batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore)...)
	}
	if r.OnExitCodes != nil {
		errs = append(errs, validateExitCodes(r.OnExitCodes, names, path.Child("onExitCodes"))...)
	}
	conditions := path.Child("onPodConditions")
	if n := len(r.OnPodConditions); n > mostPodConditions {
		errs = append(errs, field.TooMany(conditions, n, mostPodConditions))
	}
	for i, c := range r.OnPodConditions {
		at := conditions.Index(i)
		errs = append(errs, validate.LabelName(string(c.Type), at.Child("type"))...)
		errs = append(errs, validate.Supported(at.Child("status"), c.Status, corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown)...)
	}
	switch both := r.OnExitCodes != nil && len(r.OnPodConditions) > 0; {
	case both:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported"))
	case r.OnExitCodes == nil && len(r.OnPodConditions) == 0:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "specifying one of OnExitCodes and OnPodConditions is required"))
	}
	return errs
}

func validateExitCodes(r *batchv1.PodFailurePolicyOnExitCodesRequirement, names map[string]bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if r.Operator == "" {
		errs = append(errs, field.Required(path.Child("operator"), `valid values: ["In" "NotIn"]`))
	} else {
		errs = append(errs, validate.Supported(path.Child("operator"), r.Operator, batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn)...)
	}
	if n := r.ContainerName; n != nil && !names[*n] {
		errs = append(errs, field.Invalid(path.Child("containerName"), *n, "must be one of the container or initContainer names in the pod template"))
	}
	values := path.Child("values")
	if n := len(r.Values); n == 0 {
		errs = append(errs, field.Invalid(values, r.Values, "at least one value is required"))
	} else if n > mostExitCodes {
		errs = append(errs, field.TooMany(values, n, mostExitCodes))
	}
	for i, v := range r.Values {
		if v == 0 && r.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn {
			errs = append(errs, field.Invalid(values.Index(i), v, "must not be 0 for the In operator"))
		}
		if slices.Contains(r.Values[:i], v) {
			errs = append(errs, field.Duplicate(values.Index(i), v))
		}
	}
	if !slices.IsSorted(r.Values) {
		errs = append(errs, field.Invalid(values, r.Values, "must be ordered"))
	}
	return errs
}

func validateSuccessPolicy(s *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch n := len(s.SuccessPolicy.Rules); {
	case n == 0:
		errs = append(errs, field.Required(path, "at least one rules must be specified when the successPolicy is specified"))
	case n > mostPolicyRules:
		errs = append(errs, field.TooMany(path, n, mostPolicyRules))
	}
	for i := range s.SuccessPolicy.Rules {
		errs = append(errs, validateSuccessRule(&s.SuccessPolicy.Rules[i], *s.Completions, path.Index(i))...)
	}
	return errs
}

func validateSuccessRule(r *batchv1.SuccessPolicyRule, completions int32, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if r.SucceededCount == nil && r.SucceededIndexes == nil {
		errs = append(errs, field.Required(path, "at least one of succeededCount or succeededIndexes must be specified"))
	}
	var total int32
	if indexes := r.SucceededIndexes; indexes != nil {
		at := path.Child("succeededIndexes")
		if len(*indexes) > mostSuccessIndexes {
			errs = append(errs, field.TooLong(at, "", mostSuccessIndexes))
		}
		var err error
		if total, err = countIndexes(*indexes, completions); err != nil {
			errs = append(errs, field.Invalid(at, *indexes, "error parsing succeededIndexes: "+err.Error()))
		}
	}
	if count := r.SucceededCount; count != nil {
		at := path.Child("succeededCount")
		errs = append(errs, validate.NonNegative(int64(*count), at)...)
		if *count > completions {
			errs = append(errs, field.Invalid(at, *count, fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions)))
		}
		if r.SucceededIndexes != nil && *count > total {
			errs = append(errs, field.Invalid(at, *count, fmt.Sprintf("must be less than or equal to %d (the number of indexes in the specified succeededIndexes field)", total)))
		}
	}
	return errs
}

// countIndexes counts the indexes of a list such as "0,2-4".
func countIndexes(text string, completions int32) (total int32, err error) {
	if text == "" {
		return 0, nil
	}
	last := int32(-1)
	for part := range strings.SplitSeq(text, ",") {
		first, end, isRange := strings.Cut(part, "-")
		if strings.Contains(end, "-") {
			return 0, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", part)
		}
		x, err := parseIndex(first, completions)
		if err != nil {
			return 0, err
		}
		y := x
		if isRange {
			if y, err = parseIndex(end, completions); err != nil {
				return 0, err
			}
		}
		switch {
		case x <= last:
			return 0, fmt.Errorf("non-increasing order, previous: %d, current: %d", last, x)
		case isRange && x >= y:
			return 0, fmt.Errorf("non-increasing order, previous: %d, current: %d", x, y)
		}
		total += y - x + 1
		last = y
	}
	return total, nil
}

func parseIndex(text string, completions int32) (int32, error) {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0:
		return 0, fmt.Errorf("cannot convert string to integer for index: %q", text)
	case n >= int(completions):
		return 0, fmt.Errorf("too large index: %q", text)
	}
	return int32(n), nil
}

// validateIndexedName demands that the pods' host names are names.
func validateIndexedName(j *batchv1.Job) field.ErrorList {
	if *j.Spec.CompletionMode != indexedCompletion || j.Spec.Completions == nil || *j.Spec.Completions <= 0 {
		return nil
	}
	longest := fmt.Sprintf("%s-%d", j.Name, *j.Spec.Completions-1)
	if len(validation.IsDNS1123Label(longest)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "name"), j.Name, "will not able to create pod with invalid DNS label: "+longest)}
}

func refusedJob(s *batchv1.JobSpec, path *field.Path) field.ErrorList {
	errs := refusedTemplate(&s.Template, path.Child("template"))
	if s.Scheduling != nil {
		errs = append(errs, field.Forbidden(path.Child("scheduling"), "podd has one node, and starts pods one by one; remove the field"))
	}
	return errs
}

// updateJob follows kubernetes pkg/apis/batch/validation, ValidateJobSpecUpdate, with the features that are on in a cluster.
func updateJob(before, after *batchv1.Job) field.ErrorList {
	a, b, path := &before.Spec, &after.Spec, field.NewPath("spec")
	var errs field.ErrorList
	switch at := path.Child("completions"); {
	case *b.CompletionMode != indexedCompletion:
		errs = unchanged(a.Completions, b.Completions, at)
	case b.Completions == nil: // which is another fault
	case (a.Completions == nil || *a.Completions != *b.Completions) && *b.Completions != *b.Parallelism:
		errs = field.ErrorList{field.Invalid(at, *b.Completions, "can only be modified in tandem with spec.parallelism")}
	}
	errs = append(errs, unchanged(a.Selector, b.Selector, path.Child("selector"))...)
	if mayChangePods(before) {
		template := *a.Template.DeepCopy()
		takeDirectives(&template, &b.Template)
		errs = append(errs, unchanged(template.Spec, b.Template.Spec, path.Child("template", "spec"))...)
	} else {
		errs = append(errs, unchanged(a.Template, b.Template, path.Child("template"))...)
	}
	errs = append(errs, unchanged(a.CompletionMode, b.CompletionMode, path.Child("completionMode"))...)
	errs = append(errs, unchanged(a.PodFailurePolicy, b.PodFailurePolicy, path.Child("podFailurePolicy"))...)
	errs = append(errs, unchanged(a.BackoffLimitPerIndex, b.BackoffLimitPerIndex, path.Child("backoffLimitPerIndex"))...)
	errs = append(errs, unchanged(a.ManagedBy, b.ManagedBy, path.Child("managedBy"))...)
	return append(errs, unchanged(a.SuccessPolicy, b.SuccessPolicy, path.Child("successPolicy"))...)
}

// mayChangePods says of a Job that its pods may get other resources and another place to run: it is suspended, none of them runs,
// and it has not started, or was seen to be suspended (kubernetes pkg/registry/batch/job, shouldAllowMutablePodTemplate; KEP-2926).
func mayChangePods(j *batchv1.Job) bool {
	seen := slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionTrue
	})
	return IsTrue(j.Spec.Suspend) && (j.Status.StartTime == nil || seen) && j.Status.Active == 0
}

// takeDirectives takes from b what the template of a suspended Job may change.
func takeDirectives(a, b *corev1.PodTemplateSpec) {
	a.Labels, a.Annotations = b.Labels, b.Annotations
	a.Spec.NodeSelector, a.Spec.Tolerations, a.Spec.SchedulingGates = b.Spec.NodeSelector, b.Spec.Tolerations, b.Spec.SchedulingGates
	switch {
	case b.Spec.Affinity != nil && a.Spec.Affinity == nil:
		a.Spec.Affinity = &corev1.Affinity{NodeAffinity: b.Spec.Affinity.NodeAffinity}
	case b.Spec.Affinity != nil:
		a.Spec.Affinity.NodeAffinity = b.Spec.Affinity.NodeAffinity
	case a.Spec.Affinity != nil && a.Spec.Affinity.PodAffinity == nil && a.Spec.Affinity.PodAntiAffinity == nil:
		a.Spec.Affinity = nil
	}
	for _, lists := range [][2][]corev1.Container{{a.Spec.Containers, b.Spec.Containers}, {a.Spec.InitContainers, b.Spec.InitContainers}} {
		for i := range lists[0] {
			if i < len(lists[1]) && lists[0][i].Name == lists[1][i].Name {
				lists[0][i].Resources = lists[1][i].Resources
			}
		}
	}
}
