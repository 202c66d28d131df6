package state

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Record is what podd remembers of a pod from one daemon to the next. It lives on tmpfs and dies with the
// processes that it describes. A record explains; observation decides.
type Record struct {
	UID       types.UID       `json:"uid"`
	File      string          `json:"file"`
	Doc       int             `json:"doc"`
	Hash      string          `json:"hash"`
	Since     time.Time       `json:"since"`
	Object    *corev1.Pod     `json:"-"`
	Raw       json.RawMessage `json:"object"`         // Object as it is written each time
	Kept      bool            `json:"kept,omitempty"` // that it has ended is on disk
	Made      bool            `json:"made,omitempty"` // by a controller: no manifest is its own
	State     PodState        `json:"state"`
	Created   Instant         `json:"created"`
	Scheduled *Instant        `json:"scheduled,omitempty"` // onto the board, if a controller has made it; a pod of the folder is at once
	// Devices are the ids of the units of resources that containers have, by container and resource.
	Devices map[string]map[string][]string `json:"devices,omitempty"`
	// RuntimeClass is the pod's, as it was when the pod was admitted; nil: it names none.
	RuntimeClass *nodev1.RuntimeClass `json:"runtimeClass,omitempty"`
	Sandbox      SandboxRecord        `json:"sandbox"`
	Volumes      VolumesRecord        `json:"volumes,omitzero"`
	Stop         *StopRecord          `json:"stop,omitempty"`
	Changed      *Instant             `json:"changed,omitempty"` // in place, last
	Pins         map[string]string    `json:"pins,omitempty"`    // IDs of images, by container, of a version that was put back
	Resize       *ResizeRecord        `json:"resize,omitempty"`
	Generation   int64                `json:"generation,omitempty"` // changes of the spec in place
	Finish       *FinishRecord        `json:"finish,omitempty"`
	Containers   []*ContainerRecord   `json:"containers"` // init containers and sidecars first
	// Ephemeral are the containers that were added by hand; the pod's manifest does not know them.
	Ephemeral []corev1.EphemeralContainer `json:"ephemeral,omitempty"`
	// Initialized: a main container has been started in this sandbox; init containers never run again in it.
	Initialized bool `json:"initialized,omitempty"`
	// RestartAll: a restart rule asks for all containers to begin anew.
	RestartAll bool `json:"restartAll,omitempty"`
	// Set are the conditions that others have set.
	Set        map[string]SetCondition    `json:"set,omitempty"`
	Conditions map[string]ConditionRecord `json:"conditions,omitempty"`
}

// SandboxRecord is the pod's shared part.
type SandboxRecord struct {
	IP         string `json:"ip,omitempty"`
	IP6        string `json:"ip6,omitempty"`
	Resolv     string `json:"resolv,omitempty"` // digest of the resolv.conf that podd wrote
	CgroupPath string `json:"cgroup,omitempty"`
	CgroupLost bool   `json:"cgroupLost,omitempty"` // somebody has removed a part of it: it is made again before the next start
	OwnUsers   bool   `json:"ownUsers,omitempty"`   // it has a user namespace of its own, asked for or not
	HostUsers  string `json:"hostUsers,omitempty"`  // why it was not given one, though the node gives them
	NoUsers    bool   `json:"noUsers,omitempty"`    // that is because of the machine, and the same for all pods
	GiveUp     string `json:"giveUp,omitempty"`     // why it cannot keep the one that it has been given: it is made anew without
	// Handler is the runtime handler that it was made by; nil: the pod names no RuntimeClass.
	Handler *HandlerRecord `json:"handler,omitempty"`
	Ready   *Instant       `json:"ready,omitempty"`
	Removed bool           `json:"removed,omitempty"` // it was ready, and is taken away; its addresses are told of on
	// A sandbox that could not be made waits as a crashing container does.
	Backoff   time.Duration `json:"backoff,omitempty"`
	NotBefore BootTime      `json:"notBefore,omitempty"` // since boot
	Error     string        `json:"error,omitempty"`
}

// VolumesRecord is what is known of a pod's volumes.
type VolumesRecord struct {
	Ready   bool              `json:"ready,omitempty"`
	Folders map[string]string `json:"folders,omitempty"` // of claims, by the volume's name; SERVER:PATH of one of NFS
	Images  map[string]string `json:"images,omitempty"`  // the IDs of those mounted, by the volume's name
	// Layers are those of images, by the volume's name, as folders of the store. They stay while the record does.
	Layers map[string][]string `json:"layers,omitempty"`
	// Pulls are those of images, by the volume's name.
	Pulls     map[string]*PullRecord `json:"pulls,omitempty"`
	Backoff   time.Duration          `json:"backoff,omitempty"`
	NotBefore BootTime               `json:"notBefore,omitempty"` // since boot
	Error     string                 `json:"error,omitempty"`
}

