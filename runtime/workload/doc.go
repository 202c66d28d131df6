// Package workload is what the controllers of workloads share: their input, their result, names, hashes and who owns
// what. Each kind has a package below it with one pure function
//
//	func Compute(object *T, in workload.Input) workload.Result
//
// that answers one look at the world with one step. It has no clock, no I/O and no memory: what it needs is in the object
// with its last status and in Input, which are kept or observed. Who carries a step out looks again afterwards; when
// nothing is left to do the result is empty (Result.Settled), and the next look is due when something changes or at
// Result.Wake.
//
// A step is carried out in this order, so that a death at any point changes nothing:
//
//  1. Object, Sequence, Write and Create are made durable, at best in one write. Pods to create have their final names
//     and UIDs: the same step computed again gives the same ones.
//  2. Update: metadata of pods that are there. A pod with a finalizer is not forgotten, however it ended.
//  3. Delete and Remove.
//
// The kinds, as kube-controller-manager has them: deployment, replicaset (also for ReplicationController), statefulset,
// daemonset, job, cronjob, disruption (PodDisruptionBudget).
package workload
