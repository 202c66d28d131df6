package storage

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// offer is a volume of the manifests in short: its size, class, access modes, label and the claim it is kept for.
type offer struct{ name, size, class, modes, tier, keptFor string }

func (o offer) volume() *corev1.PersistentVolume {
	v := hostVolume(o.name, "/srv/"+o.name).Value.(*corev1.PersistentVolume)
	if o.size != "" {
		v.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse(o.size)
	}
	v.Spec.StorageClassName = o.class
	v.Spec.AccessModes = modes(o.modes)
	if o.tier != "" {
		v.Labels = map[string]string{"tier": o.tier}
	}
	if namespace, name, ok := strings.Cut(o.keptFor, "/"); ok {
		v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: namespace, Name: name}
	}
	return v
}

func modes(text string) (list []corev1.PersistentVolumeAccessMode) {
	for _, m := range strings.Fields(text) {
		list = append(list, map[string]corev1.PersistentVolumeAccessMode{
			"RWO": corev1.ReadWriteOnce, "ROX": corev1.ReadOnlyMany, "RWX": corev1.ReadWriteMany, "RWOP": corev1.ReadWriteOncePod,
		}[m])
	}
	return list
}

// want is a claim in short; class "-" names the empty one, which is no class.
type want struct{ size, class, modes, tier, volume string }

func (w want) claim() *corev1.PersistentVolumeClaim {
	c := claim("db").Value.(*corev1.PersistentVolumeClaim)
	if w.size != "" {
		c.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse(w.size)
	}
	if w.class != "" {
		name := strings.TrimPrefix(w.class, "-")
		c.Spec.StorageClassName = &name
	}
	c.Spec.AccessModes = modes(w.modes)
	if w.tier != "" {
		c.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": w.tier}}
	}
	c.Spec.VolumeName = w.volume
	return c
}

func class(name, provisioner string, isDefault bool) *storagev1.StorageClass {
	c := &storagev1.StorageClass{Provisioner: provisioner}
	c.Name = name
	if isDefault {
		c.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
	}
	return c
}

