// Package volume makes the volumes of a pod on one machine: folders, tmpfs mounts, and files that are made of
// ConfigMaps, Secrets and the pod itself. What is secret or small lives on tmpfs, what a pod writes lives on disk, both
// by the pod's UID. Nothing here trusts what a pod has left in its volumes: trees are walked by descriptors that cross
// neither symbolic links nor mounts.
package volume
