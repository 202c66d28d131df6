package annotation

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// LogDriverKey says where the output of a pod's containers goes beside its log, whatever the node's setting containerLogDriver
// says.
const LogDriverKey = "podd.dev/log-driver"

// The drivers of logs.
const (
	LogFile     = "file"     // nowhere
	LogJournald = "journald" // to the machine's journal
)

// LogDrivers are the values of LogDriverKey and of containerLogDriver.
func LogDrivers() []string { return []string{LogFile, LogJournald} }

// ValidateLogDriver judges LogDriverKey.
func ValidateLogDriver(annotations map[string]string, path *field.Path) field.ErrorList {
	if v, ok := annotations[LogDriverKey]; ok && !slices.Contains(LogDrivers(), v) {
		return field.ErrorList{field.NotSupported(path.Key(LogDriverKey), v, LogDrivers())}
	}
	return nil
}
