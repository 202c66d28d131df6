package kinds

import (
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/schedule"
	"podd/runtime/manifest/validate"
)

func cronJobRules() *Rules {
	return &Rules{
		APIVersion: "batch/v1", Kind: "CronJob", Namespaced: true,
		Blank:    func() Value { return &batchv1.CronJob{} },
		Prepare:  func(v Value) { prepareCronJob(v.(*batchv1.CronJob)) },
		Validate: func(v Value) field.ErrorList { return validateCronJob(v.(*batchv1.CronJob)) },
		Refused: func(v Value) field.ErrorList {
			return append(refusedJob(&v.(*batchv1.CronJob).Spec.JobTemplate.Spec, field.NewPath("spec", "jobTemplate", "spec")), refusedRollback(v)...)
		},
	}
}

// prepareCronJob applies the defaults of kubernetes pkg/apis/batch/v1, SetDefaults_CronJob.
func prepareCronJob(c *batchv1.CronJob) {
	c.Status = batchv1.CronJobStatus{}
	s := &c.Spec
	s.ConcurrencyPolicy = defaults.Or(s.ConcurrencyPolicy, batchv1.AllowConcurrent)
	defaults.Set(&s.Suspend, false)
	defaults.Set(&s.SuccessfulJobsHistoryLimit, 3)
	defaults.Set(&s.FailedJobsHistoryLimit, 1)
	defaults.SetTemplate(&s.JobTemplate.Spec.Template.Spec)
}

// mostCronName leaves room for the minute in the names of Jobs.
const mostCronName = 52

// validateCronJob follows kubernetes pkg/apis/batch/validation, ValidateCronJobCreate.
func validateCronJob(c *batchv1.CronJob) field.ErrorList {
	s, path := &c.Spec, field.NewPath("spec")
	var errs field.ErrorList
	if s.Schedule == "" {
		errs = append(errs, field.Required(path.Child("schedule"), ""))
	} else if _, err := schedule.Parse(s.Schedule, ""); err != nil {
		errs = append(errs, field.Invalid(path.Child("schedule"), s.Schedule, err.Error()))
	}
	errs = append(errs, optional(s.StartingDeadlineSeconds, path.Child("startingDeadlineSeconds"))...)
	if s.TimeZone != nil {
		if err := schedule.CheckZone(*s.TimeZone); err != nil {
			errs = append(errs, field.Invalid(path.Child("timeZone"), *s.TimeZone, err.Error()))
		}
	}
	errs = append(errs, validate.Supported(path.Child("concurrencyPolicy"), s.ConcurrencyPolicy,
		batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent)...)
	template := path.Child("jobTemplate", "spec")
	job := s.JobTemplate.Spec.DeepCopy() // a template has no defaults but those of its pods
	setJobDefaults(job)
	errs = append(errs, validateJob(job, template)...)
	if job.Selector != nil {
		errs = append(errs, field.Invalid(template.Child("selector"), job.Selector, "`selector` will be auto-generated"))
	}
	if IsTrue(job.ManualSelector) {
		errs = append(errs, field.NotSupported(template.Child("manualSelector"), true, []string{"nil", "false"}))
	}
	errs = append(errs, optional(s.SuccessfulJobsHistoryLimit, path.Child("successfulJobsHistoryLimit"))...)
	errs = append(errs, optional(s.FailedJobsHistoryLimit, path.Child("failedJobsHistoryLimit"))...)
	if len(c.Name) > mostCronName {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), c.Name, "must be no more than 52 characters"))
	}
	return errs
}
