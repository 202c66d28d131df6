// Package schedule reads the schedules of CronJobs and the names of time zones.
package schedule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/robfig/cron/v3"

	"podd/internal/timezone"
)

// Schedule says when something is next due after a moment; the zero time: never.
type Schedule = cron.Schedule

// Parse reads the five fields of cron, or a macro such as @daily. zone is a name of the IANA database; "": the board's zone.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#writing-a-cronjob-spec
func Parse(text, zone string) (s Schedule, err error) {
	if strings.Contains(text, "TZ") {
		return nil, errors.New("cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
	}
	defer func() {
		if p := recover(); p != nil { // some nonsense makes the parser panic
			s, err = nil, fmt.Errorf("invalid schedule format: %v", p)
		}
	}()
	if zone == "" {
		return cron.ParseStandard(text)
	}
	if err := CheckZone(zone); err != nil {
		return nil, err
	}
	location, err := timezone.Load(zone)
	if err != nil {
		return nil, err
	}
	if s, err = cron.ParseStandard(text); err != nil {
		return nil, err
	}
	if fields, ok := s.(*cron.SpecSchedule); ok { // the others are intervals
		fields.Location = location
	}
	return s, nil
}

// CheckZone says why a name is not that of a time zone, as the API server does.
func CheckZone(zone string) error {
	if zone == "" {
		return errors.New("timeZone must be nil or non-empty string")
	}
	for part := range strings.SplitSeq(zone, "/") {
		if part == "" || part == "." || part == ".." || part[0] == '-' || strings.ContainsFunc(part, notInZone) {
			return fmt.Errorf("unknown time zone %s", zone)
		}
	}
	if strings.EqualFold(zone, "Local") {
		return errors.New("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
	}
	_, err := timezone.Load(zone)
	return err
}

func notInZone(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r))
}