// What a claim is bound to of what the manifests offer, or why it waits.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
func TestBindOneClaim(t *testing.T) {
	const own = "pvc-uid-db"
	classes := []*storagev1.StorageClass{class("mine", Provisioner, false), class("cloud", "ebs.example.com", false)}
	for name, tc := range map[string]struct {
		offers  []offer
		classes []*storagev1.StorageClass
		taken   map[string]string
		want    want
		bound   string // the volume
		why     string // the reason
		says    string // part of the sentence
	}{
		"nothing is offered":                 {want: want{}, bound: own},
		"podd's class by name":               {want: want{class: DefaultClass}, bound: own},
		"one volume":                         {offers: []offer{{name: "a"}}, bound: "a"},
		"the smallest that does":             {offers: []offer{{name: "big", size: "9Gi"}, {name: "fit", size: "2Gi"}, {name: "small", size: "1Gi"}}, want: want{size: "1500Mi"}, bound: "fit"},
		"of one size the first by name":      {offers: []offer{{name: "b"}, {name: "a"}, {name: "c"}}, bound: "a"},
		"exactly its size":                   {offers: []offer{{name: "a", size: "1Gi"}}, want: want{size: "1Gi"}, bound: "a"},
		"too small":                          {offers: []offer{{name: "a", size: "1Gi"}}, want: want{size: "2Gi"}, bound: own},
		"of another class":                   {offers: []offer{{name: "a", class: "fast"}}, bound: own},
		"of the class":                       {offers: []offer{{name: "a", class: "fast"}, {name: "b"}}, want: want{class: "fast"}, bound: "a"},
		"of a class that is not there":       {offers: []offer{{name: "b"}}, want: want{class: "fast"}, why: "ProvisioningFailed", says: `storageclass.storage.k8s.io "fast" not found`},
		"of a class of another provisioner":  {classes: classes, want: want{class: "cloud"}, why: "ExternalProvisioning", says: "external provisioner 'ebs.example.com'"},
		"that class, by hand":                {classes: classes, offers: []offer{{name: "a", class: "cloud"}}, want: want{class: "cloud"}, bound: "a"},
		"of a class of podd's":               {classes: classes, want: want{class: "mine"}, bound: own},
		"no class, and a volume":             {offers: []offer{{name: "a"}}, want: want{class: "-"}, bound: "a"},
		"no class, and none":                 {want: want{class: "-"}, why: "FailedBinding", says: "no storage class is set"},
		"no class, and one with a class":     {offers: []offer{{name: "a", class: "fast"}}, want: want{class: "-"}, why: "FailedBinding"},
		"the default class of the manifests": {classes: []*storagev1.StorageClass{class("cloud", "ebs.example.com", true)}, why: "ExternalProvisioning"},
		"a default class, and no class":      {classes: []*storagev1.StorageClass{class("cloud", "ebs.example.com", true)}, want: want{class: "-"}, why: "FailedBinding"},
		"a default class, and a volume":      {classes: []*storagev1.StorageClass{class("mine", Provisioner, true)}, offers: []offer{{name: "a"}}, bound: own},
		"its modes":                          {offers: []offer{{name: "a", modes: "RWO"}, {name: "b", modes: "RWO RWX"}}, want: want{modes: "RWX RWO"}, bound: "b"},
		"none of its modes":                  {offers: []offer{{name: "a", modes: "RWO"}}, want: want{modes: "RWOP"}, bound: own},
		"its label":                          {offers: []offer{{name: "a", tier: "bronze"}, {name: "b", tier: "gold"}}, want: want{tier: "gold"}, bound: "b"},
		"no volume with its label":           {offers: []offer{{name: "a", tier: "bronze"}}, want: want{tier: "gold"}, why: "ProvisioningFailed", says: "Selector is not supported"},
		"kept for it":                        {offers: []offer{{name: "a", keptFor: "default/db"}}, bound: "a"},
		"kept for another":                   {offers: []offer{{name: "a", keptFor: "default/other"}}, bound: own},
		"kept for one of another namespace":  {offers: []offer{{name: "a", keptFor: "other/db"}}, bound: own},
		"another's":                          {offers: []offer{{name: "a"}, {name: "b"}}, taken: map[string]string{"a": "default/other"}, bound: "b"},
		"all are another's":                  {offers: []offer{{name: "a"}}, taken: map[string]string{"a": "default/other"}, bound: own},
		"its own from before":                {offers: []offer{{name: "a"}, {name: "b"}}, taken: map[string]string{"b": "default/db", "a": "default/other"}, bound: "b"},
		"by name":                            {offers: []offer{{name: "a"}, {name: "b"}}, want: want{volume: "b"}, bound: "b"},
		"by a name that is none":             {offers: []offer{{name: "a"}}, want: want{volume: "c"}, why: "FailedBinding", says: `persistentvolume "c" not found`},
		"by the name of another's":           {offers: []offer{{name: "a"}}, taken: map[string]string{"a": "default/other"}, want: want{volume: "a"}, why: "FailedBinding", says: "already bound to a different claim"},
		"by the name of one kept":            {offers: []offer{{name: "a", keptFor: "default/other"}}, want: want{volume: "a"}, why: "FailedBinding", says: "already bound to a different claim"},
		"by a name, too small":               {offers: []offer{{name: "a"}}, want: want{volume: "a", size: "2Gi"}, why: "VolumeMismatch", says: "requested PV is too small"},
		"by a name, of another class":        {offers: []offer{{name: "a", class: "fast"}}, want: want{volume: "a"}, why: "VolumeMismatch", says: "storageClassName does not match"},
		"by a name, of no such mode":         {offers: []offer{{name: "a", modes: "RWO"}}, want: want{volume: "a", modes: "RWX"}, why: "VolumeMismatch", says: "incompatible accessMode"},
		"by a name, of another label":        {offers: []offer{{name: "a"}}, want: want{volume: "a", tier: "gold"}, why: "VolumeMismatch", says: "labels do not match"},
	} {
		c := Catalogue{Classes: tc.classes, Taken: tc.taken}
		for _, o := range tc.offers {
			c.Volumes = append(c.Volumes, o.volume())
		}
		b, why := c.Bind(tc.want.claim())
		if (b == nil) == (why == nil) {
			t.Errorf("%s: %+v and %+v", name, b, why)
			continue
		}
		if b != nil && (b.Volume != tc.bound || tc.bound != own && b.Folder != "/srv/"+tc.bound || tc.bound == own && b.Place() != "") {
			t.Errorf("%s: bound to %+v, want %q", name, b, tc.bound)
		}
		if why != nil && (why.Reason != tc.why || !strings.Contains(why.Message, tc.says)) {
			t.Errorf("%s: waits for %+v, want %s: %s", name, why, tc.why, tc.says)
		}
	}
}

