package executor

import (
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// JournalFields are the fields that entries of a container have in the journal. Their names are those of docker's and podman's
// drivers, and POD_ for what these do not know.
func JournalFields(rec *state.Record, name string, attempt int) []stdio.JournalField {
	return []stdio.JournalField{
		{Name: "SYSLOG_IDENTIFIER", Value: rec.Object.Name},
		{Name: "CONTAINER_NAME", Value: name},
		{Name: "CONTAINER_ID", Value: state.ContainerID(rec.UID, name, attempt)},
		{Name: "IMAGE_NAME", Value: rec.Spec(name).Image},
		{Name: "POD_NAME", Value: rec.Object.Name},
		{Name: "POD_NAMESPACE", Value: rec.Object.Namespace},
		{Name: "POD_UID", Value: string(rec.UID)},
	}
}
