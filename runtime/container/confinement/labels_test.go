package confinement

import "testing"

func TestLabels(t *testing.T) {
	for _, c := range [][3]string{
		{"unconfined\n", "", ""},
		{"podd-default (enforce)\n", "podd-default (enforce)", ""},
		{"/usr/bin/own (complain)", "/usr/bin/own (complain)", ""},
		{":ns:profile", ":ns:profile", ""},
		{"system_u:system_r:container_t:s0:c12,c34\x00", "", "system_u:system_r:container_t:s0:c12,c34"},
		{"system_u:system_r:kernel_t", "", "system_u:system_r:kernel_t"},
		{"", "", ""},
	} {
		if appArmor, seLinux := labels(c[0]); appArmor != c[1] || seLinux != c[2] {
			t.Errorf("%q: %q, %q", c[0], appArmor, seLinux)
		}
	}
}
