package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// hashOf identifies the content of a defaulted object, without its UID.
func hashOf(o Value) string {
	sum := sha256.New()
	// The types encode in a fixed order and without errors.
	_ = json.NewEncoder(sum).Encode(o)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// uidOf derives a UID from the file and the content, so that the same manifest is the same pod after a restart of
// podd or of the board. It has the form of a UUID of version 8 (RFC 9562, section 5.8).
func uidOf(file string, pod *corev1.Pod, hash string) types.UID {
	return uidFrom(fmt.Appendf(nil, "podd\x00%s\x00%s\x00%s\x00%s", file, pod.Namespace, pod.Name, hash))
}

// objectUID is that of an object of another kind: who changes it has changed it, not made another one.
func objectUID(kind, namespace, name string) types.UID {
	return uidFrom(fmt.Appendf(nil, "podd\x00%s\x00%s\x00%s", kind, namespace, name))
}

func uidFrom(text []byte) types.UID {
	sum := sha256.Sum256(text)
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]))
}
