package daemon

import (
	"log/slog"
	"slices"

	"podd/cgroups"
	"podd/internal/hugepage"
)

// podsUnit is the cgroup of board/packaging/systemd/podd-pods.service, which systemd delegates for the pods: in podd's own
// unit, processes below it would keep systemd from starting the next podd (docs/decisions/017-pods-unit.md).
const podsUnit = "/podd.slice/podd-pods.service"

// openCgroups chooses a cgroup for the pods where nobody has delegated one: not the root, where a kubelet
// keeps its kubepods, and either would collect the pods of the other. The controller of huge pages is wanted where the board
// has set some aside.
func openCgroups(parent string, log *slog.Logger) (*cgroups.Tree, error) {
	o := cgroups.Options{Parent: parent, Unit: podsUnit, HugePages: hugepage.Machine.Any()}
	tree, err := cgroups.Open(o)
	if err == nil && parent == "" && tree.Parent() == "/" {
		o.Parent = "/podd"
		tree, err = cgroups.Open(o)
	}
	if err == nil && o.HugePages && !slices.Contains(tree.Controllers(), "hugetlb") {
		log.Warn("pods are not held to their limits of huge pages: their cgroups have no controller hugetlb")
	}
	return tree, err
}
