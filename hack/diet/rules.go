package main

// rule says what is left out of one package. Everything it names has to be there: a new version of a module that has
// changed there is to be looked at.
type rule struct {
	pkg string // import path
	// files are left out whole.
	files []string
	// funcs are left out: functions by name, methods as Type.Name, or *.Name for those of all types.
	funcs []string
	// never are functions and methods that must still be there for others to compile, and that podd never calls: they panic.
	never []string
	// texts are replaced; each is there once.
	texts []text
	// lazy has the package's regular expressions compiled when they are first asked, not at every start of the process.
	lazy bool
}

type text struct{ file, old, new string }

// generated is what the generators of Kubernetes write beside the types for those who speak protobuf or document them.
var generated = []string{"generated.pb.go", "types_swagger_doc_generated.go", "zz_generated.model_name.go"}

// api leaves a group of the API its types, deep copies and defaults.
func api(group string, registered string) rule {
	return rule{
		pkg: "k8s.io/api/" + group + "/v1", files: append(generated[:len(generated):len(generated)], "zz_generated.prerelease-lifecycle.go"),
		never: []string{registered},
	}
}

// rules are what podd is built without.
var rules = []rule{
	// podd speaks JSON, and registers no types: there is no scheme.
	api("core", "addKnownTypes"),
	api("discovery", "addKnownTypes"),
	api("networking", "addKnownTypes"),
	api("storage", "addKnownTypes"),
	{
		pkg:   "k8s.io/apimachinery/pkg/apis/meta/v1",
		files: append(generated[:len(generated):len(generated)], "micro_time_proto.go", "time_proto.go"),
		funcs: []string{"FieldsV1.Size", "FieldsV1.Marshal", "FieldsV1.MarshalTo", "FieldsV1.MarshalToSizedBuffer", "FieldsV1.Unmarshal", "Timestamp.DeepCopy", "Timestamp.DeepCopyInto", "init"},
		never: []string{"AddToGroupVersion", "AddMetaToScheme", "RegisterConversions"},
	},
	{pkg: "k8s.io/apimachinery/pkg/api/resource", files: []string{"generated.pb.go", "zz_generated.model_name.go"}},
	{pkg: "k8s.io/apimachinery/pkg/util/validation", lazy: true},
	{pkg: "k8s.io/apimachinery/pkg/api/validate/content", lazy: true},
	{pkg: "k8s.io/apimachinery/pkg/util/intstr", files: []string{"generated.pb.go", "zz_generated.model_name.go"}},
	{pkg: "k8s.io/apimachinery/pkg/runtime/schema", files: []string{"generated.pb.go"}},
	{
		pkg:   "k8s.io/apimachinery/pkg/runtime",
		files: []string{"generated.pb.go", "zz_generated.model_name.go", "types_proto.go"},
		never: []string{"fromUnstructured", "toUnstructured", "fieldInfoFromField"},
	},
	{pkg: "k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct", never: []string{"Marshal", "Unmarshal", "Diagnose"}},
	// Its tables are made at every start of the process.
	{pkg: "github.com/klauspost/compress/zstd", files: []string{"snappy.go"}},
	// The pods' cgroups are podd's own, not systemd's over D-Bus.
	{pkg: "github.com/opencontainers/cgroups/manager", texts: []text{
		{"new.go", "config.Systemd && !systemd.IsRunningSystemd()", "config.Systemd"},
		{"new.go", "return systemd.NewUnifiedManager(config, path)", `panic("podd is built without it")`},
		{"new.go", "return systemd.NewLegacyManager(config, paths)", `panic("podd is built without it")`},
	}},
	{pkg: "github.com/opencontainers/cgroups", texts: []text{{"config_linux.go", "SystemdProps []systemdDbus.Property", "SystemdProps struct{}"}}},
	// Nothing of it is linked, but it has to compile for a package that imports it in vain.
	{pkg: "github.com/opencontainers/cgroups/systemd", texts: []text{
		{"v1.go", "properties = append(properties, c.SystemdProps...)", ""},
		{"v2.go", "properties = append(properties, c.SystemdProps...)", ""},
	}},
	{
		pkg:   "github.com/opencontainers/runc/libcontainer/specconv",
		funcs: []string{"convertSecToUSec", "initSystemdProps"},
		texts: []text{
			{"spec_linux.go", "sp, err := initSystemdProps(spec)", "var err error"},
			{"spec_linux.go", "c.SystemdProps = sp", ""},
		},
	},
}