// Pull is what is known of pulling the image of a volume. It is made if need be.
func (v *VolumesRecord) Pull(name string) *PullRecord {
	if v.Pulls == nil {
		v.Pulls = map[string]*PullRecord{}
	}
	if v.Pulls[name] == nil {
		v.Pulls[name] = &PullRecord{}
	}
	return v.Pulls[name]
}

// UseImage takes in the layers that a volume is about to show. Those that it showed before may still be mounted.
func (v *VolumesRecord) UseImage(name string, dirs []string) {
	layers := map[string][]string{}
	maps.Copy(layers, v.Layers)
	for _, dir := range dirs {
		if !slices.Contains(layers[name], dir) {
			layers[name] = append(slices.Clone(layers[name]), dir)
		}
	}
	v.Layers = layers
}

// ResizeRecord is a change of limits that has not been carried out yet. KEP-1287
type ResizeRecord struct {
	Before    map[string]corev1.ResourceRequirements `json:"before"`            // of each container whose limits are still those
	Applied   bool                                   `json:"applied,omitempty"` // what is left takes its limits with its next start
	NotBefore BootTime                               `json:"notBefore,omitempty"`
	Error     string                                 `json:"error,omitempty"`
}

// StopRecord says since when and how a pod ends.
type StopRecord struct {
	Since    Instant       `json:"since"`
	Grace    time.Duration `json:"grace"`
	ShutDown bool          `json:"shutDown,omitempty"` // it ends with the board, also if the board's end is cancelled
}

