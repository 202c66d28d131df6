package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Record is what podd remembers of a pod from one daemon to the next. It lives on tmpfs and dies with the
// processes that it describes. A record explains; observation decides.
type Record struct {
	UID        types.UID          `json:"uid"`
	File       string             `json:"file"`
	Doc        int                `json:"doc"`
	Hash       string             `json:"hash"`
	Since      time.Time          `json:"since"`
	Object     *corev1.Pod        `json:"-"`
	Raw        json.RawMessage    `json:"object"`         // Object as it is written each time
	Kept       bool               `json:"kept,omitempty"` // that it has ended is on disk
	State      PodState           `json:"state"`
	Created    Instant            `json:"created"`
	Sandbox    SandboxRecord      `json:"sandbox"`
	Volumes    VolumesRecord      `json:"volumes,omitzero"`
	Stop       *StopRecord        `json:"stop,omitempty"`
	Changed    *Instant           `json:"changed,omitempty"` // in place, last
	Pins       map[string]string  `json:"pins,omitempty"`    // IDs of images, by container, of a version that was put back
	Resize     *ResizeRecord      `json:"resize,omitempty"`
	Generation int64              `json:"generation,omitempty"` // changes of the spec in place
	Finish     *FinishRecord      `json:"finish,omitempty"`
	Containers []*ContainerRecord `json:"containers"` // init containers and sidecars first
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
	IP         string   `json:"ip,omitempty"`
	IP6        string   `json:"ip6,omitempty"`
	Resolv     string   `json:"resolv,omitempty"` // digest of the resolv.conf that podd wrote
	CgroupPath string   `json:"cgroup,omitempty"`
	Ready      *Instant `json:"ready,omitempty"`
	// A sandbox that could not be made waits as a crashing container does.
	Backoff   time.Duration `json:"backoff,omitempty"`
	NotBefore time.Duration `json:"notBefore,omitempty"` // since boot
	Error     string        `json:"error,omitempty"`
}

// StopRecord says since when and how a pod ends.
type StopRecord struct {
	Since Instant       `json:"since"`
	Grace time.Duration `json:"grace"`
}

