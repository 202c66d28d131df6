package schedule

import (
	"strings"
	"testing"
	"time"
)

const layout = "2006-01-02 15:04:05 -0700"

// When a schedule is next due. man 5 crontab, and Kubernetes' page about CronJobs for macros and zones.
func TestNext(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, zone, after, want string }{
		{"each minute", "* * * * *", "UTC", "2026-11-29 21:07:48 +0000", "2026-11-29 21:08:00 +0000"},
		{"after the moment itself", "8 21 * * *", "UTC", "2026-11-29 21:08:00 +0000", "2026-11-30 21:08:00 +0000"},
		{"each quarter", "*/15 * * * *", "UTC", "2026-11-29 21:46:00 +0000", "2026-11-29 22:00:00 +0000"},
		{"a list and a range", "0 6-8,20 * * *", "UTC", "2026-11-29 08:30:00 +0000", "2026-11-29 20:00:00 +0000"},
		{"a weekday", "0 0 * * MON", "UTC", "2026-11-29 12:00:00 +0000", "2026-11-30 00:00:00 +0000"},
		{"the day of a month or of a week", "0 0 13 * 5", "UTC", "2026-11-07 00:00:00 +0000", "2026-11-13 00:00:00 +0000"},
		{"the 29th of February", "0 0 29 2 *", "UTC", "2026-01-01 00:00:00 +0000", "2028-02-29 00:00:00 +0000"},
		{"never", "0 0 31 2 *", "UTC", "2026-01-01 00:00:00 +0000", ""},
		{"each day", "@daily", "UTC", "2026-11-29 12:00:00 +0000", "2026-11-30 00:00:00 +0000"},
		{"each hour", "@hourly", "UTC", "2026-11-29 12:01:00 +0000", "2026-11-29 13:00:00 +0000"},
		{"each year", "@yearly", "UTC", "2026-11-29 12:01:00 +0000", "2027-01-01 00:00:00 +0000"},
		{"an interval", "@every 90s", "UTC", "2026-11-29 12:00:00 +0000", "2026-11-29 12:01:30 +0000"},
		{"noon in Berlin, in winter", "0 12 * * *", "Europe/Berlin", "2026-11-29 00:00:00 +0000", "2026-11-29 11:00:00 +0000"},
		{"noon in Berlin, in summer", "0 12 * * *", "Europe/Berlin", "2026-07-01 00:00:00 +0000", "2026-07-01 10:00:00 +0000"},
		{"an hour that is left out", "30 2 * * *", "Europe/Berlin", "2026-03-28 12:00:00 +0000", "2026-03-30 00:30:00 +0000"},
		{"a zone of a quarter of an hour", "0 0 * * *", "Asia/Kathmandu", "2026-11-29 12:00:00 +0000", "2026-11-29 18:15:00 +0000"},
	} {
		s, err := Parse(tc.text, tc.zone)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		after, err := time.Parse(layout, tc.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if next := s.Next(after.UTC()); !next.IsZero() {
			got = next.UTC().Format(layout)
		}
		if got != tc.want {
			t.Errorf("%s: %q in %s after %s: %s, want %s", tc.name, tc.text, tc.zone, tc.after, got, tc.want)
		}
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, zone, want string }{
		{"", "", "empty spec string"},
		{"* * * *", "", "expected exactly 5 fields, found 4: [* * * *]"},
		{"* * * * * *", "", "expected exactly 5 fields, found 6: [* * * * * *]"},
		{"60 * * * *", "", "end of range (60) above maximum (59): 60"},
		{"* 24 * * *", "", "end of range (24) above maximum (23): 24"},
		{"* * 0 * *", "", "beginning of range (0) below minimum (1): 0"},
		{"* * * 13 *", "", "end of range (13) above maximum (12): 13"},
		{"5-1 * * * *", "", "beginning of range (5) beyond end of range (1): 5-1"},
		{"*/0 * * * *", "", "step of range should be a positive number: */0"},
		{"x * * * *", "", "failed to parse int from x"},
		{"@sometimes", "", "unrecognized descriptor: @sometimes"},
		{"@every x", "", "failed to parse duration @every x"},
		{"TZ=UTC * * * * *", "", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"},
		{"CRON_TZ=UTC 0 0 * * *", "UTC", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"},
		{"* * * *", "UTC", "expected exactly 5 fields, found 4: [* * * *]"},
		{"* * * * *", "Europe/Nowhere", "unknown time zone Europe/Nowhere"},
		{"* * * * *", "../etc/passwd", "unknown time zone ../etc/passwd"},
	} {
		s, err := Parse(tc.text, tc.zone)
		if s != nil || err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%q in %q: %v, want %s", tc.text, tc.zone, err, tc.want)
		}
	}
}

// The names of zones are those of the IANA database; what the API server refuses is never a path of the board.
func TestCheckZone(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "Etc/GMT-14"} {
		if err := CheckZone(zone); err != nil {
			t.Errorf("%s: %v", zone, err)
		}
	}
	for zone, want := range map[string]string{
		"": "timeZone must be nil or non-empty string", "Local": "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
		"LOCAL": "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones", "/UTC": "unknown time zone /UTC", "UTC/": "unknown time zone UTC/",
		"a//b": "unknown time zone a//b", "./UTC": "unknown time zone ./UTC", "-x": "unknown time zone -x", "Europe/../UTC": "unknown time zone Europe/../UTC",
		"Europe/Bérlin": "unknown time zone Europe/Bérlin", "UTC ": "unknown time zone UTC ", "Nowhere": "unknown time zone Nowhere",
	} {
		if err := CheckZone(zone); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", zone, err, want)
		}
	}
}

// Nothing that somebody can write makes the parser panic.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"* * * * *", "@every 1h", "*/5,1-3/2 ? L W #", "0-0/0 * * * *", "TZ= ", "1,,2 * * * *"} {
		f.Add(text, "UTC")
	}
	f.Fuzz(func(t *testing.T, text, zone string) {
		if s, err := Parse(text, zone); (s == nil) == (err == nil) {
			t.Errorf("%q in %q: %v, %v", text, zone, s, err)
		}
	})
}
