// Package cgroups keeps the tree of pods as Kubernetes lays it out: guaranteed pods directly
// below kubepods, the others below kubepods/burstable and kubepods/besteffort.
//
// A pod is named by its cgroup path, which is the same in every hierarchy and is what
// libcontainer expects as the parent of a container's Cgroup.Path. Version 2 has one hierarchy;
// version 1, with or without a version 2 mount beside it (hybrid), has one per controller.
package cgroups
