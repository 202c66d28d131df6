package confinement

import "testing"

func TestLabels(t *testing.T) {
	for text, want := range map[string][2]string{
		"unconfined\n":                                 {"", ""},
		"podd-default (enforce)\n":                     {"podd-default (enforce)", ""},
		"/usr/bin/own (complain)":                      {"/usr/bin/own (complain)", ""},
		":ns:profile":                                  {":ns:profile", ""},
		"system_u:system_r:container_t:s0:c12,c34\x00": {"", "system_u:system_r:container_t:s0:c12,c34"},
		"system_u:system_r:kernel_t":                   {"", "system_u:system_r:kernel_t"},
		"":                                             {"", ""},
	} {
		if appArmor, seLinux := labels(text); [2]string{appArmor, seLinux} != want {
			t.Errorf("%q: %q, %q", text, appArmor, seLinux)
		}
	}
}
