package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// What the initialisers of all packages may allocate together, in bytes, beyond the Go runtime's own. A board pays it at each
// start of a container, each exec and each exec probe (docs/decisions/019-plain-build.md).
const maxInitialised = 512_000

// maxQuietInitialiser is what any package may allocate at start without a word about it, in bytes.
const maxQuietInitialiser = 6_000

// loudInitialisers are the packages that allocate more, with a bound for each: a new module that does a lot of work at start
// is to be seen before it is linked.
var loudInitialisers = map[string]int{
	"github.com/davecgh/go-spew/spew":                                24_000, // its configuration, for pod-template-hash
	"github.com/klauspost/compress/flate":                            30_000, // tables
	"github.com/klauspost/compress/internal/snapref":                 12_000, // the table of a checksum
	"github.com/google/go-containerregistry/pkg/name":                30_000, // regular expressions
	"github.com/json-iterator/go":                                    20_000,
	"github.com/opencontainers/go-digest":                            100_000, // regular expressions, with go-containerregistry
	"go.yaml.in/yaml/v2":                                             30_000,  // tables and regular expressions
	"golang.org/x/net/http2/hpack":                                   8_000,   // a table
	"gopkg.in/inf%2ev0":                                              10_000,
	"k8s.io/apimachinery/pkg/api/validate/content":                   40_000, // regular expressions
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/internal/modes": 12_000,
	"k8s.io/apimachinery/pkg/util/naming":                            10_000,
	"k8s.io/apimachinery/pkg/util/validation":                        48_000, // regular expressions
	"k8s.io/apimachinery/pkg/util/version":                           26_000, // regular expressions, with pod-security-admission
	"k8s.io/apimachinery/pkg/version":                                10_000,
	"unicode":                                                        13_000,
}

type initialiser struct {
	clock time.Duration
	bytes int
}

var initTrace = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock, (\d+) bytes, \d+ allocs$`)

// traceInitialisers starts the built binary as a container's first process is started, and lists what its packages do.
func traceInitialisers(t *testing.T) map[string]initialiser {
	t.Helper()
	command := exec.Command(builtBinary(t), "init")
	command.Env = []string{"GODEBUG=inittrace=1"}
	output, _ := command.CombinedOutput() // it fails: nobody told it what to run
	list := map[string]initialiser{}
	for _, found := range initTrace.FindAllStringSubmatch(string(output), -1) {
		if found[1] == "runtime" {
			continue
		}
		ms, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		bytes, err := strconv.Atoi(found[3])
		if err != nil {
			t.Fatal(err)
		}
		list[found[1]] = initialiser{clock: time.Duration(ms * float64(time.Millisecond)), bytes: bytes}
	}
	if list["unicode"].bytes == 0 {
		t.Fatalf("this is no trace of initialisers:\n%s", output)
	}
	return list
}

func TestInitialisersAreCheap(t *testing.T) {
	if os.Getenv("GOCOVERDIR") != "" {
		t.Skip("counters of coverage are initialised as well")
	}
	list := traceInitialisers(t)
	total := 0
	for name, i := range list {
		total += i.bytes
		bound, known := loudInitialisers[name]
		if !known {
			bound = maxQuietInitialiser
		}
		if i.bytes > bound {
			t.Errorf("package %s allocates %d bytes when the program starts, more than %d: every start of a container pays for that", name, i.bytes, bound)
		}
	}
	for name := range loudInitialisers {
		if _, linked := list[name]; !linked {
			t.Errorf("package %s does nothing when the program starts: take it from the list", name)
		}
	}
	if total > maxInitialised {
		t.Errorf("initialisers allocate %d bytes, %d more than their budget", total, total-maxInitialised)
	}
	// Time is reported, for a person to judge: a loaded machine stretches it.
	least := map[string]time.Duration{}
	for range 10 {
		for name, i := range traceInitialisers(t) {
			if best, seen := least[name]; !seen || i.clock < best {
				least[name] = i.clock
			}
		}
	}
	var sum time.Duration
	var slow []string
	for name, clock := range least {
		sum += clock
		if clock >= 50*time.Microsecond {
			slow = append(slow, fmt.Sprintf("%s %s", name, clock))
		}
	}
	slices.Sort(slow)
	t.Logf("%d packages allocate %d bytes in %s at best; the slowest: %q", len(list), total, sum, slow)
}