// FinishRecord says why a pod has succeeded or failed before all its containers had ended.
type FinishRecord struct {
	StopRecord
	Failed  bool   `json:"failed,omitempty"` // whatever its containers' exit codes
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// ConditionRecord remembers when a condition last changed.
type ConditionRecord struct {
	Status corev1.ConditionStatus `json:"status"`
	Since  Instant                `json:"since"`
}

// SetCondition is what somebody has said of the pod through the API.
type SetCondition struct {
	Status  corev1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason,omitempty"`
	Message string                 `json:"message,omitempty"`
}

// NewRecord is the record of a pod that has just been seen.
func NewRecord(uid types.UID, object *corev1.Pod, now Instant) *Record {
	raw, err := json.Marshal(object)
	if err != nil {
		// It was decoded from the same types a moment ago.
		panic("cannot encode a pod: " + err.Error())
	}
	r := &Record{UID: uid, Object: object, Raw: raw, State: PodWaiting, Created: now, Conditions: map[string]ConditionRecord{}}
	for i := range object.Spec.InitContainers {
		c := &object.Spec.InitContainers[i]
		r.Containers = append(r.Containers, &ContainerRecord{Name: c.Name, Kind: KindOf(c), State: ContainerWaiting, Attempt: -1})
	}
	for i := range object.Spec.Containers {
		r.Containers = append(r.Containers, &ContainerRecord{Name: object.Spec.Containers[i].Name, State: ContainerWaiting, Attempt: -1})
	}
	return r
}

//go:noinline
func (r *Record) Container(name string) *ContainerRecord {
	for _, c := range r.Containers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

//go:noinline
func (r *Record) Spec(name string) *corev1.Container {
	for i := range r.Object.Spec.Containers {
		if r.Object.Spec.Containers[i].Name == name {
			return &r.Object.Spec.Containers[i]
		}
	}
	for i := range r.Object.Spec.InitContainers {
		if r.Object.Spec.InitContainers[i].Name == name {
			return &r.Object.Spec.InitContainers[i]
		}
	}
	for i := range r.Ephemeral {
		if r.Ephemeral[i].Name == name {
			return (*corev1.Container)(&r.Ephemeral[i].EphemeralContainerCommon)
		}
	}
	return nil
}

// Target is the container whose processes an ephemeral container sees; "": none.
func (r *Record) Target(name string) string {
	for i := range r.Ephemeral {
		if r.Ephemeral[i].Name == name {
			return r.Ephemeral[i].TargetContainerName
		}
	}
	return ""
}

// AddEphemeral adds ephemeral containers to those that are there.
func (r *Record) AddEphemeral(list []corev1.EphemeralContainer) {
	for i := range list {
		if r.Container(list[i].Name) == nil {
			r.Ephemeral = append(slices.Clone(r.Ephemeral), list[i])
			r.Containers = append(slices.Clone(r.Containers), &ContainerRecord{Name: list[i].Name, Kind: KindEphemeral, State: ContainerWaiting, Attempt: -1})
		}
	}
}

// Ending is how the pod ends, nil while it does not.
func (r *Record) Ending() *StopRecord {
	switch {
	case r.Stop != nil:
		return r.Stop
	case r.Finish != nil:
		return &r.Finish.StopRecord
	}
	return nil
}

// Deadline is the moment since boot at which the pod fails, 0 if there is none.
func (r *Record) Deadline() BootTime {
	if s := r.Object.Spec.ActiveDeadlineSeconds; s != nil && r.Begun().Mono != earlierBoot {
		return r.Begun().After(time.Duration(*s) * time.Second)
	}
	return 0
}

// Begun is when the pod came onto the board.
func (r *Record) Begun() Instant {
	if r.Scheduled != nil {
		return *r.Scheduled
	}
	return r.Created
}

// By is the end of the grace.
func (s *StopRecord) By() BootTime { return s.Since.After(s.Grace) }

// Failed says that the pod was made to fail and nothing of it runs any more: a terminal phase promises that.
func (r *Record) Failed() bool {
	if r.Finish == nil || !r.Finish.Failed {
		return false
	}
	return !r.Alive()
}

// Alive says whether anything of the pod runs, or counts as running still.
func (r *Record) Alive() bool {
	for _, c := range r.Containers {
		if c.CountsAsRunning() || c.State.Alive() || c.State == ContainerStarting {
			return true
		}
	}
	return false
}

// ReadySince says since when the pod, as it is to be, has been Ready or has succeeded.
func (r *Record) ReadySince() (Instant, bool) {
	for _, c := range r.Containers {
		if c.Changed {
			return Instant{}, false
		}
	}
	if r.State == PodFinished && !r.Failed() {
		ok := true
		for _, c := range r.Containers {
			ok = ok && (c.Kind != KindMain || c.Ended != nil && c.Ended.Code == 0)
		}
		return r.Created, ok
	}
	c := r.Conditions[string(corev1.PodReady)]
	return c.Since, c.Status == corev1.ConditionTrue && r.Ending() == nil
}

// MarkResized notes that a container has the limits of its spec.
func (r *Record) MarkResized(name string) {
	if r.Resize == nil {
		return
	}
	delete(r.Resize.Before, name)
	if len(r.Resize.Before) == 0 {
		r.Resize = nil
	}
}

// MarkRemoved takes in that the sandbox has been taken away. Its addresses are told of as long as the pod is.
func (s *SandboxRecord) MarkRemoved() {
	s.Removed, s.Ready = s.Removed || s.Ready != nil, nil
}

// toEarlierBoot marks every instant of a record so.
func (r *Record) toEarlierBoot() {
	instants := []*Instant{&r.Created}
	if r.Scheduled != nil {
		instants = append(instants, r.Scheduled)
	}
	if r.Sandbox.Ready != nil {
		instants = append(instants, r.Sandbox.Ready)
	}
	for _, c := range r.Containers {
		if c.Started != nil {
			instants = append(instants, c.Started)
		}
		for _, t := range []*Termination{c.Ended, c.Before} {
			if t != nil {
				instants = append(instants, &t.Started, &t.Finished)
			}
		}
		c.NotBefore, c.KillAt = 0, 0
	}
	for _, i := range instants {
		i.Mono = earlierBoot
	}
	for name, c := range r.Conditions {
		c.Since.Mono = earlierBoot
		r.Conditions[name] = c
	}
}

// PodIPs are the pod's addresses, IPv4 first.
func (s *SandboxRecord) PodIPs() []corev1.PodIP {
	var ips []corev1.PodIP
	for _, ip := range []string{s.IP, s.IP6} {
		if ip != "" {
			ips = append(ips, corev1.PodIP{IP: ip})
		}
	}
	return ips
}

// Serves says whether a container's readiness counts: as long as it runs, also while it ends, but not in a pod that has
// succeeded or failed, nor if its postStart hook has failed.
func (r *Record) Serves(c *ContainerRecord) bool {
	switch c.State {
	case ContainerRunning, ContainerPreStop, ContainerStopping:
		return (r.Stop != nil || r.Finish == nil) && c.EndReason != EndReasonPostStart
	case ContainerWaiting, ContainerStarting, ContainerPostStart, ContainerExited, ContainerCollected:
	}
	return false
}

// NoteConditions remembers when each condition of a published status last changed, and forgets those it has no more.
func (r *Record) NoteConditions(list []corev1.PodCondition, now Instant) {
	next := make(map[string]ConditionRecord, len(list))
	for _, c := range list {
		have, ok := r.Conditions[string(c.Type)]
		if !ok || have.Status != c.Status {
			have = ConditionRecord{Status: c.Status, Since: now}
		}
		next[string(c.Type)] = have
	}
	r.Conditions = next
}

// Clone copies a record so far that a worker may read it and change its fields while the loop changes its own. What the
// fields point to is shared: it is replaced, never changed.
func (r *Record) Clone() *Record {
	out := *r
	out.Containers = make([]*ContainerRecord, 0, len(r.Containers))
	for _, c := range r.Containers {
		copied := *c
		out.Containers = append(out.Containers, &copied)
	}
	return &out
}

// Name names the pod, with its namespace.
func (r *Record) Name() string { return r.Object.Namespace + "/" + r.Object.Name }
