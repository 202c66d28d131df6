package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/dump"
)

// alphabet has no vowels and nothing that is mistaken for them: names spell no words. It is the API server's for the
// names that it makes up.
const alphabet = "bcdfghjklmnpqrstvwxz2456789"

// safeEncode replaces each character of a number's decimal text by one that is allowed in names.
func safeEncode(s string) string {
	out := []byte(s)
	for i := range out {
		out[i] = alphabet[int(out[i])%len(alphabet)]
	}
	return string(out)
}

// TemplateHash is the value of the label pod-template-hash that a cluster gives to the pods of a template whose fields
// have their defaults. Collisions count the other templates that were found under the same value; nil: none.
func TemplateHash(template *corev1.PodTemplateSpec, collisions *int32) string {
	sum := fnv.New32a()
	sum.Write([]byte(dump.ForHash(*template)))
	if collisions != nil {
		var b [8]byte
		binary.LittleEndian.PutUint32(b[:], uint32(*collisions))
		sum.Write(b[:])
	}
	return safeEncode(strconv.FormatUint(uint64(sum.Sum32()), 10))
}

// RevisionHash is the end of the name of a ControllerRevision with this content.
func RevisionHash(data []byte, collisions *int32) string {
	sum := fnv.New32()
	sum.Write(data)
	if collisions != nil {
		sum.Write(strconv.AppendInt(nil, int64(*collisions), 10))
	}
	return safeEncode(strconv.FormatUint(uint64(sum.Sum32()), 10))
}

// The API server makes names of at most MaxGeneratedName bytes before it adds the suffix.
const (
	suffixLength     = 5
	MaxGeneratedName = 63 - suffixLength
)

// suffix stands where the API server has random characters: the same owner and number always have the same.
func suffix(owner types.UID, n int64) string {
	sum := digest(owner, n, "name")
	out := make([]byte, suffixLength)
	for i := range out {
		// A value of 16 bits has nearly no preference among 27 letters.
		out[i] = alphabet[int(binary.BigEndian.Uint16(sum[2*i:]))%len(alphabet)]
	}
	return string(out)
}

// ChildUID is that of the n-th thing that an owner makes. It has the form of a UUID of version 8 (RFC 9562,
// section 5.8).
func ChildUID(owner types.UID, n int64, name string) types.UID {
	u := digest(owner, n, "uid "+name)
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16]))
}

func digest(owner types.UID, n int64, of string) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "podd\x00%s\x00%d\x00%s", owner, n, of))
}

// Namer gives out names and UIDs for what one object makes in one step.
type Namer struct {
	owner types.UID
	next  int64
	taken map[string]bool
}

// NewNamer continues after the names that the object has given out so far. Names of pods that are there are not given
// out again, even if the sequence was lost.
func NewNamer(owner types.UID, in *Input) *Namer {
	n := &Namer{owner: owner, next: in.Sequence, taken: make(map[string]bool, len(in.Pods))}
	for _, p := range in.Pods {
		n.taken[p.Name] = true
	}
	return n
}

// Generate completes a prefix (metadata.generateName) to the name of a pod, as the API server does.
func (n *Namer) Generate(prefix string) (string, types.UID) {
	if len(prefix) > MaxGeneratedName {
		prefix = prefix[:MaxGeneratedName]
	}
	for {
		name := prefix + suffix(n.owner, n.next)
		uid := ChildUID(n.owner, n.next, name)
		n.next++
		if !n.taken[name] {
			n.taken[name] = true
			return name, uid
		}
	}
}

// Fixed is the UID of something whose name is given.
func (n *Namer) Fixed(name string) types.UID {
	uid := ChildUID(n.owner, n.next, name)
	n.next++
	return uid
}

// Sequence is what is to be kept with the object.
func (n *Namer) Sequence() int64 { return n.next }