// FinishRecord says why a pod has succeeded or failed before all its containers had ended.
type FinishRecord struct {
	StopRecord
	Failed  bool   `json:"failed,omitempty"` // whatever its containers' exit codes
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// end is how the pod ends, nil while it does not.
func (r *Record) end() *StopRecord {
	switch {
	case r.Stop != nil:
		return r.Stop
	case r.Finish != nil:
		return &r.Finish.StopRecord
	}
	return nil
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

// ContainerRecord is one container of a pod, over all its attempts.
type ContainerRecord struct {
	Name       string         `json:"name"`
	Kind       ContainerKind  `json:"kind,omitempty"`
	State      ContainerState `json:"state"`
	Attempt    int            `json:"attempt"`        // of the current or the last try, from 0; -1 before the first
	Base       int            `json:"base,omitempty"` // the first attempt of this pod; those before it were another's
	ImageID    string         `json:"imageID,omitempty"`
	PID        int            `json:"pid,omitempty"`
	PIDStart   uint64         `json:"pidStart,omitempty"`
	StopSignal corev1.Signal  `json:"stopSignal,omitempty"` // that the attempt will be asked to end with
	Started    *Instant       `json:"started,omitempty"`
	Done       bool           `json:"done,omitempty"`      // an init container has succeeded, a sidecar has been started
	Hooked     bool           `json:"hooked,omitempty"`    // the hook of the state PostStart or PreStop is over
	Changed    bool           `json:"changed,omitempty"`   // its definition is another since it was started
	EndReason  string         `json:"endReason,omitempty"` // why it alone is to end; empty: it is not
	StopBy     time.Duration  `json:"stopBy,omitempty"`    // since boot; the end of its grace, once it is to end
	KillAt     time.Duration  `json:"killAt,omitempty"`    // since boot; set while Stopping
	Void       bool           `json:"void,omitempty"`      // this attempt never became a container and does not count
	Killed     bool           `json:"killed,omitempty"`    // SIGKILL was sent
	Backoff    time.Duration  `json:"backoff,omitempty"`   // the delay before the next restart
	NotBefore  time.Duration  `json:"notBefore,omitempty"` // since boot; the earliest next start
	Waiting    *Waiting       `json:"waiting,omitempty"`
	Ended      *Termination   `json:"ended,omitempty"` // of the last attempt that ended
	Before     *Termination   `json:"before,omitempty"`
	User       *UserRecord    `json:"user,omitempty"`
	// What the probes have found of this attempt; beginStart forgets it. See startedUp and ready.
	StartedOK      bool          `json:"startedOK,omitempty"`      // the startup probe has succeeded
	Ready          bool          `json:"ready,omitempty"`          // the readiness probe succeeds
	Unhealthy      bool          `json:"unhealthy,omitempty"`      // the liveness or the startup probe has failed for good
	UnhealthyGrace time.Duration `json:"unhealthyGrace,omitempty"` // what an unhealthy one has to end in; the probe's or the pod's
	ProbeRuns      *ProbeRuns    `json:"probeRuns,omitempty"`
}

// Waiting says why a container does not run.
type Waiting struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// Termination is how one attempt ended.
type Termination struct {
	ID       string  `json:"id"`
	Code     int     `json:"code"`
	Signal   int     `json:"signal,omitempty"`
	Reason   string  `json:"reason"`
	Message  string  `json:"message,omitempty"`
	Started  Instant `json:"started"`
	Finished Instant `json:"finished"`
}

// UserRecord is whom the container's process was started as.
type UserRecord struct {
	UID    int64   `json:"uid"`
	GID    int64   `json:"gid"`
	Groups []int64 `json:"groups,omitempty"`
}

// newRecord is the record of a pod that has just been seen.
func newRecord(uid types.UID, object *corev1.Pod, now Instant) *Record {
	raw, err := json.Marshal(object)
	if err != nil {
		// It was decoded from the same types a moment ago.
		panic("cannot encode a pod: " + err.Error())
	}
	r := &Record{UID: uid, Object: object, Raw: raw, State: PodWaiting, Created: now, Conditions: map[string]ConditionRecord{}}
	for i := range object.Spec.InitContainers {
		c := &object.Spec.InitContainers[i]
		r.Containers = append(r.Containers, &ContainerRecord{Name: c.Name, Kind: kindOf(c), State: ContainerWaiting, Attempt: -1})
	}
	for i := range object.Spec.Containers {
		r.Containers = append(r.Containers, &ContainerRecord{Name: object.Spec.Containers[i].Name, State: ContainerWaiting, Attempt: -1})
	}
	return r
}

// kindOf tells sidecars among init containers. KEP-753
func kindOf(c *corev1.Container) ContainerKind {
	if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
		return KindSidecar
	}
	return KindInit
}

func (r *Record) container(name string) *ContainerRecord {
	for _, c := range r.Containers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (r *Record) spec(name string) *corev1.Container {
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
	return nil
}

// containerID names an attempt in libcontainer's state, in the cgroup tree and in the folders. A container's
// name has no dot, so the parts can be told apart again.
func containerID(uid types.UID, name string, attempt int) string {
	return fmt.Sprintf("%s.%s.%d", uid, name, attempt)
}

// records keeps one file for each pod in a folder.
type records struct{ dir string }

func (r records) path(uid types.UID) string { return filepath.Join(r.dir, string(uid)+".json") }

// write replaces a record whole. It is not synced: tmpfs has nothing to sync to.
func (r records) write(rec *Record) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("cannot encode the record of pod %s: %w", rec.UID, err)
	}
	temp := r.path(rec.UID) + ".tmp"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return fmt.Errorf("cannot write the record of pod %s: %w", rec.UID, err)
	}
	if err := os.Rename(temp, r.path(rec.UID)); err != nil {
		return fmt.Errorf("cannot write the record of pod %s: %w", rec.UID, err)
	}
	return nil
}

func (r records) remove(uid types.UID) error {
	if err := os.Remove(r.path(uid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove the record of pod %s: %w", uid, err)
	}
	return nil
}

// readAll reads every record. One that cannot be read is named in the error and left out; the others count.
func (r records) readAll() ([]*Record, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the records: %w", err)
	}
	var list []*Record
	var bad []error
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		rec, err := readRecord(filepath.Join(r.dir, entry.Name()))
		if err != nil {
			bad = append(bad, err)
			continue
		}
		list = append(list, rec)
	}
	return list, errors.Join(bad...)
}

func readRecord(path string) (*Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read record: %w", err)
	}
	rec := &Record{}
	if err := json.Unmarshal(data, rec); err != nil {
		return nil, fmt.Errorf("cannot parse record %s: %w", path, err)
	}
	if len(rec.Raw) == 0 || rec.UID == "" {
		return nil, fmt.Errorf("cannot use record %s: it names no pod", path)
	}
	rec.Object = &corev1.Pod{}
	if err := json.Unmarshal(rec.Raw, rec.Object); err != nil {
		return nil, fmt.Errorf("cannot parse the pod of record %s: %w", path, err)
	}
	if rec.Conditions == nil {
		rec.Conditions = map[string]ConditionRecord{}
	}
	return rec, nil
}