// A claim of which was lost what it had waits rather than show its pods other data.
func TestBindAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		offers []offer
		want   want
		folder string // that pods which run have
		bound  string
	}{
		"nothing else is possible":    {bound: "pvc-uid-db"},
		"one volume is possible":      {offers: []offer{{name: "a"}}, bound: "a"},
		"two are":                     {offers: []offer{{name: "a"}, {name: "b"}}},
		"two are, and one is in use":  {offers: []offer{{name: "a"}, {name: "b"}}, folder: "/srv/b", bound: "b"},
		"two are, and one is kept":    {offers: []offer{{name: "a"}, {name: "b", keptFor: "default/db"}}, bound: "b"},
		"two are, and it names one":   {offers: []offer{{name: "a"}, {name: "b"}}, want: want{volume: "a"}, bound: "a"},
		"in use is one that is gone":  {offers: []offer{{name: "a"}}, folder: "/srv/gone"},
		"one is kept for another":     {offers: []offer{{name: "a", keptFor: "default/x"}, {name: "b"}}, bound: "b"},
		"it names one that is gone":   {offers: []offer{{name: "a"}}, want: want{volume: "gone"}, folder: "/srv/a"},
		"one of two is too small":     {offers: []offer{{name: "a", size: "1Ki"}, {name: "b"}}, bound: "b"},
		"none of two is large enough": {offers: []offer{{name: "a", size: "1Ki"}, {name: "b", size: "1Ki"}}, bound: "pvc-uid-db"},
	} {
		c := Catalogue{}
		for _, o := range tc.offers {
			c.Volumes = append(c.Volumes, o.volume())
		}
		b, why := c.BindAgain(tc.want.claim(), tc.folder)
		switch {
		case tc.bound == "" && (b != nil || why == nil || why.Message == ""):
			t.Errorf("%s: bound to %+v, %v", name, b, why)
		case tc.bound != "" && (b == nil || b.Volume != tc.bound):
			t.Errorf("%s: %+v, %v, want %q", name, b, why, tc.bound)
		}
	}
}

func TestClassOfOwnFolder(t *testing.T) {
	deletes, keeps := corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain
	for name, tc := range map[string]struct {
		policy *corev1.PersistentVolumeReclaimPolicy
		want   bool
	}{"says nothing": {nil, false}, "keeps": {&keeps, false}, "deletes": {&deletes, true}} {
		mine := class("mine", Provisioner, false)
		mine.ReclaimPolicy = tc.policy
		c := Catalogue{Classes: []*storagev1.StorageClass{mine}}
		if b := c.BindOwn(want{class: "mine"}.claim()); b.Delete != tc.want || b.Class != "mine" {
			t.Errorf("a class that %s: %+v", name, b)
		}
		if b := c.BindOwn(want{}.claim()); b.Delete || b.Class != DefaultClass {
			t.Errorf("beside it podd's own: %+v", b)
		}
	}
}
