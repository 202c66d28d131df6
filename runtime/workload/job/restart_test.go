package job

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/workload/workloadtest"
)

// Containers that are started anew in their pod (OnFailure, or rules of a container) are no failed pods: neither is a pod made
// for them, nor does the policy for failures look at them. With OnFailure they count for the back-off limit.
func TestLocalRestarts(t *testing.T) {
	for _, policy := range []corev1.RestartPolicy{corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever} {
		b := workloadtest.New(t, 1)
		b.Compute = lookAt
		b.Put(newJob(1, 1, func(s *batchv1.JobSpec) {
			s.BackoffLimit = new(int32(3))
			s.Template.Spec.RestartPolicy = policy
			if policy == corev1.RestartPolicyNever {
				s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
					Action:      batchv1.PodFailurePolicyActionFailJob,
					OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{42}},
				}}}
			}
		}))
		b.Settle()
		restarted := func(times int32) {
			p := b.Pods[0].DeepCopy()
			p.Status.Phase = corev1.PodRunning
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name: "pi", RestartCount: times,
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 42}},
			}}
			b.Pods[0] = p
			b.Settle()
		}
		restarted(2)
		if st := status(b); st.Active != 1 || st.Failed != 0 || len(b.Pods) != 1 || finished(b.Get("job").(*batchv1.Job)) != nil {
			t.Errorf("%s: %+v, %d pods", policy, st, len(b.Pods))
		}
		if policy == corev1.RestartPolicyOnFailure {
			restarted(3)
			if c := status(b).Conditions; len(c) != 1 || c[0].Type != batchv1.JobFailureTarget || c[0].Reason != "BackoffLimitExceeded" {
				t.Errorf("%+v", status(b))
			}
			continue
		}
		b.Finish(b.Pods[0].UID, 0)
		b.Settle()
		if st := status(b); st.Succeeded != 1 || st.CompletionTime == nil {
			t.Errorf("%+v", st)
		}
	}
}
